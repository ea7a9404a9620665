"""What a change kind is: a name, its permissions, and apply, undo and verify side by side.

One small module per kind, with the read-only ``find…`` and the pure ``plan…`` functions that make its changes. Kinds
are looked up by name in ``registry``; everything that undo needs is in the change. A kind never sleeps and never
loops until something happens: it looks once and says how things stand; the gate and the reverter ask again.

Most kinds only read and write a state: derive them from ``compare.CompareAndRestore``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from blackstart.access import Need
from blackstart.changes.clients import Clients
from blackstart.changes.model import Change

AT_ONCE = 16
"""API calls under way at the same time, unless a kind knows better."""


class Ending(StrEnum):
    """How one look at one change ended."""

    RESTORED = "restored"
    """The target was as the drill left it; this call put it back."""
    UNTOUCHED = "untouched"
    """The target is as it was before the drill; there was nothing to do."""
    PENDING = "pending"
    """Not put back yet; ask again. Earlier steps of the same fault wait."""
    WAITING = "waiting"
    """Our part is done, somebody else's (a controller's) is not; ask again. Nothing waits for it."""
    CONFLICT = "conflict"
    """Somebody else changed the target meanwhile; it was left as they made it."""


@dataclass(frozen=True)
class Outcome:
    """``note`` says what was seen, as the end of a sentence; empty when all is well."""

    ending: Ending
    note: str = ""

    @property
    def done(self) -> bool:
        """Whether the target is as it was before the drill."""
        return self.ending in (Ending.RESTORED, Ending.UNTOUCHED)


class Kind(Protocol):
    """All methods take changes of this kind and one step, at least one, and may be called from several threads.

    Each must be right after a full apply, half an apply, no apply, and when called again.
    """

    @property
    def name(self) -> str:
        """As changes and the undo log call it: ``ec2.subnet_acl``."""
        ...

    @property
    def permissions(self) -> tuple[str, ...]:
        """What all methods need: ``ec2:DescribeNetworkAcls``, ``kubernetes:delete pods``."""
        ...

    @property
    def batch_size(self) -> int:
        """The most changes to hand over at once to apply."""
        ...

    @property
    def look_size(self) -> int:
        """The most changes to hand over at once to undo and verify; for kinds of which one read tells many."""
        ...

    @property
    def at_once(self) -> int:
        """How many batches may be under way at the same time."""
        ...

    @property
    def joined(self) -> bool:
        """Whether the calls of a batch are made once for all of it, not once for each change."""
        ...

    @property
    def restores(self) -> bool:
        """Whether undo gives the target itself back; else somebody else heals it, whom ``undo_summary`` names."""
        ...

    def needs(self, change: Change) -> Sequence[Need]:
        """``permissions``, as narrow as they can be given for applying, undoing and verifying this one change. Pure."""
        ...

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        """Make each target's state ``after``. Returning means all are applied.

        TargetChanged means that nothing was done. Any other error: not known; it is tried again if the error is NotYet,
        or one that may pass (``answers.passing``).
        """
        ...

    def undo(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        """Put back what is still ours. By change id; any error means: not known, ask again."""
        ...

    def verify(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        """Read each target again: UNTOUCHED if it is as before, else PENDING, WAITING or CONFLICT. Changes nothing."""
        ...

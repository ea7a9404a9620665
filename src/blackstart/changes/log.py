"""The undo log: what every drill changed, durable before it happened.

A drill appends the changes of a fault, whole and at once, before the first call that changes anything; then marks
how far each got. Any process that reaches the log can undo what another one left. The log also holds the locks: a
target belongs to a drill from the append until every change of that drill on it is verified.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from blackstart.changes.model import Change, State
from blackstart.changes.owner import Owner


@dataclass(frozen=True)
class Drill:
    """One run of one experiment. ``started`` is ISO 8601 in UTC; ``folder`` is its journal ("" if it has none)."""

    id: str
    title: str
    owner: Owner
    started: str
    folder: str


@dataclass(frozen=True)
class Fault:
    """The changes that one action makes together.

    ``subject`` completes "not …". ``began`` and ``ends`` are on the owner's monotonic clock, in seconds; None: the
    fault stays until the drill undoes it.
    """

    subject: str
    began: float
    ends: float | None = None


@dataclass(frozen=True)
class Entry:
    """One change as the log has it. ``number`` counts the faults of the drill from 1."""

    change: Change
    drill: str
    number: int
    fault: Fault
    state: State
    note: str

    @property
    def open(self) -> bool:
        """Whether something may still be in place."""
        return self.state is not State.VERIFIED


@dataclass(frozen=True)
class Mark:
    """A change got as far as ``state``. ``note`` is the end of a sentence, for a conflict."""

    state: State
    note: str = ""


class UndoLog(Protocol):
    """Every method raises UndoLogUnusable if it cannot do what it says. Usable from several threads and processes."""

    @property
    def url(self) -> str: ...

    def append(self, drill: Drill, fault: Fault, changes: Sequence[Change]) -> int:
        """Record all of ``changes`` as planned, or none; durable on return. The fault's number.

        Refused if another drill still holds one of the targets; that drill is named.
        """
        ...

    def mark(self, marks: Mapping[str, Mark]) -> None:
        """Record, by change id, how far each got; durable on return."""
        ...

    def entries(self, drill: str) -> list[Entry]:
        """Everything that ``drill`` has recorded, in the order of the appends; empty if there is nothing."""
        ...

    def drills(self) -> list[Drill]:
        """The drills that have open changes, oldest first."""
        ...

    def find(self, drill: str) -> Drill | None:
        """The drill as it was recorded with its first append."""
        ...

    def close(self) -> None:
        """Let go of files and connections; harmless when called again."""
        ...

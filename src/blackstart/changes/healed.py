"""Changes that nobody can undo: a pod that is deleted, an instance that is terminated. Somebody else heals them.

To undo such a change is to wait: each look says whether its healer (a controller, an Auto Scaling group, Karpenter) has
made good what was taken. What nothing would heal is refused when it is planned.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from blackstart.access import Need
from blackstart.changes.clients import Clients
from blackstart.changes.kind import AT_ONCE, Outcome
from blackstart.changes.model import Change


class Healed(ABC):
    """A kind whose undo is to look until it is healed; derive it and say how to apply, and how to look."""

    name: ClassVar[str]
    permissions: ClassVar[tuple[str, ...]]
    batch_size: ClassVar[int] = 1
    look_size: ClassVar[int] = 500
    at_once: ClassVar[int] = AT_ONCE
    joined: ClassVar[bool] = False
    restores: ClassVar[bool] = False

    @abstractmethod
    def needs(self, change: Change) -> Sequence[Need]:
        """As ``Kind.needs``."""

    @abstractmethod
    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        """As ``Kind.apply``."""

    @abstractmethod
    def look(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        """How it stands, by change id: UNTOUCHED if the change never came about, RESTORED once it is healed, WAITING
        until then, CONFLICT if nobody would heal it any more. Changes nothing."""

    def undo(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        return self.look(changes, clients)

    def verify(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        return self.look(changes, clients)

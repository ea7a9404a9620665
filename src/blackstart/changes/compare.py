"""Compare and restore, once for all kinds whose undo is to write back the state from before.

States are flat mappings from field to JSON value. Each field is judged on its own, so that half an apply is undone:
equal to ``after`` → ours, write ``before``; equal to ``before`` → nothing to do; else somebody else's → conflict.
A field whose ``before`` and ``after`` are equal is context and is not judged.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from blackstart.access import Need, everything
from blackstart.changes.clients import Clients
from blackstart.changes.kind import AT_ONCE, Ending, Outcome
from blackstart.changes.model import Change, Json
from blackstart.errors import NotYet, TargetChanged


@dataclass(frozen=True)
class Unsettled:
    """The target is between two states (``doing``: "stopping"), so nothing can be said or done yet."""

    doing: str


Seen = Mapping[str, Json] | Unsettled | None
"""What a read found: the state, a state in transition, or None: the target does not exist."""


@dataclass(frozen=True)
class Difference:
    """``ours``: fields as the drill made them. ``foreign``: fields that are neither as before nor as after."""

    ours: tuple[str, ...]
    foreign: tuple[str, ...]


def compare(seen: Mapping[str, Json], before: Mapping[str, Json], after: Mapping[str, Json]) -> Difference:
    """Judge every field that the change meant to alter. Pure."""
    altered = _altered(before, after)
    ours = tuple(field for field in altered if seen.get(field) == after[field])
    foreign = tuple(field for field in altered if seen.get(field) not in (before.get(field), after[field]))
    return Difference(ours, foreign)


def _altered(before: Mapping[str, Json], after: Mapping[str, Json]) -> list[str]:
    return [field for field in after if before.get(field) != after[field]]


@dataclass(frozen=True)
class Wanted:
    """Write ``fields`` to the target of ``change``, and no others. ``seen`` is what was read just before."""

    change: Change
    fields: Mapping[str, Json]
    seen: Mapping[str, Json]


class CompareAndRestore(ABC):
    """A kind that is told how to read and to write; apply, undo and verify follow from that."""

    name: ClassVar[str]
    permissions: ClassVar[tuple[str, ...]]
    batch_size: ClassVar[int] = 1
    at_once: ClassVar[int] = AT_ONCE
    joined: ClassVar[bool] = False
    restores: ClassVar[bool] = True

    @property
    def look_size(self) -> int:
        return self.batch_size

    @abstractmethod
    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        """The present state of each change's target, by change id, in the terms of ``before`` and ``after``."""

    @abstractmethod
    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        """Make it so. Must tolerate that part of it is so already."""

    def needs(self, change: Change) -> Sequence[Need]:
        return everything(self.permissions, change.target.region)

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        found = self.read(changes, clients)
        wanted = []
        for change in changes:
            seen = found[change.id]
            if seen is None:
                raise TargetChanged(str(change.target), "it is gone")
            if isinstance(seen, Unsettled):
                raise NotYet(str(change.target), seen.doing)
            foreign = compare(seen, change.before, change.after).foreign
            if foreign:
                raise TargetChanged(str(change.target), _told(foreign, seen))
            fields = {field: value for field, value in change.after.items() if seen.get(field) != value}
            if fields:
                wanted.append(Wanted(change, fields, seen))
        if wanted:
            self.write(wanted, clients)

    def undo(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        found = self.read(changes, clients)
        wanted = []
        outcomes = {}
        for change in changes:
            seen = found[change.id]
            outcomes[change.id] = _judged(change, seen)
            if isinstance(seen, Mapping):
                ours = compare(seen, change.before, change.after).ours
                if ours:
                    wanted.append(Wanted(change, {field: change.before[field] for field in ours}, seen))
        if wanted:
            self.write(wanted, clients)
        written = {item.change.id for item in wanted}
        return {
            change: Outcome(Ending.RESTORED) if change in written and outcome.ending is Ending.PENDING else outcome
            for change, outcome in outcomes.items()
        }

    def found(self, change: Change, clients: Clients) -> Mapping[str, Json] | str:
        """What the target is now; or why it cannot be written, as the end of a sentence."""
        seen = self.read([change], clients)[change.id]
        if seen is None:
            return f"{change.target} no longer exists"
        return f"{change.target} is {seen.doing}" if isinstance(seen, Unsettled) else seen

    def force(self, change: Change, clients: Clients) -> None:
        """Write ``before`` to every field that the change meant to alter, whatever is there. NotYet if that cannot be
        done now."""
        seen = self.found(change, clients)
        if isinstance(seen, str):
            raise NotYet(str(change.target), seen)
        fields = {field: change.before[field] for field in _altered(change.before, change.after)}
        fields = {field: value for field, value in fields.items() if seen.get(field) != value}
        if fields:
            self.write([Wanted(change, fields, seen)], clients)

    def verify(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        found = self.read(changes, clients)
        return {change.id: _judged(change, found[change.id]) for change in changes}


def _judged(change: Change, seen: Seen) -> Outcome:
    if seen is None:
        return Outcome(Ending.CONFLICT, f"{change.target} no longer exists")
    if isinstance(seen, Unsettled):
        return Outcome(Ending.PENDING, f"{change.target} is {seen.doing}")
    difference = compare(seen, change.before, change.after)
    if difference.foreign:
        return Outcome(
            Ending.CONFLICT, f"{change.target} was changed by somebody else: {_told(difference.foreign, seen)}"
        )
    if difference.ours:
        return Outcome(Ending.PENDING, f"{change.target} still has {_told(difference.ours, seen)}")
    return Outcome(Ending.UNTOUCHED)


def _told(fields: Sequence[str], seen: Mapping[str, Json]) -> str:
    return ", ".join(f"{field} {seen.get(field)!r}" for field in fields)

"""The undo log: what every drill changed, durable before it happened.

A drill appends the changes of a fault, whole and at once, before the first call that changes anything; then marks
how far each got. Any process that reaches the log can undo what another one left.

The log also holds the locks (a target, and by default its region or cluster, belongs to a drill from the append until
every change of that drill there is verified), the leases (which process looks after a drill, and that it lives), the
requests to stop, and the kill switch that blocks new faults.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from blackstart.changes.model import Change, State, area_name, lock_name
from blackstart.changes.owner import Owner
from blackstart.errors import Refused


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
    fault stays until the drill undoes it. ``shared``: other drills that share, too, may be in the same region.
    """

    subject: str
    began: float
    ends: float | None = None
    shared: bool = False


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


@dataclass(frozen=True)
class Lease:
    """Who looks after a drill. ``beats`` counts up while they live; a count that stands still means they do not.

    Counting needs no common clock: who wants to know watches the count on a clock of their own.
    """

    holder: Owner
    beats: int


@dataclass(frozen=True)
class Block:
    """The kill switch is on. ``reason`` is the end of a sentence, ``by`` who did it, ``since`` ISO 8601 in UTC."""

    reason: str
    by: str
    since: str


class UndoLog(Protocol):
    """Every method raises UndoLogUnusable if it cannot do what it says. Usable from several threads and processes.

    Whatever is written is durable on return.
    """

    @property
    def url(self) -> str: ...

    @property
    def region(self) -> str:
        """The AWS region that the log itself lives in; "" if it is in none."""
        ...

    def begin(self, drill: Drill) -> None:
        """The drill runs; its owner holds the lease. Refused while the kill switch is on."""
        ...

    def append(self, drill: Drill, fault: Fault, changes: Sequence[Change]) -> int:
        """Record all of ``changes`` as planned, or none. The fault's number.

        Refused if another drill still holds one of the targets, or one of their regions or clusters (unless both
        faults are ``shared``), which is named; if the drill was told to stop, or has ended; or while the kill switch is
        on. Begins the drill if that was not done.
        """
        ...

    def mark(self, drill: str, marks: Mapping[str, Mark]) -> None:
        """Record, by change id, how far each got; the last word counts, whoever says it.

        DrillStopped, with the marks recorded, if one of them is ``applied`` and the drill was told to stop, or ended.
        """
        ...

    def entries(self, drill: str) -> list[Entry]:
        """Everything that ``drill`` has recorded, in the order of the appends; empty if there is nothing."""
        ...

    def drills(self) -> list[Drill]:
        """The drills that have not ended, or have open changes; oldest first."""
        ...

    def find(self, drill: str) -> Drill | None:
        """The drill as it was recorded when it began."""
        ...

    def end(self, drill: str) -> None:
        """The drill is over and takes no more faults. With open changes it stays among ``drills``."""
        ...

    def beat(self, drill: str, holder: Owner) -> bool:
        """Say that ``holder`` lives. False, and nothing is done, if somebody else holds the lease."""
        ...

    def lease(self, drill: str) -> Lease | None:
        """Who looks after the drill; None for a drill that is not known."""
        ...

    def take(self, drill: str, holder: Owner, seen: Lease) -> bool:
        """Look after the drill instead of whoever does, if the lease still is as ``seen``; whether that worked."""
        ...

    def stop(self, drill: str, reason: str) -> None:
        """Tell the drill to end and undo. The first reason stays."""
        ...

    def stopping(self, drill: str) -> str:
        """Why the drill was told to stop; "" if it was not."""
        ...

    def block(self, block: Block) -> None:
        """Turn the kill switch on: no drill begins and no fault is recorded until it is lifted."""
        ...

    def unblock(self) -> bool:
        """Lift the kill switch; whether it was on."""
        ...

    def blocked(self) -> Block | None:
        """The kill switch, if it is on."""
        ...

    def close(self) -> None:
        """Let go of files and connections; harmless when called again."""
        ...


ENDED = "it has been ended by another process, as `blackstart recover` does"


def stopped_because(stop: str, ended: bool) -> str:
    """Why a drill, told to stop for ``stop`` ("": it was not), may go no further; "" if it may."""
    return stop or (ENDED if ended else "")


def refuse(subject: str, block: Block | None, stopped: str = "") -> None:
    """Refused while the kill switch is on, or if the drill may go no further."""
    if block:
        blocked = f"{block.by} blocked all drills at {block.since} ({block.reason})"
        raise Refused(subject, f"{blocked}; lift that with `blackstart unblock`")
    if stopped:
        raise Refused(subject, f"the drill was stopped ({stopped})")


def refuse_held(fault: Fault, changes: Sequence[Change], others: Iterable[Entry]) -> None:
    """Refused if an open change among ``others``, entries of other drills, holds a target or an area of ``changes``."""
    held = [entry for entry in others if entry.open]
    targets = {lock_name(entry.change.target): entry.drill for entry in held}
    for change in changes:
        holder = targets.get(lock_name(change.target))
        if holder:
            raise Refused(fault.subject, _held(str(change.target), holder))
    areas = {area_name(entry.change.target): entry.drill for entry in held if not (entry.fault.shared and fault.shared)}
    for area in sorted({area_name(change.target) for change in changes} - {""}):
        if area in areas:
            raise Refused(fault.subject, _held(area, areas[area]))


def _held(what: str, drill: str) -> str:
    return f"{what} is held by drill {drill}; wait for its end, or run `blackstart recover {drill}`"

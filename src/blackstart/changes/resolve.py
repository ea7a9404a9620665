"""Settle by hand a change that cannot be undone by itself: somebody else changed its target, so nobody knows better.

Either the state from before the drill is written whatever is there now, or what is there stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

from blackstart.changes import pool
from blackstart.changes.answers import told
from blackstart.changes.clients import Clients
from blackstart.changes.kind import Ending, Outcome
from blackstart.changes.leases import holding, seize
from blackstart.changes.log import Drill, Entry, Mark, UndoLog
from blackstart.changes.model import Change, Json, State
from blackstart.changes.owner import here
from blackstart.changes.reach import Reach
from blackstart.changes.recover import ReachOf, unattended
from blackstart.clock import Clock
from blackstart.errors import ConfigInvalid, Refused, ServiceUnreachable

Answer = TypeVar("Answer")

TRIES, PAUSE_SECONDS = 10, 1.0
ACCEPTED = "kept as it is"
"""How the note of a change begins that was closed without being put back."""

Agreed = Callable[[Change, Mapping[str, Json]], bool]
"""Is given the change and what its target is now; whether ``before`` may be written over that."""


@runtime_checkable
class Forcible(Protocol):
    """A kind that can write ``before`` over anything."""

    def found(self, change: Change, clients: Clients) -> Mapping[str, Json] | str:
        """What the target is now, in the terms of ``before``; or why it cannot be written, as a sentence's end."""
        ...

    def force(self, change: Change, clients: Clients) -> None:
        """Write ``before``, whatever is there."""
        ...


@dataclass(frozen=True)
class Settled:
    """What became of one change: ``state`` afterwards, and ``note``, the end of a sentence."""

    drill: str
    change: str
    state: State
    note: str


def find(log: UndoLog, change: str) -> tuple[Drill, Entry]:
    """The open change called ``change``, and its drill; ConfigInvalid if the log has none."""
    for drill in log.drills():
        for entry in log.entries(drill.id):
            if entry.change.id == change and entry.open:
                return drill, entry
    raise ConfigInvalid(log.url, change, "the undo log has no such open change; `blackstart status` lists them")


def accept(log: UndoLog, change: str, reach_of: ReachOf, *, by: str, clock: Clock) -> Settled:
    """Keep what is there and close the change. Refused if its drill is looked after; ConfigInvalid as ``find``."""
    drill, _ = find(log, change)
    return _settled(log, drill, change, f"{ACCEPTED}: accepted by {by}", reach=reach_of(drill), clock=clock)


def force(
    log: UndoLog,
    change: str,
    reach_of: ReachOf,
    *,
    by: str,
    clock: Clock,
    agreed: Agreed,
) -> Settled:
    """Write ``before`` over whatever is there, once ``agreed`` has seen that and said yes; read it again, and close.

    Refused if the drill is looked after, the kind cannot do it, or nobody agreed; ServiceUnreachable if a call fails,
    or the target is not as before afterwards.
    """
    drill, entry = find(log, change)
    reach, subject = reach_of(drill), f"forcing {change}"
    kind = reach.kinds.lookup(entry.change.kind)
    if not isinstance(kind, Forcible):
        raise Refused(
            subject,
            f"changes of kind {kind.name} cannot be forced, because undoing them is not writing a state; put "
            f"{entry.change.target} in order by hand, then run `blackstart recover --accept {change}`",
        )
    seen = _asked(entry.change, reach, kind.found)
    if isinstance(seen, str):
        raise Refused(subject, f"{seen}; put it in order by hand, then run `blackstart recover --accept {change}`")
    if not agreed(entry.change, seen):
        raise Refused(subject, "nobody said yes, so it was left as it is")

    def write() -> None:
        _asked(entry.change, reach, kind.force)
        _await_before(entry.change, reach)

    note = f"forced back to what it was before the drill, by {by}"
    return _settled(log, drill, change, note, reach=reach, clock=clock, write=write)


def _settled(
    log: UndoLog,
    drill: Drill,
    change: str,
    note: str,
    *,
    reach: Reach,
    clock: Clock,
    write: Callable[[], None] = lambda: None,
) -> Settled:
    me, attended = here(), dict[str, str]()
    if not unattended([drill], log, attended, clock) or not seize(log, drill.id, me):
        who = attended.get(drill.id, "somebody has just taken it over")
        raise Refused(
            f"settling {change}", f"drill {drill.id} is not over ({who}); end it with `blackstart stop {drill.id}`"
        )
    with holding(log, drill.id, me):
        write()
        marks = {change: Mark(State.VERIFIED, note)}
        log.mark(drill.id, marks)
        reach.mirror.marked(marks)
        if not any(entry.open for entry in log.entries(drill.id)):
            log.end(drill.id)
    return Settled(drill.id, change, State.VERIFIED, note)


def _asked(change: Change, reach: Reach, work: Callable[[Change, Clients], Answer]) -> Answer:
    """One call of a kind, whose errors, of whatever API, become ServiceUnreachable."""
    batch = pool.Batch(reach.kinds.lookup(change.kind), [change])
    with closing(pool.run(lambda _: work(change, reach.clients), [batch])) as looks:
        ((done,),) = looks
    if done.error is not None:
        problem = f"failed: {told(done.error, batch.kind.permissions)}"
        raise ServiceUnreachable(f"force {change.id}", str(change.target), problem) from done.error
    return done.result


def _await_before(change: Change, reach: Reach) -> None:
    kind = reach.kinds.lookup(change.kind)
    outcome = Outcome(Ending.PENDING)
    for _ in range(TRIES):
        outcome = _asked(change, reach, lambda each, clients: kind.verify([each], clients)[each.id])
        if outcome.ending is Ending.UNTOUCHED:
            return
        reach.clock.sleep(PAUSE_SECONDS)
    raise ServiceUnreachable(f"force {change.id}", str(change.target), f"is not as before afterwards: {outcome.note}")

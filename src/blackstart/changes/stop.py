"""End drills that run, wherever they do, and see to it that they are undone.

A drill's own reverter undoes it as soon as it finds the request in the undo log. Where nobody reacts, because that
machine is gone or cut off, the drill is taken over and undone from here.
"""

from __future__ import annotations

from collections.abc import Callable

from blackstart.changes.leases import LEASE_SECONDS, Pulse
from blackstart.changes.log import Drill, Entry, UndoLog
from blackstart.changes.model import State
from blackstart.changes.owner import gone
from blackstart.changes.recover import ReachOf, Recovery, named, take_over
from blackstart.changes.undo import UndoReport
from blackstart.clock import Clock

LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 600.0

Progress = Callable[[str, str], None]
"""Called with a drill and what can be said of it now, as the end of a sentence, whenever that changes."""


def stop(
    log: UndoLog,
    reach_of: ReachOf,
    reason: str,
    drill: str | None = None,
    *,
    clock: Clock,
    progress: Progress,
    lease_seconds: float = LEASE_SECONDS,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Recovery:
    """Tell every drill, or the one that is named, to stop for ``reason``; return when each has ended and is undone, or
    after ``patience_seconds``. ConfigInvalid if the log does not have ``drill``."""
    chosen = [named(log, drill)] if drill else log.drills()
    for each in chosen:
        log.stop(each.id, reason)
    waiting = {each.id: _Stopping(each, log, reach_of, progress, Pulse(clock, lease_seconds)) for each in chosen}
    deadline = clock.monotonic() + patience_seconds
    while waiting:
        running = {each.id for each in log.drills()}
        waiting = {key: each for key, each in waiting.items() if key in running and not each.over(reason)}
        if not waiting or clock.monotonic() > deadline:
            break
        clock.sleep(LOOK_SECONDS)
    return Recovery(tuple(_report(each.id, log.entries(each.id)) for each in chosen))


class _Stopping:
    """One drill that was told to stop."""

    def __init__(self, drill: Drill, log: UndoLog, reach_of: ReachOf, progress: Progress, pulse: Pulse) -> None:
        self._drill, self._log, self._reach_of = drill, log, reach_of
        self._progress, self._pulse = progress, pulse
        self._said = ""

    def over(self, reason: str) -> bool:
        """Look once; take the drill over if nobody else reacts. Whether there is nothing left to wait for."""
        lease = self._log.lease(self._drill.id)
        if lease is None:
            return True
        ended = gone(lease.holder)
        if ended or (ended is None and self._pulse.still(lease)):
            self._say("nobody looks after it any more, so it is undone from here")
            if take_over(self._drill, self._reach_of(self._drill), reason) is not None:
                return True
        left = [entry for entry in self._log.entries(self._drill.id) if entry.open]
        if left and all(entry.state is State.CONFLICT for entry in left):
            return True
        doing = f"{len(left)} changes are not put back yet" if left else "nothing is left in place; it is ending"
        self._say(f"process {lease.holder.pid} on {lease.holder.host} is ending it; {doing}")
        return False

    def _say(self, what: str) -> None:
        if what != self._said:
            self._progress(self._drill.id, what)
        self._said = what


def _report(drill: str, entries: list[Entry]) -> UndoReport:
    by = {state: [entry for entry in entries if entry.state is state] for state in State}
    return UndoReport(
        drill,
        verified=tuple(entry.change.id for entry in by[State.VERIFIED]),
        conflicts={entry.change.id: entry.note for entry in by[State.CONFLICT]},
        remaining={
            entry.change.id: entry.note or f"it is {entry.state}"
            for entry in entries
            if entry.state not in (State.VERIFIED, State.CONFLICT)
        },
    )

"""The gate: the one way to change the world.

``inject`` is the only function that applies a change. It refuses, or records every change durably, or does neither;
applies them; and puts back whatever it applied if anything goes wrong.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Protocol

from blackstart.changes import pool
from blackstart.changes.answers import passing, told
from blackstart.changes.guards import Request, refusal
from blackstart.changes.log import Drill, Entry, Fault, Mark
from blackstart.changes.logs import open_log
from blackstart.changes.model import Change, State
from blackstart.changes.owner import here
from blackstart.changes.reach import Boundary, Reach, open_reach
from blackstart.changes.reverter import Reverter
from blackstart.changes.undo import FIRST_PAUSE, LONGEST_PAUSE, UndoReport, put_back, undo
from blackstart.clock import Clock, iso
from blackstart.errors import (
    ApplyFailed,
    BlackstartError,
    ConfigInvalid,
    NotYet,
    Refused,
    TargetChanged,
    UndoLogUnusable,
)
from blackstart.scope import Scope

PAUSE_GROWTH = 1.25

__all__ = ["Gate", "UndoReport", "Watch", "inject", "open_gate", "undo"]


class Watch(Protocol):
    """Somebody who undoes the drill's changes when its process is gone; ``reverter.Reverter``, but for tests."""

    def start(self) -> None:
        """Have that somebody come; does not wait."""
        ...

    def ensure(self, subject: str) -> None:
        """Return once that somebody is there and listening; ``Refused(subject, …)`` if nobody is."""
        ...

    def release(self) -> None:
        """The drill ends in order; nobody has to listen any more."""
        ...


@dataclass(frozen=True)
class Gate:
    """What one drill needs to change anything."""

    scope: Scope
    drill: Drill
    reach: Reach
    watch: Watch

    def close(self) -> None:
        """The drill ends in order: let the reverter go, which puts back whatever is still in place."""
        with contextlib.suppress(UndoLogUnusable):  # then the drill stays listed, for `blackstart recover` to end
            self.reach.log.end(self.drill.id)
        self.watch.release()
        self.reach.clients.close()
        self.reach.log.close()


def open_gate(
    scope: Scope,
    drill: str,
    title: str,
    folder: Path,
    *,
    log_url: str = "",
    archive_region: str = "",
    clock: Clock | None = None,
) -> Gate:
    """The gate of a drill that this process owns, which the undo log knows; its reverter is on its way.

    ``folder`` is the drill's journal, which exists; ``log_url`` "": this user's log; ``archive_region``: no target may
    be in it. Changes nothing outside of both. Refused while the kill switch is on.
    """
    log = open_log(log_url)
    reach = replace(open_reach(log, folder, "drill", clock), archive_region=archive_region)
    record = Drill(drill, title, here(), iso(reach.clock.now()), str(folder))
    log.begin(record)
    watch = Reverter(log.url, drill, folder)
    watch.start()
    return Gate(scope, record, reach, watch)


def inject(
    changes: Sequence[Change],
    gate: Gate,
    subject: str,
    *,
    duration_seconds: float | None = None,
    nothing: str = "",
    region_drill: bool = False,
) -> None:
    """Apply ``changes`` as one fault; on return all are applied and recorded so.

    ``subject`` completes "not …" ("failing zone us-east-1a"), ``nothing`` says what was looked for when there are no
    changes ("no subnet in vpc-1 is in us-east-1a"). ``region_drill``: all zones of a region are meant. After
    ``duration_seconds`` the reverter ends the fault if the drill has not.

    Errors that may pass are waited out for ``reach.apply_seconds``. Raises Refused, ConfigInvalid or UndoLogUnusable
    with nothing changed, ApplyFailed after an error half way, with everything put back or what is not named.
    Interrupts end the drill: they put back its earlier faults too, which may keep this one from healing, and go on.
    """
    changes = tuple(changes)
    earlier = [entry for entry in gate.reach.log.entries(gate.drill.id) if entry.open]
    held = [entry.change for entry in earlier]
    request = Request(gate.scope, changes, held, gate.reach, nothing, region_drill)
    number, fault = _record(request, gate, subject, duration_seconds)
    entries = [Entry(change, gate.drill.id, number, fault, State.PLANNED, "") for change in changes]
    attempt = _Attempt(gate.drill.id, gate.reach)
    try:
        attempt.run(changes)
    except BaseException as error:  # whatever ends the attempt, also an interrupt, must not leave half a fault
        ends = error is not attempt.problem
        never = attempt.never_applied(changes)
        report = put_back(gate.drill.id, [*earlier, *entries] if ends else entries, gate.reach, never=never)
        if ends:
            raise
        left = (*report.remaining, *report.conflicts)
        raise ApplyFailed(subject, told(error, attempt.permissions), report.restored, left) from error


def _record(request: Request, gate: Gate, subject: str, duration_seconds: float | None) -> tuple[int, Fault]:
    """Ask every guard, then write the fault down. The fault and its number."""
    reach, changes = gate.reach, request.changes
    reason = refusal(request)
    if reason:
        raise Refused(subject, reason)
    if duration_seconds is not None and duration_seconds <= 0:
        raise ConfigInvalid(subject, "duration", f"{duration_seconds:g} seconds; a fault lasts longer than 0")
    for name in {change.kind for change in changes}:
        reach.kinds.lookup(name)
    gate.watch.ensure(subject)
    began = reach.clock.monotonic()
    ends = None if duration_seconds is None else began + duration_seconds
    fault = Fault(subject, began, ends, gate.scope.share_regions)
    ids = tuple(change.id for change in changes)
    reach.boundary(Boundary.LOGGING, ids)
    number = reach.log.append(gate.drill, fault, changes)
    reach.mirror.planned(changes)
    reach.boundary(Boundary.LOGGED, ids)
    return number, fault


class _Attempt:
    """One try to apply the changes of a fault, step by step."""

    def __init__(self, drill: str, reach: Reach) -> None:
        self._drill = drill
        self._reach = reach
        self._started: set[str] = set()
        self._tried_again: set[str] = set()
        self._left_alone: set[str] = set()
        self._ending = threading.Event()
        self.permissions: tuple[str, ...] = ()
        self.problem: BaseException | None = None
        """The error of a kind, or of the undo log (it tells of a stop); None for whatever else ended the attempt."""

    def run(self, changes: Sequence[Change]) -> None:
        """Apply all; raises the first error, when no call is under way any more."""
        ordered = sorted(changes, key=lambda change: change.step)
        for _, step in groupby(ordered, key=lambda change: change.step):
            todo = pool.batches(step, self._reach.kinds)
            with closing(pool.run(self._apply, todo, self._ending)) as finished:
                for some in finished:
                    self._mark(some)

    def never_applied(self, changes: Sequence[Change]) -> set[str]:
        """Ids of changes that were not begun, or whose target was found changed before anything was done to it."""
        return {change.id for change in changes if change.id not in self._started} | self._left_alone

    def _apply(self, batch: pool.Batch) -> float:
        """Monotonic seconds just before the first call that may have changed something.

        Tried again while that may help, and nobody waits for the end.
        """
        self._reach.boundary(Boundary.APPLYING, batch.ids)
        self._started.update(batch.ids)
        clock = self._reach.clock
        first, pause = clock.monotonic(), FIRST_PAUSE
        deadline = first + self._reach.apply_seconds
        began: float | None = None
        while True:
            now = clock.monotonic()
            try:
                batch.kind.apply(batch.changes, self._reach.clients)
                break
            except BaseException as error:
                # After a call of unknown outcome, what looks changed may be our own doing, seen half way.
                if not passing(error) and not (began is not None and isinstance(error, TargetChanged)):
                    raise
                self._tried_again.update(batch.ids)  # so whatever is found changed from now on may be our own doing
                growth = 2.0
                if isinstance(error, NotYet):
                    # Somebody will be ready sooner or later, and no service suffers from being asked.
                    deadline, growth = max(deadline, first + error.patience_seconds), PAUSE_GROWTH
                if not isinstance(error, NotYet) or error.begun:
                    began = began or now
                if self._ending.is_set() or clock.monotonic() + pause > deadline:
                    raise
            clock.sleep(pause)
            pause = min(pause * growth, LONGEST_PAUSE)
        self._reach.boundary(Boundary.APPLIED, batch.ids)
        return began or now

    def _mark(self, finished: Sequence[pool.Done[float]]) -> None:
        began = {change: done.result for done in finished if done.error is None for change in done.batch.ids}
        if began:
            marks = {change: Mark(State.APPLIED) for change in began}
            self._reach.boundary(Boundary.MARKING, tuple(marks))
            try:
                self._reach.log.mark(self._drill, marks)
            except BlackstartError as error:
                self.problem = error
                raise
            self._reach.mirror.marked(marks, began)
            self._reach.boundary(Boundary.MARKED, tuple(marks))
        for done in finished:
            if done.error is not None:
                if isinstance(done.error, TargetChanged):
                    self._left_alone.update(set(done.batch.ids) - self._tried_again)
                self.problem, self.permissions = done.error, tuple(done.batch.kind.permissions)
                raise done.error

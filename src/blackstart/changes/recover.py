"""Undo what a drill left behind whose process, or whose reverter too, is gone, from any machine that has the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from blackstart.changes import identity
from blackstart.changes.clients import Clients
from blackstart.changes.leases import LEASE_SECONDS, Pulse, abandoned, holding, seize
from blackstart.changes.leftovers import Residue, Whose
from blackstart.changes.log import Drill, Lease, UndoLog
from blackstart.changes.owner import Owner, gone, here, interrupt
from blackstart.changes.reach import Reach
from blackstart.changes.undo import PATIENCE_SECONDS, UndoReport, undo
from blackstart.clock import Clock, SystemClock
from blackstart.errors import ConfigInvalid

LOOK_SECONDS = 1.0
ENDING_SECONDS = 30.0
"""How long an interrupted drill is given to end, before it is undone as if it had."""
IDENTITY_TIMEOUTS = (2.0, 3.0)
"""To connect and to read. The region whose STS is asked may be the one that is lost; undoing must not wait for it."""

ReachOf = Callable[[Drill], Reach]


@dataclass(frozen=True)
class Recovery:
    """``reports``: what was undone, by drill. ``left_alone``: drill → who looks after it, as the end of a sentence.
    ``residue``: what was looked for and found afterwards, by drill."""

    reports: tuple[UndoReport, ...]
    left_alone: dict[str, str] = field(default_factory=dict)
    residue: dict[str, Residue] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether everything that was to be undone is as it was before."""
        return all(report.complete for report in self.reports) and not any(
            found.whose is Whose.OURS for residue in self.residue.values() for found in residue.found
        )


def recover(
    log: UndoLog,
    reach_of: ReachOf,
    drill: str | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
    *,
    clock: Clock | None = None,
    lease_seconds: float = LEASE_SECONDS,
) -> Recovery:
    """Undo every drill that nobody looks after any more, or the one that is named, whoever owns it.

    ``reach_of`` gives each drill its reach (its journal is its own). Whether a process of another machine lives is
    told from its lease, which takes ``lease_seconds`` if it does not. ConfigInvalid if the log does not have ``drill``.
    """
    clock = clock or SystemClock()
    reports: list[UndoReport] = []
    left_alone: dict[str, str] = {}
    chosen = [named(log, drill)] if drill else unattended(log.drills(), log, left_alone, clock, lease_seconds)
    for found in chosen:
        report = take_over(found, reach_of(found), patience_seconds=patience_seconds)
        if report is None:
            left_alone[found.id] = _who(found, log.lease(found.id))
        else:
            reports.append(report)
    return Recovery(tuple(reports), left_alone)


def take_over(
    drill: Drill, reach: Reach, reason: str = "", patience_seconds: float = PATIENCE_SECONDS
) -> UndoReport | None:
    """Look after ``drill`` from now on, stop it, and undo it. None if somebody else took it meanwhile.

    ``reason`` is what the drill is told, if it still lives. Nothing is done with the credentials of another account.
    """
    log, me = reach.log, here()
    astray = _astray(drill, log)
    if astray:
        return UndoReport(drill.id, remaining=astray)
    if not seize(log, drill.id, me):
        return None
    log.stop(drill.id, reason or f"recovered by process {me.pid} on {me.host}")
    with holding(log, drill.id, me) as held:
        if interrupt(drill.owner):
            undo(drill.id, reach, patience_seconds=0, under_way=True)
            _await_end(drill.owner, reach.clock)
        report = undo(drill.id, reach, patience_seconds=patience_seconds, go_on=lambda: not held.lost)
        if held.lost:
            return None
        log.end(drill.id)
    return report


def _astray(drill: Drill, log: UndoLog) -> dict[str, str]:
    quick = Clients(threads=1, attempts=1, timeouts=IDENTITY_TIMEOUTS)
    try:
        return identity.astray([entry.change for entry in log.entries(drill.id) if entry.open], quick)
    finally:
        quick.close()


def named(log: UndoLog, drill: str) -> Drill:
    """``drill`` as the log has it; ConfigInvalid if it does not."""
    found = log.find(drill)
    if found is None:
        raise ConfigInvalid(log.url, drill, "the undo log knows no such drill")
    return found


def unattended(
    drills: Sequence[Drill],
    log: UndoLog,
    left_alone: dict[str, str],
    clock: Clock,
    lease_seconds: float = LEASE_SECONDS,
) -> list[Drill]:
    """Those of ``drills`` that nobody looks after, once that is sure of each; who does of the others is added to
    ``left_alone``."""
    waiting = {drill.id: drill for drill in drills}
    pulses = {drill: Pulse(clock, lease_seconds) for drill in waiting}
    first: dict[str, Lease] = {}
    found = []
    while waiting:
        for drill in list(waiting.values()):
            lease = log.lease(drill.id) or Lease(drill.owner, 0)
            lives = gone(lease.holder) is False or lease != first.setdefault(drill.id, lease)
            if abandoned(drill, lease, pulses[drill.id]):
                found.append(waiting.pop(drill.id))
            elif lives or gone(drill.owner) is False:
                left_alone[drill.id] = _who(drill, lease)
                del waiting[drill.id]
        if waiting:
            clock.sleep(LOOK_SECONDS)
    return found


def _who(drill: Drill, lease: Lease | None) -> str:
    if gone(drill.owner) is False:
        return f"its process {drill.owner.pid} is running"
    holder = lease.holder if lease else drill.owner
    where = "" if holder.host == here().host else f" on the machine {holder.host}"
    return f"process {holder.pid}{where} looks after it"


def _await_end(owner: Owner, clock: Clock) -> None:
    deadline = clock.monotonic() + ENDING_SECONDS
    while gone(owner) is False and clock.monotonic() < deadline:
        clock.sleep(0.2)

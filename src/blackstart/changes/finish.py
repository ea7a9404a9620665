"""The end of a drill whose process is gone: put back what is left, or see that whoever took the drill over does."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from enum import StrEnum

from blackstart.changes import kind, pool
from blackstart.changes.leases import Pulse, seize
from blackstart.changes.log import Entry, Mark
from blackstart.changes.lookout import LOOK_SECONDS, Lookout
from blackstart.changes.model import lock_name
from blackstart.changes.owner import gone, here
from blackstart.changes.reach import Reach
from blackstart.changes.undo import UndoReport, put_back, undo
from blackstart.errors import BlackstartError, UndoLogGone, UndoLogUnusable

LONGEST_PAUSE = 30.0


class Ending(StrEnum):
    """How a reverter's work ended, and with it what it knows about the drill."""

    RELEASED = "released"
    """The drill ended in order and nothing was left to put back."""
    REVERTED = "reverted"
    """The drill is gone, or left something in place; all of that is put back."""
    INCOMPLETE = "incomplete"
    """Something is in conflict, or could not be put back in the time given."""
    TAKEN_OVER = "taken over"
    """Another process took the drill over; how far that got is in the undo log."""


def finish(drill: str, reach: Reach, lookout: Lookout, released: bool, give_up_seconds: float) -> Ending:
    """Undo until all is put back. ``released``: the drill said goodbye."""
    deadline = reach.clock.monotonic() + give_up_seconds
    pause, worked = LOOK_SECONDS, False
    while True:
        if lookout.lost and not _ours_again(drill, reach, lookout, deadline):
            return Ending.TAKEN_OVER
        report = _undone(drill, reach, lookout)
        if report is None:
            return Ending.INCOMPLETE
        worked = worked or bool(report.verified or report.restored)
        if not report.remaining and not report.log_problem:
            if not lookout.still_ours():  # somebody may have been at work while this machine stood still
                continue
            if lookout.robbed:
                with contextlib.suppress(BlackstartError):
                    _put_back_late(drill, reach)
            if report.conflicts:
                return Ending.INCOMPLETE
            return Ending.REVERTED if worked or not released else Ending.RELEASED
        if reach.clock.monotonic() > deadline:
            return Ending.INCOMPLETE
        reach.clock.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def _undone(drill: str, reach: Reach, lookout: Lookout) -> UndoReport | None:
    """One try to undo all. None if there is no undo log any more; then what was known of it has been put back."""
    patience = max(60.0, 2 * reach.settle_seconds)
    try:
        return undo(drill, reach, patience_seconds=patience, go_on=lambda: not lookout.lost)
    except UndoLogUnusable as error:
        # What it held when it last answered is better than nothing, but not proven to be all.
        report = put_back(drill, lookout.entries, reach, patience_seconds=patience)
        return None if isinstance(error, UndoLogGone) else replace(report, log_problem=str(error))


def _ours_again(drill: str, reach: Reach, lookout: Lookout, deadline: float) -> bool:
    """Wait until whoever took the drill over has undone it, and then look at what they could not know. True if they
    died first, so that the drill is ours again."""
    pulse, clock, log = Pulse(reach.clock), reach.clock, reach.log
    settled = clock.monotonic() + reach.settle_seconds
    while clock.monotonic() < deadline:
        with contextlib.suppress(UndoLogUnusable):
            entries, lease = log.entries(drill), log.lease(drill)
            left = [entry for entry in entries if entry.open]
            silent = lease is not None and (gone(lease.holder) is True or pulse.still(lease))
            if left and silent and seize(log, drill, here()):
                lookout.regain()
                return True
            if not left and clock.monotonic() >= settled:
                reach.mirror.marked({entry.change.id: Mark(entry.state, entry.note) for entry in entries})
                with contextlib.suppress(BlackstartError):
                    _put_back_late(drill, reach)
                return False
        clock.sleep(LOOK_SECONDS)
    return False


def _put_back_late(drill: str, reach: Reach) -> None:
    """Put back what is in place though it was verified: the drill's process applied it after that, which whoever took
    the drill over could not see. A target that another drill holds by now is that drill's."""
    entries = reach.log.entries(drill)
    others = [other.id for other in reach.log.drills() if other.id != drill]
    held = {lock_name(entry.change.target) for other in others for entry in reach.log.entries(other) if entry.open}
    mine = {entry.change.id: entry for entry in entries if lock_name(entry.change.target) not in held}
    todo = pool.batches([entry.change for entry in mine.values()], reach.kinds, looks=True)
    found: list[Entry] = []

    def look(batch: pool.Batch) -> Mapping[str, kind.Outcome]:
        return batch.kind.verify(batch.changes, reach.clients)

    with closing(pool.run(look, todo)) as looks:
        for done in (each for some in looks for each in some if each.error is None):
            found += [mine[change] for change, seen in done.result.items() if seen.ending is kind.Ending.PENDING]
    put_back(drill, found, reach)

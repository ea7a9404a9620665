"""What is known of a drill's second half while it goes on: users on their way home. Blocking."""

from __future__ import annotations

import contextlib
from pathlib import Path

from blackstart.clock import Clock
from blackstart.errors import JournalUnreadable, NotMeasured
from blackstart.journals.failback import Homecoming
from blackstart.journals.failback import homecoming as find
from blackstart.observer import analysis
from blackstart.observer.samples import Samples
from blackstart.observer.waiting import Watched

LIMIT_SECONDS = 60.0
PAUSE_SECONDS = 1.0
WHAT = "the way home"


def homecoming(folder: Path, clock: Clock, limit_seconds: float = LIMIT_SECONDS) -> None:
    """Let users who had moved come home before watching ends, ``limit_seconds`` from now at most."""
    drill = Watched(folder, clock)
    with contextlib.suppress(NotMeasured, JournalUnreadable):
        wait(drill, drill.now() - drill.undo_at() + limit_seconds)


def wait(drill: Watched, limit_seconds: float) -> tuple[float, Homecoming, Samples]:
    """When the undo began, when home alone served users again, and what was watched; waits for it at most
    ``limit_seconds`` from the undo.

    NotMeasured when nothing has been undone, or users had not moved, so that there is no way back.
    """
    undo_at = drill.undo_at()
    for samples in drill.looks(PAUSE_SECONDS):
        if samples.complete_until < undo_at:
            continue
        _refuse_if_home(samples, undo_at)
        found = find(samples, undo_at)
        if found.edge or samples.header.ended is not None or drill.now() >= undo_at + limit_seconds:
            return undo_at, found, samples
    raise NotMeasured(WHAT, "watching has ended")


def _refuse_if_home(samples: Samples, undo_at: float) -> None:
    """Users are on a way home only if another region served them until the undo."""
    serving = analysis.serving_region(samples, undo_at - samples.header.recovery_window_seconds, undo_at)
    if not serving:
        raise NotMeasured(WHAT, "nobody is known to have served users before the undo")
    if serving == samples.header.home_region:
        raise NotMeasured(WHAT, f"users were served by {serving} all along")

"""Whether the drill of a journal is over, runs, or has gone silent: from the files alone, so for any journal.

A drill that has ended, or that the reverter has closed, has an ``exit_code`` in ``verdict.json``. As long as it runs,
its observer writes several times a second.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from blackstart.clock import Clock
from blackstart.journals import folder as folders
from blackstart.journals.folder import Drill

QUIET_SECONDS = 10.0
AHEAD_SECONDS = 60.0
SAME_MACHINE_SECONDS = 5.0


class Stage(StrEnum):
    """What the drill of a journal is doing."""

    RUNNING = "running"
    SILENT = "silent"
    OVER = "over"


@dataclass(frozen=True)
class Standing:
    """``quiet_seconds``: since anything was written. ``verdict``: what is in verdict.json, {} if that is no object."""

    stage: Stage
    quiet_seconds: float
    verdict: Mapping[str, Any]


def standing(folder: Path, clock: Clock) -> Standing:
    """How the drill of ``folder`` stands now; a journal without a readable verdict is not over."""
    verdict = _verdict(folder)
    quiet = clock.now().timestamp() - _written(folder)
    if isinstance(verdict.get("exit_code"), int):
        return Standing(Stage.OVER, quiet, verdict)
    running = -AHEAD_SECONDS < quiet < QUIET_SECONDS
    return Standing(Stage.RUNNING if running else Stage.SILENT, quiet, verdict)


def moment(drill: Drill, now: Standing, clock: Clock) -> float:
    """The monotonic time at which to look at a drill: now, or for one that is silent, when it last wrote.

    Of a drill on another machine, or before this one was started anew, the wall clocks tell it.
    """
    since = (clock.now() - drill.started).total_seconds()
    if now.stage is not Stage.RUNNING:
        return drill.origin_monotonic + since - max(now.quiet_seconds, 0.0)
    here = clock.monotonic()
    same = abs(here - drill.origin_monotonic - since) < SAME_MACHINE_SECONDS
    return here if same else drill.origin_monotonic + since


def _verdict(folder: Path) -> Mapping[str, Any]:
    try:
        data = json.loads((folder / folders.VERDICT).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _written(folder: Path) -> float:
    """When the newest file of ``folder`` was written, as seconds of the wall clock; 0 if that cannot be known."""
    newest = 0.0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                newest = max(newest, entry.stat(follow_symlinks=False).st_mtime)
    except OSError:
        pass  # replaced at this very moment; the next look sees it
    return newest

"""Undo by hand what a drill left behind whose process, or whose reverter too, is gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from blackstart.changes.log import Drill, UndoLog
from blackstart.changes.owner import gone
from blackstart.changes.reach import Reach
from blackstart.changes.undo import PATIENCE_SECONDS, UndoReport, undo
from blackstart.errors import ConfigInvalid


@dataclass(frozen=True)
class Recovery:
    """``reports``: what was undone, by drill. ``left_alone``: drill → why it was not touched."""

    reports: tuple[UndoReport, ...]
    left_alone: dict[str, str]


def recover(
    log: UndoLog,
    reach_of: Callable[[Drill], Reach],
    drill: str | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Recovery:
    """Undo every drill whose process is gone, or the one that is named, whoever owns it.

    ``reach_of`` gives each drill its reach (its journal is its own). A drill of another machine is left alone unless
    it is named, because whether it still runs cannot be known from here. ConfigInvalid if the log does not have it.
    """
    reports, left_alone = [], {}
    for found in _chosen(log, drill):
        reason = None if drill else _why_not(found)
        if reason:
            left_alone[found.id] = reason
            continue
        reports.append(undo(found.id, reach_of(found), patience_seconds=patience_seconds))
    return Recovery(tuple(reports), left_alone)


def _chosen(log: UndoLog, drill: str | None) -> list[Drill]:
    if drill is None:
        return log.drills()
    found = log.find(drill)
    if found is None:
        raise ConfigInvalid(log.url, drill, "the undo log knows no such drill")
    return [found]


def _why_not(drill: Drill) -> str | None:
    dead = gone(drill.owner)
    if dead is None:
        return f"it belongs to the machine {drill.owner.host}; name it to undo it from here"
    return None if dead else f"its process {drill.owner.pid} is running; name it to undo it all the same"

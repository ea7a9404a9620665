"""What `blackstart status`, `recover` and the reverter's process do: the undo, and the journal's end with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from blackstart import settings
from blackstart.changes import owner, recover, reverter
from blackstart.changes.log import Drill, UndoLog
from blackstart.changes.logs import open_log
from blackstart.changes.reach import open_reach
from blackstart.clock import Clock, SystemClock
from blackstart.errors import BlackstartError, ConfigInvalid
from blackstart.journals import close, folder
from blackstart.observer import samples
from blackstart.reports import html

LAST_LOOK_SECONDS = 30.0


def log_url(environ: Mapping[str, str] = os.environ) -> str:
    """The undo log in force; without a configuration, this user's."""
    try:
        return settings.current(environ).undo_log
    except ConfigInvalid:
        if settings.CONFIG_VARIABLE in environ:
            raise
        return ""


def put_back(drill: str = "", clock: Clock | None = None) -> recover.Recovery:
    """Undo the drills whose process is gone, or the one that is named, and close their journals."""
    clock = clock or SystemClock()
    log = open_log(log_url())
    try:
        done = recover.recover(
            log, lambda found: open_reach(log, _folder(found.folder), "recover", clock), drill or None
        )
        for report in done.reports:
            found = log.find(report.drill)
            if found and found.folder:
                conclude(Path(found.folder))
        return done
    finally:
        log.close()


def revert(log: str, drill: str, journal: Path, pipe: int, ready: int) -> None:
    """The reverter's process, from its first line to its last."""
    clock = SystemClock()
    opened = open_log(log)
    reach = open_reach(opened, journal, "reverter", clock)
    reverter.run(drill, reach, pipe, ready, _on_done(journal, clock))
    opened.close()


def _on_done(journal: Path, clock: Clock) -> Callable[[reverter.Ending], None]:
    def done(ending: reverter.Ending) -> None:
        if ending is reverter.Ending.RELEASED:
            return
        conclude(journal)
        _wait_for_observer(journal, clock)
        conclude(journal)

    return done


def _wait_for_observer(journal: Path, clock: Clock) -> None:
    """The observer of a drill that is gone watches users a little longer; its last samples belong in the report."""
    deadline = clock.monotonic() + LAST_LOOK_SECONDS
    while clock.monotonic() < deadline:
        try:
            if samples.read(journal).header.ended is not None:
                return
        except BlackstartError:
            return
        clock.sleep(0.5)


def conclude(journal: Path) -> None:
    """Judge and report what is on disk; a journal that cannot be read any more does not stop a recovery."""
    try:
        verdict = folder.read(journal).verdict
        cut_off = verdict is None or bool(verdict.get("cut_off", True))
        close.close(journal, cut_off=cut_off)
        html.render(journal)
    except BlackstartError:
        return


def open_drills(clock: Clock | None = None) -> list[dict[str, Any]]:
    """Drills with open changes: ``drill``, ``title``, ``started``, ``host``, ``pid``, ``running`` (None: cannot be
    known from here), ``changes`` (id, state, summary, note) and ``folder``."""
    log = open_log(log_url())
    try:
        return [_told(log, drill) for drill in log.drills()]
    finally:
        log.close()


def _told(log: UndoLog, drill: Drill) -> dict[str, Any]:
    dead = owner.gone(drill.owner)
    return {
        "drill": drill.id,
        "title": drill.title,
        "started": drill.started,
        "host": drill.owner.host,
        "pid": drill.owner.pid,
        "running": None if dead is None else not dead,
        "folder": drill.folder,
        "changes": [
            {"id": entry.change.id, "state": entry.state, "summary": entry.change.summary, "note": entry.note}
            for entry in log.entries(drill.id)
            if entry.open
        ],
    }


def describe_open(drills: list[dict[str, Any]]) -> str:
    """``open_drills`` for people."""
    if not drills:
        return "no drill has changes in place"
    lines = []
    for drill in drills:
        alive = {True: "running", False: "its process is gone", None: f"on {drill['host']}"}[drill["running"]]
        lines.append(f"{drill['drill']}: {drill['title']} ({alive}, started {drill['started']})")
        lines += [f"  {change['state']}: {change['summary']}" for change in drill["changes"]]
    if any(drill["running"] is False for drill in drills):
        lines.append("put it back with: blackstart recover")
    return "\n".join(lines)


def describe(done: recover.Recovery) -> str:
    """``put_back`` for people."""
    lines = []
    for report in done.reports:
        lines.append(f"{report.drill}: {len(report.verified)} changes read back as before the drill")
        lines += [f"  conflict, left alone: {change}: {why}" for change, why in report.conflicts.items()]
        lines += [f"  not put back yet: {change}: {why}" for change, why in report.remaining.items()]
    lines += [f"{drill}: left alone: {why}" for drill, why in done.left_alone.items()]
    return "\n".join(lines) or "nothing to put back"


def as_json(done: recover.Recovery) -> dict[str, Any]:
    """``put_back`` for machines."""
    reports = [
        {
            "drill": report.drill,
            "verified": list(report.verified),
            "restored": list(report.restored),
            "conflicts": dict(report.conflicts),
            "remaining": dict(report.remaining),
            "log_problem": report.log_problem,
        }
        for report in done.reports
    ]
    return {"reports": reports, "left_alone": done.left_alone}


def _folder(journal: str) -> Path | None:
    return Path(journal) if journal and Path(journal).is_dir() else None

"""What `blackstart status` tells."""

from dataclasses import replace

from blackstart import status
from blackstart.changes.log import Drill, Fault, Mark
from blackstart.changes.model import Change, State
from blackstart.changes.owner import here
from blackstart.changes.sqlite_log import SqliteLog
from blackstart.scope import Target

CHANGE = Change("bs-1", "test.file", Target("file", "a"), {}, {}, "file a: old → new", "writing")
DRILL = Drill("drill-1", "a wait", here(), "2026-01-01T00:00:00Z", "")


def told(log) -> str:
    return status.describe(status.read(log.url))


def test_a_drill_that_runs_is_shown_without_changes_too(tmp_path):
    log = SqliteLog(tmp_path / "undo.sqlite")
    log.begin(DRILL)
    assert told(log) == "drill-1: a wait (running, started 2026-01-01T00:00:00Z)\n  nothing is in place"
    log.close()


def test_a_request_to_stop_and_who_looks_after_the_drill_are_shown(tmp_path):
    log = SqliteLog(tmp_path / "undo.sqlite")
    log.append(replace(DRILL, owner=replace(here(), created=-1)), Fault("writing", 0.0), [CHANGE])
    log.take("drill-1", replace(here(), host="ops-2", pid=7), log.lease("drill-1"))
    log.stop("drill-1", "alice said so")
    assert told(log).splitlines() == [
        "drill-1: a wait (its process is gone, started 2026-01-01T00:00:00Z)",
        "  told to stop: alice said so",
        "  looked after by process 7 on ops-2",
        "  planned: file a: old → new",
        "put it back with: blackstart recover",
    ]
    log.close()


def test_a_conflict_is_shown_with_the_ways_out(tmp_path):
    log = SqliteLog(tmp_path / "undo.sqlite")
    log.append(replace(DRILL, owner=replace(here(), host="ops-2")), Fault("writing", 0.0), [CHANGE])
    log.mark("drill-1", {"bs-1": Mark(State.CONFLICT, "file a was changed by somebody else")})
    assert told(log).splitlines()[1:] == [
        "  conflict: file a: old → new",
        "    file a was changed by somebody else",
        "    settle it with `blackstart recover --force bs-1`, or --accept",
    ]
    log.close()


def test_the_kill_switch_is_shown_first(tmp_path):
    log = SqliteLog(tmp_path / "undo.sqlite")
    block = status.block(log.url, "release day", "alice on ops-1")
    assert told(log).splitlines() == [
        f"blocked by alice on ops-1 at {block.since}: release day",
        "let drills begin again with: blackstart unblock",
        "no drill runs, and none has changes in place",
    ]
    assert (status.unblock(log.url), status.unblock(log.url)) == (True, False)
    log.close()

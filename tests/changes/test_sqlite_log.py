import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest

from blackstart.changes.log import Drill, Fault, Mark
from blackstart.changes.logs import default_url, open_log
from blackstart.changes.model import Change, Share, State, new_id
from blackstart.changes.owner import here
from blackstart.changes.sqlite_log import SqliteLog
from blackstart.errors import ConfigInvalid, Refused, UndoLogGone, UndoLogUnusable
from blackstart.scope import Target

FAULT = Fault("failing zone us-east-1a", 1000.0, 1060.0)


def drill(name="drill-1"):
    return Drill(name, "Lose a zone", here(), "2026-11-23T14:04:41.000Z", "/journals/1")


def change(subnet="subnet-1"):
    target = Target("subnet", subnet, account="123456789012", region="us-east-1", zone="us-east-1a", tags={"a": "b"})
    share = Share("zone", "us-east-1", ("us-east-1a",), 3)
    return Change(new_id(), "ec2.subnet_acl", target, {"acl": "é"}, {"acl": "x"}, "s", "u", ("c",), 1, share)


@pytest.fixture
def log(tmp_path):
    made = SqliteLog(tmp_path / "state" / "undo.sqlite")
    yield made
    made.close()


def test_what_is_appended_is_there_whole_for_another_process(log):
    first, second = change("subnet-1"), change("subnet-2")
    assert log.append(drill(), FAULT, [first, second]) == 1
    other = SqliteLog(log.path)
    entries = other.entries("drill-1")
    assert [entry.change for entry in entries] == [first, second]
    assert entries[0].fault == FAULT
    assert [entry.state for entry in entries] == [State.PLANNED, State.PLANNED]
    assert other.find("drill-1") == drill()
    other.close()


def test_every_commit_is_flushed_to_the_disk(log):
    assert log._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert log._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_faults_of_a_drill_are_numbered(log):
    assert log.append(drill(), FAULT, [change("a")]) == 1
    assert log.append(drill(), replace(FAULT, ends=None), [change("b")]) == 2
    assert [(entry.number, entry.fault.ends) for entry in log.entries("drill-1")] == [(1, 1060.0), (2, None)]


def test_marks_are_kept_and_a_verified_drill_is_no_longer_listed(log):
    done = change()
    log.append(drill(), FAULT, [done])
    assert [found.id for found in log.drills()] == ["drill-1"]
    log.mark({done.id: Mark(State.CONFLICT, "somebody changed it")})
    (entry,) = log.entries("drill-1")
    assert (entry.state, entry.note, entry.open) == (State.CONFLICT, "somebody changed it", True)
    log.mark({done.id: Mark(State.VERIFIED)})
    assert log.drills() == []
    assert not log.entries("drill-1")[0].open


def test_two_drills_never_hold_the_same_target(log):
    mine = change("subnet-1")
    log.append(drill("drill-1"), FAULT, [mine])
    other = SqliteLog(log.path)
    with pytest.raises(Refused, match=r"not failing zone us-east-1a: subnet subnet-1 is held by drill drill-1"):
        other.append(drill("drill-2"), FAULT, [change("subnet-2"), change("subnet-1")])
    assert other.entries("drill-2") == []
    log.mark({mine.id: Mark(State.VERIFIED)})
    assert other.append(drill("drill-2"), FAULT, [change("subnet-1")]) == 1
    other.close()


def test_a_target_in_conflict_stays_held(log):
    mine = change()
    log.append(drill("drill-1"), FAULT, [mine])
    log.mark({mine.id: Mark(State.CONFLICT)})
    with pytest.raises(Refused):
        log.append(drill("drill-2"), FAULT, [change()])


def test_one_drill_may_change_a_target_twice(log):
    log.append(drill(), FAULT, [change()])
    assert log.append(drill(), FAULT, [change()]) == 2


def test_an_append_that_is_killed_leaves_all_or_nothing(log):
    script = (
        "import os, sys; from pathlib import Path\n"
        "from blackstart.changes.sqlite_log import SqliteLog\n"
        "log = SqliteLog(Path(sys.argv[1])); log._db.execute('BEGIN IMMEDIATE')\n"
        "log._db.execute(\"INSERT INTO drills VALUES ('half', '', '{}', '', '')\"); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(log.path)], check=False).returncode == -9
    assert log.find("half") is None
    assert log.append(drill(), FAULT, [change()]) == 1


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UndoLogUnusable, match=r"cannot be used .* nothing was changed"):
        SqliteLog(tmp_path / "file" / "undo.sqlite")


def test_a_corrupted_log_is_one_sentence(tmp_path):
    path = tmp_path / "undo.sqlite"
    path.write_bytes(b"this is no database at all, by any means" * 100)
    with pytest.raises(UndoLogUnusable, match="not a database"):
        SqliteLog(path)


def test_a_log_of_another_format_is_left_alone(tmp_path):
    path = tmp_path / "undo.sqlite"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 7")
    db.close()
    with pytest.raises(UndoLogUnusable, match="format 7"):
        SqliteLog(path)


def test_a_record_that_is_none_is_one_sentence(log):
    log.append(drill(), FAULT, [change()])
    log._db.execute("UPDATE changes SET record = '{}'")
    with pytest.raises(UndoLogUnusable, match="not a record"):
        log.entries("drill-1")


def test_a_log_that_was_deleted_says_so_and_takes_nothing(log):
    log.path.unlink()
    with pytest.raises(UndoLogGone, match="has been deleted"):
        log.append(drill(), FAULT, [change()])
    with pytest.raises(UndoLogGone):
        log.entries("drill-1")


def test_a_closed_log_says_so(log):
    log.close()
    with pytest.raises(UndoLogUnusable):
        log.drills()


def test_a_url_names_the_log(tmp_path):
    log = open_log(f"sqlite://{tmp_path}/undo.sqlite")
    assert log.url == f"sqlite://{tmp_path}/undo.sqlite"
    log.close()
    assert default_url().startswith("sqlite:///")


@pytest.mark.parametrize("url", ["dynamodb://table", "sqlite://relative/path", "/plain/path"])
def test_a_url_of_no_log_is_refused(url):
    with pytest.raises(ConfigInvalid, match="not the URL of an undo log"):
        open_log(url)

"""What may become of a file: the log says so in a sentence, and loses nothing."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from logbook import FAULT, SHARED, change, drill, noise

from blackstart.changes.log import Mark
from blackstart.changes.model import State
from blackstart.changes.sqlite_log import SqliteLog
from blackstart.errors import UndoLogGone, UndoLogUnusable

SENTENCE = r"the undo log sqlite:///.*undo.sqlite cannot be used \(.*\), so nothing was changed"
NOBODY = 65534


@pytest.fixture
def log(tmp_path):
    made = SqliteLog(tmp_path / "state" / "undo.sqlite")
    yield made
    made.close()


@pytest.fixture
def told(tmp_path):
    """Runs code in a process of its own, with a log; what it prints. ``meek``: not as root, who may do everything."""

    def told(code, path, meek=False):
        code = (
            "import sys; from pathlib import Path; from logbook import *\n"
            "from blackstart.changes.log import Mark; from blackstart.changes.model import State\n"
            f"def log(): return SqliteLog(Path({str(path)!r}))\n"
            "def tell(work):\n    try: print(work())\n    except BlackstartError as error: print(error)\n"
            "here()  # whatever it imports is out of reach for the meek\n"
            f"if {meek} and os.geteuid() == 0: os.setuid({NOBODY})\n{code}"
        )
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert done.stderr == ""
        return done.stdout.splitlines()

    return told


def test_every_commit_is_flushed_to_the_disk(log):
    assert log._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert log._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_many_that_come_at_once_make_one_log(tmp_path):
    path = tmp_path / "state" / "undo.sqlite"

    def attempt(number):
        with closing(SqliteLog(path)) as log:
            return log.append(drill(f"drill-{number}"), SHARED, [change(str(number))])

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(attempt, range(12))) == [1] * 12
    with closing(SqliteLog(path)) as log:
        assert len(log.drills()) == 12
    assert [found.name for found in path.parent.iterdir()] == ["undo.sqlite"]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UndoLogUnusable, match=SENTENCE):
        SqliteLog(tmp_path / "file" / "undo.sqlite")


def test_a_name_with_odd_characters_is_a_name(tmp_path):
    path = tmp_path / "100% ?#é" / "undo.sqlite"
    with closing(SqliteLog(path)) as log:
        log.append(drill(), FAULT, [change()])
    assert path.exists()


@pytest.mark.parametrize("start", [0, 100, 4096])
def test_a_corrupted_log_is_one_sentence(log, start):
    log.append(drill(), FAULT, [change()])
    log.close()
    rubbish = b"this is no database at all, by any means"
    whole = log.path.read_bytes()
    log.path.write_bytes(whole[:start] + rubbish * (len(whole) // len(rubbish)))
    with pytest.raises(UndoLogUnusable, match=rf"(?s){SENTENCE}"), closing(SqliteLog(log.path)) as found:
        found.entries("drill-1")


def test_a_log_cut_off_anywhere_is_one_sentence(log):
    log.append(drill(), FAULT, [change(before={"acl": noise(30_000)})])
    log.close()
    whole = log.path.read_bytes()
    for size in (0, 1, 100, 4095, 4096, 5000, 3 * 4096, len(whole) - 4096, len(whole) - 1):
        log.path.write_bytes(whole[:size])
        with pytest.raises(UndoLogUnusable, match=SENTENCE), closing(SqliteLog(log.path)) as found:
            found.append(drill("drill-2"), FAULT, [change("subnet-2")])
        assert log.path.read_bytes() == whole[:size]
    log.path.write_bytes(whole)
    with closing(SqliteLog(log.path)) as found:
        assert len(found.entries("drill-1")) == 1


@pytest.mark.parametrize(
    ("made_by", "sentence"),
    [
        (
            "PRAGMA user_version = 1",
            "it has format 1, and this Blackstart reads format 2; run `blackstart recover`",
        ),
        ("CREATE TABLE shop (id)", "it is no undo log, or has been truncated; .* move it out of the way"),
    ],
)
def test_a_file_that_something_else_wrote_is_left_alone(tmp_path, made_by, sentence):
    path = tmp_path / "undo.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute(made_by)
        db.commit()
    before = path.read_bytes()
    with pytest.raises(UndoLogUnusable, match=sentence):
        SqliteLog(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "garble",
    [
        "UPDATE changes SET record = '{}'",
        "UPDATE changes SET record = 'half a rec'",
        "UPDATE changes SET record = '[1, 2]'",
        "UPDATE changes SET record = x'ff00'",
        "UPDATE changes SET state = 'doing well'",
    ],
)
def test_a_change_that_is_no_record_is_one_sentence_and_keeps_others_out(log, garble):
    log.append(drill(), FAULT, [change()])
    log._db.execute(garble)
    with pytest.raises(UndoLogUnusable, match="not a record"):
        log.entries("drill-1")
    with pytest.raises(UndoLogUnusable, match="not a record"):
        log.append(drill("drill-2"), FAULT, [change("subnet-2")])
    assert log.entries("drill-2") == []


@pytest.mark.parametrize("owner", ["{}", "nobody", "17", "[]"])
def test_a_drill_that_is_no_record_is_one_sentence(log, owner):
    log.append(drill(), FAULT, [change()])
    log._db.execute("UPDATE drills SET owner = ?, holder = ?", (owner, owner))
    for ask in (log.drills, lambda: log.find("drill-1"), lambda: log.lease("drill-1")):
        with pytest.raises(UndoLogUnusable, match="not a record"):
            ask()
    assert len(log.entries("drill-1")) == 1


def test_a_log_that_was_deleted_says_so_and_takes_nothing(log):
    log.path.unlink()
    for ask in (lambda: log.append(drill(), FAULT, [change()]), lambda: log.entries("drill-1"), log.blocked):
        with pytest.raises(UndoLogGone, match="has been deleted"):
            ask()
    assert not log.path.exists()


def test_a_log_that_was_deleted_and_made_anew_by_another_process_says_so(log):
    log.append(drill(), FAULT, [change()])
    for name in log.path.parent.iterdir():
        name.unlink()
    with closing(SqliteLog(log.path)) as anew:
        with pytest.raises(UndoLogGone, match="another one is in its place"):
            log.append(drill(), FAULT, [change()])
        assert anew.drills() == []


def test_a_closed_log_says_so(log):
    log.close()
    with pytest.raises(UndoLogUnusable):
        log.drills()


def test_a_log_that_is_busy_for_too_long_is_one_sentence(log, monkeypatch):
    monkeypatch.setattr("blackstart.changes.sqlite_file.BUSY_SECONDS", 0.1)
    with closing(SqliteLog(log.path)) as other:
        log._db.execute("BEGIN IMMEDIATE")
        with pytest.raises(UndoLogUnusable, match="locked"):
            other.append(drill(), FAULT, [change()])
        log._db.execute("ROLLBACK")
        assert other.append(drill(), FAULT, [change()]) == 1


def test_a_full_disk_takes_nothing_and_loses_nothing(log):
    done = change()
    log.append(drill(), FAULT, [done])
    (pages,) = log._db.execute("PRAGMA page_count").fetchone()
    log._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(UndoLogUnusable, match="full"):
        log.append(drill(), FAULT, [change(f"subnet-{number}") for number in range(100)])
    log.mark("drill-1", {done.id: Mark(State.APPLIED)})
    assert [entry.state for entry in log.entries("drill-1")] == [State.APPLIED]
    log._db.execute("PRAGMA max_page_count = 1000000")
    assert log.append(drill(), FAULT, [change("subnet-2")]) == 2


def test_a_limit_on_the_size_of_files_takes_nothing_and_loses_nothing(log, told):
    log.append(drill(), FAULT, [change()])
    log.close()
    lines = told(
        "import resource; found = log()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))\n"
        "tell(lambda: found.append(drill('big'), SHARED, [change('x', 'eu-west-1', before={'acl': noise(400_000)})]))\n"
        "tell(lambda: found.append(drill('small'), SHARED, [change('y', 'eu-west-1')]))\n"
        "tell(lambda: [each.id for each in found.drills()])",
        log.path,
    )
    assert "cannot be used (" in lines[0]
    assert lines[1:] == ["1", "['drill-1', 'small']"]
    with closing(SqliteLog(log.path)) as found:
        assert [each.id for each in found.drills()] == ["drill-1", "small"]


def test_a_limit_that_leaves_no_room_for_a_log_makes_none(tmp_path, told):
    path = tmp_path / "undo.sqlite"
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
    (line,) = told(f"{limit}tell(log)", path)
    assert "cannot be used (" in line
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def open_to_all():
    """A folder in which even a meek process can make a log."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


@pytest.mark.parametrize(("file", "folder"), [(0o444, 0o777), (0o666, 0o555), (0o444, 0o555), (0o000, 0o777)])
def test_a_log_that_may_not_be_written_takes_nothing(open_to_all, told, file, folder):
    path = open_to_all / "undo.sqlite"
    with closing(SqliteLog(path)) as log:
        log.append(drill(), FAULT, [change()])
    before = path.read_bytes()
    path.chmod(file)
    open_to_all.chmod(folder)
    (line,) = told("tell(lambda: log().append(drill(), FAULT, [change('subnet-2')]))", path, meek=True)
    open_to_all.chmod(0o777)
    assert "cannot be used (" in line
    assert path.read_bytes() == before


def test_a_folder_that_may_not_be_written_gets_no_log(open_to_all, told):
    open_to_all.chmod(0o555)
    (line,) = told("tell(log)", open_to_all / "undo.sqlite", meek=True)
    assert "Permission denied" in line
    assert list(open_to_all.iterdir()) == []

"""The index of journals: incremental, never in the way, and never a reason to trust what cannot be read."""

import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parent))
from history_rows import journal, row
from planted import SMALL, plant

from blackstart.errors import JournalUnreadable
from blackstart.journals import close, index, index_store


def counted(root: Path) -> tuple[tuple[index.Row, ...], int]:
    """The rows, and how many journals were read again for them."""
    again: list[int] = []
    rows = index.read(root, lambda done, of: again.append(of))
    return rows, len(again)


def test_a_real_journal_is_a_row_at_its_start_and_when_it_is_closed(tmp_path: Path) -> None:
    folder = plant(tmp_path, SMALL)
    (row,) = index.read(tmp_path)
    assert (row.verdict, row.cut_off, row.closed, row.problem) == ("inconclusive", True, False, "")
    measured, verdict = close.close(folder)
    (row,) = index.read(tmp_path)
    assert (row.verdict, row.reason, row.closed) == (verdict.word, verdict.reason, True)
    assert (row.experiment, row.service, row.started) == ("region-loss", "orders", measured.drill.started)
    assert row.lost_writes == 3
    assert row.objectives["rto_seconds"]["target"] == 15
    assert row.leftovers == 0


def test_only_what_changed_is_read_again(tmp_path: Path) -> None:
    folders = [journal(tmp_path, number) for number in range(5)]
    assert counted(tmp_path)[1] == 5
    rows, again = counted(tmp_path)
    assert (len(rows), again) == (5, 0)
    told = json.loads((folders[2] / "verdict.json").read_text())
    (folders[2] / "verdict.json").write_text(json.dumps({**told, "verdict": "failed"}))
    rows, again = counted(tmp_path)
    assert again == 1
    assert [row.verdict for row in rows] == ["passed", "passed", "failed", "passed", "passed"]


def test_a_file_replaced_by_one_as_long_and_as_old_is_read_again(tmp_path: Path) -> None:
    file = journal(tmp_path) / "verdict.json"
    index.read(tmp_path)
    before = file.stat()
    beside = file.with_name("new")
    beside.write_text(file.read_text().replace("passed", "FAILED"))
    os.utime(beside, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(beside, file)
    (row,) = index.read(tmp_path)
    assert row.verdict == ""
    assert "none of passed, failed, inconclusive" in row.problem


def test_a_journal_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    kept, gone = journal(tmp_path, 0), journal(tmp_path, 1)
    index.read(tmp_path)
    for file in gone.iterdir():
        file.unlink()
    gone.rmdir()
    assert [tmp_path / row.folder for row in index.read(tmp_path)] == [kept]
    assert len(index_store.load(tmp_path)) == 1


def test_rows_from_the_index_are_those_from_the_files(tmp_path: Path) -> None:
    plant(tmp_path, SMALL)
    journal(tmp_path, rto_seconds="soon")
    assert index.read(tmp_path) == index.read(tmp_path)


@pytest.mark.parametrize("garbage", [b"", b"no database", b"SQLite format 3\0" + b"x" * 5000])
def test_a_broken_index_is_made_anew(tmp_path: Path, garbage: bytes) -> None:
    journal(tmp_path)
    (tmp_path / index_store.NAME).write_bytes(garbage)
    assert len(index.read(tmp_path)) == 1
    assert counted(tmp_path)[1] == 0


def test_rows_that_were_tampered_with_in_the_index_are_read_again(tmp_path: Path) -> None:
    journal(tmp_path)
    index.read(tmp_path)
    with closing(sqlite3.connect(tmp_path / index_store.NAME)) as database, database:
        database.execute("UPDATE journals SET row = '{\"folder\": 1}'")
    rows, again = counted(tmp_path)
    assert (rows[0].verdict, again) == ("passed", 1)


def test_an_index_of_another_version_is_made_anew(tmp_path: Path) -> None:
    journal(tmp_path)
    index.read(tmp_path)
    with closing(sqlite3.connect(tmp_path / index_store.NAME)) as database, database:
        database.execute("PRAGMA user_version = 99")
    assert counted(tmp_path)[1] == 1
    assert counted(tmp_path)[1] == 0


def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    journal(tmp_path)
    with closing(sqlite3.connect(tmp_path / index_store.NAME)) as database, database:
        database.execute("CREATE TABLE theirs (x)")
    assert len(index.read(tmp_path)) == 1
    with closing(sqlite3.connect(tmp_path / index_store.NAME)) as database, database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]


def test_where_nothing_can_be_written_rows_are_made_all_the_same(tmp_path: Path) -> None:
    journal(tmp_path)
    (tmp_path / index_store.NAME).mkdir()
    assert len(index.read(tmp_path)) == 1
    assert len(index.read(tmp_path)) == 1


def test_no_index_is_left_where_there_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    assert index.read(tmp_path) == ()
    assert not (tmp_path / index_store.NAME).exists()
    with pytest.raises(JournalUnreadable, match="the folder: cannot be read"):
        index.read(tmp_path / "missing")


def test_an_index_that_somebody_holds_does_not_stop_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_store, "PATIENCE_SECONDS", 0.05)
    journal(tmp_path, 0)
    index.read(tmp_path)
    journal(tmp_path, 1)
    holder = sqlite3.connect(tmp_path / index_store.NAME, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    assert len(index.read(tmp_path)) == 2
    holder.close()
    assert len(index.read(tmp_path)) == 2
    assert counted(tmp_path)[1] == 0


def test_many_writers_at_once_leave_a_whole_index(tmp_path: Path) -> None:
    for number in range(40):
        journal(tmp_path, number)
    found: list[int] = []
    readers = [threading.Thread(target=lambda: found.append(len(index.read(tmp_path)))) for _ in range(6)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert found == [40] * 6
    with closing(sqlite3.connect(tmp_path / index_store.NAME)) as database, database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert counted(tmp_path)[1] == 0


def test_a_writer_that_is_killed_half_way_leaves_an_index_that_works(tmp_path: Path) -> None:
    journal(tmp_path)
    index.read(tmp_path)
    program = (
        "import os, sqlite3, sys; d = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "d.execute('PRAGMA cache_size = 1'); d.execute('BEGIN IMMEDIATE');"
        "[d.execute('INSERT INTO journals VALUES (?, ?, ?)', (str(n), 'x', 'y' * 4000)) for n in range(200)];"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / index_store.NAME)], check=False)
    assert len(index.read(tmp_path)) == 1
    assert len(index_store.load(tmp_path)) <= 1


def test_one_experiments_folder_will_do_and_hidden_ones_are_passed_over(tmp_path: Path) -> None:
    journal(tmp_path)
    (tmp_path / "zone-loss" / ".trash" / "x").mkdir(parents=True)
    assert [row.experiment for row in index.read(tmp_path / "zone-loss")] == ["zone-loss"]


def test_a_folder_that_lost_its_files_is_shown_and_named(tmp_path: Path) -> None:
    (tmp_path / "zone-loss" / "20261123T140300Z").mkdir(parents=True)
    (row,) = index.read(tmp_path)
    assert row.folder == "zone-loss/20261123T140300Z"
    assert row.problem == "drill.json: no such file; verdict.json: no such file"


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"rto_seconds": "soon"}, "“rto_seconds” is not a number"),
        ({"rto_seconds": 1e400}, "“rto_seconds” is no finite number"),
        ({"rto_seconds": 10**400}, "“rto_seconds” is no finite number"),
        ({"lost_writes": 1.5}, "“lost_writes” is not a whole number"),
        ({"lost_writes": True}, "“lost_writes” is not a whole number"),
        ({"ended": "yesterday"}, "“ended” is not a time"),
        ({"objectives": []}, "“objectives” is not an object"),
        ({"objectives": {"x": {"measured": "a"}}}, "“measured” of objective “x” is not a number"),
        ({"objectives": {"x": {"met": "yes"}}}, "“met” of objective “x” is not true, false or null"),
        ({"verdict": "fine"}, "“verdict” is “fine”, none of passed, failed, inconclusive"),
        ({"format": 9}, "format 9, this version reads 1"),
        ({"cut_off": 1}, "“cut_off” is not true or false"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, changed: dict, problem: str) -> None:
    journal(tmp_path, **changed)
    (row,) = index.read(tmp_path)
    assert row.problem == f"verdict.json: {problem}"
    assert row.experiment == "zone-loss"


def test_nothing_of_a_journal_can_steer_a_terminal_or_fill_a_page(tmp_path: Path) -> None:
    journal(tmp_path, reason="\x1b[2J\u202egood\ud800 \x9b31m" + "x" * 10_000, title="ok")
    (row,) = index.read(tmp_path)
    assert "good" in row.reason
    assert not any(sign in row.reason for sign in "\x1b\u202e\ud800\x9b")
    assert len(row.reason) == 2000


def test_text_nested_too_deep_is_a_problem(tmp_path: Path) -> None:
    (journal(tmp_path) / "verdict.json").write_text("[" * 200_000)
    (row,) = index.read(tmp_path)
    assert "verdict.json: cannot be read" in row.problem


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_no_damage_is_a_traceback_and_none_goes_unnoticed_if_json_is_broken(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    folder = tmp_path / str(seed) / "zone-loss" / "20261123T140300Z"
    if not folder.exists():
        (journal(tmp_path / str(seed))).rename(folder)
    file = folder / chance.choice(("drill.json", "verdict.json"))
    content = bytearray(file.read_bytes())
    if chance.random() < 0.3:
        content = content[: chance.randrange(len(content))]
    for _ in range(chance.randrange(6) if content else 0):
        content[chance.randrange(len(content))] = chance.randrange(256)
    file.write_bytes(bytes(content))
    (row,) = index.read(tmp_path / str(seed))
    try:
        readable = isinstance(json.loads(bytes(content)), dict)
    except ValueError:
        readable = False
    assert readable or row.problem


def test_earlier_drills_are_those_of_the_same_experiment_service_and_environment(tmp_path: Path) -> None:
    older, newer = row(9), row(2)
    others = (row(5, experiment="pod-kill"), row(4, environment="lab"), row(3, service="ledger"), row(1))
    assert index.before((newer, *others, older), newer) == (older,)
    assert index.before((older,), index.Row("x")) == ()

"""This drill beside the last ones of the same experiment, which lie beside it on disk."""

import json
from datetime import timedelta

import pytest

from blackstart.journals import earlier
from blackstart.journals import folder as folders
from blackstart.journals.close import close
from blackstart.reports import compared


@pytest.fixture
def history(planted, tmp_path):
    """``history({"rto_seconds": 80.0}, …)``: earlier drills, oldest first, a day apart, as their two files tell; then
    the drill itself. Returns its page’s part about them."""

    def made(*changes, drill=None, **plan):
        folder = planted.plant(tmp_path, planted.SMALL, rate=20.0, **plan)
        measured, verdict = close(folder)
        for number, changed in enumerate(changes):
            started = measured.drill.started - timedelta(days=len(changes) - number)
            past = folder.parent / started.strftime("%Y%m%dT%H%M%SZ")
            past.mkdir()
            for name, more in ((folders.DRILL, drill or {}), (folders.VERDICT, changed)):
                told = json.loads((folder / name).read_text(encoding="utf-8"))
                told |= {"started": started.isoformat(), "drill": f"past-{number}", **more}
                (past / name).write_text(json.dumps(told), encoding="utf-8")
        return compared.view(measured, verdict, earlier.read(folder))

    return made


def rto(value):
    """The recovery time of an earlier drill; its objective told the same."""
    return {"rto_seconds": value, "rto_error_seconds": 0.05, "objectives": {"rto_seconds": {"target": 30.0}}}


def row(view, title):
    (found,) = [each for each in view.rows if each.title == title]
    return found


def test_the_first_drill_says_that_there_is_nothing_to_compare(history):
    assert "first drill of region-loss in lab" in history().sentence


@pytest.mark.parametrize(("past", "word"), [(6.0, "worse"), (10.3, "within noise"), (24.0, "better")])
def test_a_number_is_read_against_those_before_it(history, past, word):
    view = history(*[rto(past)] * 5)
    found = row(view, "Recovery time")
    assert found.word == word
    assert found.last.startswith(f"{past:.1f}"[:3])
    assert ("Recovery time" in view.sentence) == (word != "within noise")


def test_the_picture_shows_six_runs_and_the_objective(history):
    found = row(history(*map(rto, (10.0, 11.0, 12.0, 13.0, 12.0, 11.0, 10.0))), "Recovery time")
    assert found.runs.count(",") == 5
    assert found.spark.count("<circle") == 6
    assert "spark-goal" in found.spark


def test_drills_that_were_cut_off_or_changed_nothing_are_not_compared_with(history):
    view = history({**rto(6.0), "exit_code": None}, {**rto(6.0), "changes": 0})
    assert view.rows == ()
    assert "2\u00a0earlier drills of region-loss in lab never came to a fault or to an end" in view.sentence


def test_another_environment_is_another_story(history):
    assert history(rto(6.0), drill={"environment": "staging"}).rows == ()


def test_a_drill_without_a_fault_is_not_compared(history):
    view = history(rto(6.0), fault_at=None)
    assert view.rows == ()
    assert view.sentence.startswith("No fault was injected")


def test_what_changed_between_is_named(history):
    observing = {"rate": 10, "write_share": 0.38, "timeout_seconds": 2.0}
    drill = {"versions": {"blackstart": "0.0.9"}, "sha256": "aaaa" * 16, "observing": observing}
    lines = [(line.label, line.words) for line in history(rto(12.0), drill=drill).changed]
    assert ("Experiment file", "changed: sha-256 aaaaaaaaaaaa… → 9f2c9f2c9f2c…") in lines
    assert ("Versions", "blackstart 0.0.9 → 0.1.0") in lines
    assert ("Settings", "observing.rate 10 → 20.0") in lines


def test_only_neighbours_are_read_and_no_index_is_written(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL, rate=5.0)
    close(folder)
    (folder.parent / "20260101T000000Z").mkdir()
    (folder.parent / "notes").mkdir()
    assert earlier.read(folder) == earlier.Earlier()
    assert not list(tmp_path.rglob("*.sqlite*"))

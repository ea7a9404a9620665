"""Two writers at once fail a drill, whatever else it proves."""

import json

import pytest

from blackstart.journals import folder as folders
from blackstart.journals import numbers
from blackstart.journals.close import close
from blackstart.journals.verdict import Word, judge
from blackstart.observer import jsonl

SECOND = (25.0, 29.2)


def test_a_drill_that_meets_every_objective_fails_by_a_second_writer(drilled):
    assert judge(drilled(lost=0, databases=True)).word is Word.PASSED
    measured = drilled(lost=0, databases=True, second_writer=SECOND)
    verdict = judge(measured)
    counts = [sum(w.region == each for w in measured.writers.doubled[0].writes) for each in ("us-east-1", "us-west-2")]
    assert (verdict.word, verdict.exit_code) == (Word.FAILED, 1)
    assert verdict.reason.replace(numbers.NBSP, " ") == (
        f"Orders had two writers at once, in us-east-1 and us-west-2, for at least "
        f"{measured.writers.seconds:.2f} s; they acknowledged {counts[0]} and {counts[1]} writes meanwhile."
    )
    assert 3.9 < measured.writers.seconds <= 4.2
    assert min(counts) > 10


def test_the_verdict_file_names_the_writes_and_who_could_not_be_asked(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL, lost=0, databases=True, second_writer=SECOND)
    measured, _ = close(folder)
    told = json.loads((folder / folders.VERDICT).read_text())["split_brain"]
    assert told["seconds"] == pytest.approx(measured.writers.seconds)
    assert told["regions_asked"] == ["us-east-1", "us-west-2"]
    (found,) = told["found"]
    assert [write["key"] for write in found["writes"]] == [w.key for w in measured.writers.doubled[0].writes]
    assert {gap["region"] for gap in told["not_asked"]} == {"us-east-1"}


def test_a_database_that_never_answered_keeps_a_drill_from_passing(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL, lost=0)
    for at, before in ((0.3, ""), (44.0, "away")):
        line = {"at": at, "kind": "database", "region": "us-west-2", "state": "away", "before": before, "asked": at}
        jsonl.append(folder / folders.EVENTS, line)
    _, verdict = close(folder)
    assert verdict.word is Word.INCONCLUSIVE
    assert verdict.reason == (
        "The database in us-west-2 never answered, so nobody knows whether it took writes as well."
    )


def test_a_line_about_a_database_that_tells_nothing_is_damage(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL, lost=0)
    jsonl.append(folder / folders.EVENTS, {"at": 1.0, "kind": "database", "region": "us-west-2"})
    measured, _ = close(folder)
    assert measured.damaged == ("events.jsonl: 1 lines that are no events",)
    assert measured.writers.looked == ()

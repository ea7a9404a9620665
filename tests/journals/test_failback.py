"""The way home, from planted journals: what it is measured as, and why it may not be."""

import json

import pytest

from blackstart.journals import folder as folders
from blackstart.journals.assess import assess
from blackstart.journals.close import close
from blackstart.journals.objectives import Result
from blackstart.observer import jsonl

BACK = 3.0  # from the undo until the first request is served at home: 38 - 35


def test_the_way_home_takes_from_the_undo_until_home_alone_serves(drilled):
    found = drilled(databases=True).failback
    assert found.gap == ""
    assert found.seconds == pytest.approx(BACK, abs=0.1)
    assert 0 < found.error < 0.1
    assert (found.downtime, found.lost) == (0.0, ())
    assert [stint.region for stint in found.served] == ["us-west-2", "us-east-1"]
    assert found.writer_home == pytest.approx(2.8)


def test_an_outage_on_the_way_is_downtime(planted, tmp_path, monkeypatch):
    usual = planted._fate

    def outage(plan, chance, sample, stray):
        if 36 <= sample.intended < 37.5:
            return planted._failed(plan, sample, chance, 0.0)
        return usual(plan, chance, sample, stray)

    monkeypatch.setattr(planted, "_fate", outage)
    found = planted_measured(planted, tmp_path).failback
    assert found.downtime == pytest.approx(1.5, abs=0.1)
    assert found.seconds == pytest.approx(BACK, abs=0.1)
    assert [stint.region for stint in found.served] == ["us-west-2", "", "us-west-2", "us-east-1"]


def planted_measured(planted, tmp_path, **changed):
    return close(planted.plant(tmp_path, planted.SMALL, **changed))[0]


@pytest.mark.parametrize(
    ("changed", "because"),
    [
        ({"moves": False}, "users were served by us-east-1 all along"),
        ({"undo_at": None}, "nothing was undone"),
        ({"home_again_at": 99.0}, "us-west-2 still served users when watching ended"),
        ({"home_again_at": 42.0}, "us-east-1 had served users for only 3.0 s of the 5 s that it must last"),
        ({"nobody_for": 99.0, "partly_for": 99.0}, "users were not served again before the undo"),
    ],
)
def test_what_cannot_be_measured_says_why(drilled, changed, because):
    found = drilled(**changed).failback
    assert found.gap.startswith(because)
    assert (found.seconds, found.downtime, found.lost) == (None, None, None)


def test_only_writes_that_the_fault_cannot_have_lost_are_lost_on_the_way(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL, lost=3, checked=False)
    writes = [w for w in folders_ledger(folder) if w.outcome.name == "OK"]
    by_fault = {w.key for w in writes if w.at < 10.0} - {w.key for w in writes if w.at < 9.5}
    after = [w.key for w in writes if 24 < w.at < 33]
    everything = {w.key for w in writes} - by_fault
    planted._write_found(folder, 1, 34.0, everything)
    planted._write_found(folder, 2, 46.0, everything - set(after[-4:]))
    measured, verdict = close(folder)
    assert {each.write.key for each in measured.failback.lost} == set(after[-4:])
    assert len(measured.data.result.lost) == len(by_fault) + 4
    assert measured.data.loss.seconds < 5
    assert verdict.word == "failed"


def test_a_write_that_was_found_after_the_fault_and_is_gone_after_the_undo_was_lost_on_the_way(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL, lost=0, checked=False)
    writes = [w for w in folders_ledger(folder) if w.outcome.name == "OK"]
    old = next(w.key for w in writes if w.at > 5)
    planted._write_found(folder, 1, 34.0, {w.key for w in writes})
    planted._write_found(folder, 2, 46.0, {w.key for w in writes} - {old})
    assert [each.write.key for each in close(folder)[0].failback.lost] == [old]


def test_without_a_read_after_home_serves_nobody_knows_what_the_way_lost(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL, lost=0, checked=False)
    planted._write_found(folder, 1, 34.0, {w.key for w in folders_ledger(folder)})
    found = close(folder)[0].failback
    assert (found.lost, found.lost_gap) == (None, "the writes were not read back after users were home")


def folders_ledger(folder):
    from blackstart.observer import ledger

    return ledger.read(folder)


@pytest.mark.parametrize(("target", "changed", "result"), [
    (0.5, {}, Result.MET), (0.5, {"moves": False}, Result.INCONCLUSIVE),
])  # fmt: skip
def test_the_downtime_of_the_way_home_may_be_an_objective(drilled, target, changed, result):
    measured = drilled(objectives={"failback_downtime_seconds": target}, **changed)
    (found,) = [each for each in assess(measured) if each.key == "failback_downtime_seconds"]
    assert found.result is result
    assert (found.why != "") == (result is Result.INCONCLUSIVE)


def test_the_verdict_file_has_the_numbers_or_the_reason(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL, lost=0)
    close(folder)
    told = json.loads((folder / folders.VERDICT).read_text())["failback"]
    assert told["duration_seconds"] == pytest.approx(BACK, abs=0.1)
    assert (told["lost_writes"], told["why"]) == (0, "")
    assert [turn["region"] for turn in told["served_by"]] == ["us-west-2", "us-east-1"]
    for line in jsonl.read(folder / folders.EVENTS):
        assert line["kind"] != "database"
    other = planted.plant(tmp_path, planted.SMALL, moves=False)
    close(other)
    told = json.loads((other / folders.VERDICT).read_text())["failback"]
    assert (told["duration_seconds"], told["why"]) == (None, "users were served by us-east-1 all along")

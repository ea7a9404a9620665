"""What a verdict says of monitoring and of alerts, from planted journals."""

import json
import shutil
from datetime import timedelta

import pytest
from watched_by import Firing, keep, looks

from blackstart.journals.close import close
from blackstart.journals.measure import measure
from blackstart.journals.noticed import objective
from blackstart.journals.objectives import Result
from blackstart.reports import html, terminal

FAULT, END = 10.0, 45.0
SERVED = [1, 1, 0.6, 0.2, 0.5, 1, 1, 1, 1]
WHOLE = {"rto_seconds": 15, "time_to_detect_seconds": 10}


@pytest.fixture(scope="module")
def original(planted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("original")
    return planted.plant(folder, planted.SMALL, objectives={**planted.SMALL.objectives, **WHOLE})


@pytest.fixture
def journal(original, tmp_path):
    """Of a region loss: users are hurt from 10 s to 22 s; the objective is to notice it within 10 s."""
    return shutil.copytree(original, tmp_path / original.name)


def fired(folder, at=14, until=30):
    looks(folder, [(at, "firing", None), (until, "inactive", None)], END)


def decided(folder, **more):
    (found,) = objective(measure(folder, cut_off=more.pop("cut_off", False)))
    return found


def verdict(folder):
    close(folder)
    return json.loads((folder / "verdict.json").read_text())


def test_an_alert_that_fires_in_time_meets_the_objective(journal):
    fired(journal)
    keep(journal, SERVED)
    found = decided(journal)
    assert found.result is Result.MET
    assert (found.interval.low, round(found.interval.high, 2)) == (3.0, 4.01)  # between two looks
    alert = verdict(journal)["alerts"]["OrdersFailing"]
    assert alert["outcome"] == "fired"
    assert alert["fired_at_seconds"] == pytest.approx(alert["detected_seconds"] + FAULT)
    assert alert["resolved_seconds"] == pytest.approx(20, abs=0.1)


def test_the_services_own_time_is_believed_within_what_the_looks_prove(journal, planted):
    looks(journal, [(14, "firing", planted.STARTED + timedelta(seconds=13.3))], END)
    assert decided(journal).measured == pytest.approx(3.3)


def test_but_not_outside_of_it(journal, planted):
    looks(journal, [(14, "firing", planted.STARTED + timedelta(seconds=1))], END)
    assert decided(journal).measured == pytest.approx(3.5, abs=0.1)


@pytest.mark.parametrize(("at", "result"), [(19, Result.MET), (20, Result.INCONCLUSIVE), (22, Result.MISSED)])
def test_the_whole_interval_has_to_be_inside(journal, at, result):
    fired(journal, at)
    assert decided(journal).result is result


def test_an_alert_that_does_not_fire_misses_the_objective_and_fails_the_drill(journal):
    looks(journal, [], END)
    assert decided(journal).result is Result.MISSED
    said = verdict(journal)
    assert said["objectives"]["time_to_detect_seconds"]["met"] is False
    assert said["objectives"]["time_to_detect_seconds"]["why"] == "OrdersFailing did not fire"
    assert said["alerts"]["OrdersFailing"]["outcome"] == "silent"


def test_every_one_of_several_has_to_fire(journal):
    fired(journal)
    looks(journal, [], END, name="HighLatency")
    assert decided(journal).result is Result.MISSED


def test_a_silenced_alert_is_not_noticed(journal):
    looks(journal, [(14, "suppressed", None)], END)
    assert decided(journal).result is Result.MISSED
    assert verdict(journal)["alerts"]["OrdersFailing"]["outcome"] == "suppressed"


def test_a_drill_that_was_cut_off_proves_no_silence(journal):
    looks(journal, [], END)
    assert decided(journal, cut_off=True).result is Result.INCONCLUSIVE


@pytest.mark.parametrize(
    ("states", "why"),
    [
        ([(5, "unknown", None), (30, "inactive", None)], "could not be asked (it did not answer)"),
        ([(12, "unknown", None)], "could not be asked (it did not answer)"),
        ([(4, "firing", None)], "was firing before the fault"),
    ],
)
def test_what_cannot_be_told_is_inconclusive(journal, states, why):
    looks(journal, states, END)
    found = decided(journal)
    assert found.result is Result.INCONCLUSIVE
    assert why in found.why


def test_looks_that_end_before_the_drill_prove_nothing(journal):
    """The observer was killed: what came after its last look is not known."""
    keep(journal, SERVED, expected=[("OrdersFailing", "prometheus")])
    assert "nobody looked at it" in decided(journal).why


def test_an_alert_that_fires_again_counts_from_then(journal):
    looks(journal, [(4, "firing", None), (12, "inactive", None), (16, "firing", None)], END)
    assert decided(journal).measured == pytest.approx(5.5, abs=0.1)


def test_a_look_that_was_not_answered_widens_the_interval(journal):
    looks(journal, [(12, "unknown", None), (18, "firing", None)], END)
    found = decided(journal)
    assert found.interval.low == 1.0  # the last look that was answered was at 11 s
    assert found.interval.high == pytest.approx(8.01)


def test_the_services_own_record_stands_in_for_looks(journal):
    looks(journal, [(5, "unknown", None)], END, source="prometheus")
    firing = Firing("OrdersFailing", "prometheus", 15.0, 31.0, 1.0)
    keep(journal, SERVED, expected=[("OrdersFailing", "prometheus")], firings=(firing,), problems={"prometheus": ""})
    found = decided(journal)
    assert (found.interval.low, found.interval.high) == (4.0, 5.0)


def test_a_record_that_could_be_read_and_is_empty_proves_silence(journal):
    looks(journal, [(5, "unknown", None)], END, source="prometheus")
    keep(journal, SERVED, expected=[("OrdersFailing", "prometheus")], problems={"prometheus": ""})
    assert decided(journal).result is Result.MISSED
    keep(journal, SERVED, expected=[("OrdersFailing", "prometheus")], problems={"prometheus": "it was gone"})
    assert decided(journal).result is Result.INCONCLUSIVE


def test_an_alert_that_fires_but_never_arrives_is_not_noticed(journal):
    looks(journal, [], END)
    looks(journal, [(14, "firing", None)], END, source="prometheus")
    keep(journal, SERVED, expected=[("OrdersFailing", "alertmanager"), ("OrdersFailing", "prometheus")])
    found = decided(journal)
    assert found.result is Result.MISSED
    assert "it fired in prometheus, but never fired in alertmanager" in found.why


def test_an_objective_without_an_alert_is_inconclusive(journal):
    assert "no alert is configured" in decided(journal).why


def test_where_nobody_was_hurt_nobody_need_be_told(planted, tmp_path):
    plan = {"nobody_for": 0.0, "partly_for": 0.0, "moves": False, "objectives": {**planted.SMALL.objectives, **WHOLE}}
    folder = planted.plant(tmp_path, planted.SMALL, **plan)
    looks(folder, [], END)
    assert list(objective(measure(folder, cut_off=False))) == []


def test_monitoring_is_put_beside_what_users_saw(journal):
    keep(journal, SERVED)
    said = verdict(journal)["monitoring"]
    assert said["users"]["not_served_peak"] == 1.0
    (signal,) = said["signals"]
    assert signal["not_served_peak"] == 0.8
    assert signal["not_served_seconds"] == 15.0
    assert signal["down_seconds"] == pytest.approx(0.4 * 5 + 0.8 * 5 + 0.5 * 5)
    assert (
        said["sentence"]
        .replace("\u00a0", " ")
        .startswith("Your monitoring saw up to 80 % errors for 15.0 s (a value every 5 s); users had up to 100 % for 1")
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1] * 9, "saw no more errors than before the fault"),
        ([0.98, 0.98, 0.98, 0.99, 1, 1, 1, 1, 1], "saw no more errors than before the fault"),
        ([1, 1, 0.996, 0.996, 1, 1, 1, 1, 1], "saw 0.4 % errors for 10.0 s"),
        (
            [1, 1, None, 0.5, 1, 1, 1, 1, 1],
            "saw 50 % errors for 5.00 s (a value every 5 s), and had no value for 5.00 s",
        ),
        ([1, 1, *[None] * 7], "is not known: it has no value after the fault"),
    ],
)
def test_the_sentence_follows_from_the_numbers(journal, values, words):
    keep(journal, values)
    assert words in verdict(journal)["monitoring"]["sentence"].replace("\u00a0", " ")


def test_a_signal_that_could_not_be_had_says_why(journal):
    keep(journal, SERVED, problem="could not ask for availability: Prometheus at http://… did not answer")
    folder = journal
    said = verdict(folder)["monitoring"]
    assert "did not answer" in said["signals"][0]["problem"]


def test_a_record_that_is_garbled_is_damage_and_no_crash(journal):
    fired(journal)
    (journal / "monitoring.json").write_text('{"format": 1}')
    measured = measure(journal, cut_off=False)
    assert any("monitoring.json" in each for each in measured.damaged)
    assert measured.monitored.noticed is not None


def test_a_drill_without_monitoring_says_nothing_of_it(journal, planted):
    (journal / "monitoring.json").unlink(missing_ok=True)
    said = verdict(journal)
    assert (said["monitoring"], said["alerts"]) == (None, None)


def test_report_and_terminal_tell_of_it(journal):
    fired(journal)
    keep(journal, SERVED)
    measured, judged = close(journal)
    page = html.render(journal).read_text()
    assert "What monitoring saw" in page
    assert "monitoring-wide-title" in page
    text = " ".join(terminal.final(measured, judged, None).plain.split())
    assert "time to detect 3.50 ± 0.51 s ≤ 10 s" in text
    assert "Your monitoring saw up to 80 % errors" in text


@pytest.mark.parametrize(
    ("states", "reason"),
    [
        ([], "but was not noticed by every alert (objective 10 s)."),
        ([(28, "firing", None)], "but was noticed after 17.5 s (objective 10 s)."),
    ],
)
def test_the_reason_says_so(planted, tmp_path, states, reason):
    objectives = {"rto_seconds": 15, "time_to_detect_seconds": 10, "p95_seconds": None, "p99_seconds": None}
    folder = planted.plant(tmp_path, planted.SMALL, lost=0, objectives=objectives)
    looks(folder, states, END)
    measured, judged = close(folder)
    assert judged.word == "failed"
    assert judged.reason.replace("\u00a0", " ").endswith(reason)
    page = html.render(folder).read_text()
    assert "Time to detect" in page
    assert "inf" not in "".join(part.split("</svg>")[0] for part in page.split("<svg")[1:])
    assert "time to detect" in terminal.final(measured, judged, None).plain

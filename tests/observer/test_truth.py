"""The observer's numbers against the truth: a planted server in a process of its own, and thousands of outages that
are only reckoned. The large run is ``make bench-truth``; what it found is in docs/truth.md."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackstart.errors import NotMeasured
from blackstart.journals import users
from blackstart.observer import analysis

sys.path.append(str(Path(__file__).parents[1] / "truth"))
import truth_bed as bed
import truth_judge as judge
import truth_model as model
import truth_plan as plans
import truth_scenes as scenes
from truth_plan import ERROR, FORGET, HOLE, LIE, QUIET, REFUSE, RESET, STALL, Trouble

GAPS = 1.5  # what an edge may be off by, in sampling gaps
LATE_SHARE = 0.25  # of the time-out: later than that and the observer says that it was not watching
MIXES = (plans.Mix(14, 0.05, 0.1), plans.Mix(8, 0.1, 0.5), plans.Mix(4, 0.7, 1.5))
TIMEOUT = 0.5


def reckoned(mode: str, seed: int = 1, **service: float) -> list[judge.Verdict]:
    """Verdicts on outages of one sort, as an observer with nothing in its way would see them."""
    modes = (mode,) if mode != STALL else (STALL, ERROR)
    plan = model.with_service(plans.timeline(seed, MIXES, timeout=TIMEOUT, modes=modes), **service)
    seen = model.reckon(plan)
    assert judge.false_alarms(seen) == []
    return [each for each in judge.outages(seen) if each.planted.trouble.mode == mode]


@pytest.mark.parametrize("mode", plans.OUTAGES)
def test_every_outage_of_50_ms_is_found_at_any_phase_and_none_that_was_not(mode):
    verdicts = reckoned(mode, usual=0.002, tail=0.004)
    assert [each.pieces for each in verdicts] == [1] * len(verdicts)
    lengths = judge.Spread.of(each.length_error for each in verdicts)
    recoveries = judge.Spread.of(each.rto_error for each in verdicts)
    assert recoveries.count == len(verdicts)
    for spread in (lengths, recoveries):
        assert abs(spread.worst) <= 2 * GAPS * 0.01
    assert recoveries.mean <= 0.0125


@pytest.fixture(scope="module")
def seen(tmp_path_factory) -> Iterator[bed.Seen]:
    """One run of everything: outages of all sorts, flapping, then writes that go wrong."""
    troubles = (
        Trouble(0.5, 0.557, REFUSE),
        Trouble(1.3, 1.413, HOLE),
        Trouble(2.3, 2.351, ERROR),
        Trouble(3.1, 3.168, RESET),
        Trouble(3.9, 4.707, STALL),
        Trouble(5.6, 6.333, REFUSE),
        *plans.flapping(7.3, 5, 0.08, 0.06),
        Trouble(9.0, 9.5, FORGET, share=0.6),
        Trouble(9.6, 10.1, QUIET, share=0.6),
        Trouble(10.2, 10.7, LIE, share=0.6),
        Trouble(10.8, 11.1, HOLE),
    )
    return bed.play(plans.Plan(5, 12.2, troubles), tmp_path_factory.mktemp("truth"))


def bars(seen: bed.Seen) -> list[judge.Verdict]:
    return judge.outages(seen)[:6]


def late_near(seen: bed.Seen, verdict: judge.Verdict) -> float:
    """By how much the observer itself, or the service when it was up, was late around that outage, in seconds."""
    rows = seen.samples.between(verdict.planted.began - 0.3, verdict.planted.ended + 0.3).rows
    sending = max(row.sent - row.intended for row in rows if row.sent == row.sent)
    serving = max((row.ended - row.sent for row in rows if row.ok and row.latency < 0.3), default=0.0)
    return sending + serving + verdict.planted.slack


def test_the_truth_is_inside_the_error_bar_of_every_outage(seen):
    wrong = []
    for each in bars(seen):
        late = late_near(seen, each)
        if late > LATE_SHARE * TIMEOUT:
            continue  # this machine was too busy to tell, and says so
        assert each.outage is not None, each
        told = {"length": (each.length_error, each.outage.error_seconds)}
        if each.recovery is not None and each.recovery.seconds is not None:
            told["recovery"] = (each.rto_error, each.recovery.error_seconds)
        trouble = each.planted.trouble
        wrong += [
            f"{trouble.mode}, {trouble.seconds:.3f} s, {what}: {error:+.4f} ± {bar:.4f}, late by {late:.4f}"
            for what, (error, bar) in told.items()
            if abs(error) > bar + late + seen.samples.gap
        ]
    assert wrong == []


def test_a_flapping_service_has_recovered_when_it_stays_up(seen):
    flaps = seen.truth.planted[6:11]
    until = flaps[-1].ended + 1.0
    fault_at = flaps[0].began
    recovery = analysis.recovery(seen.samples.between(fault_at - 1, until), fault_at, 0.99, 0.5, until)
    late = max(row.sent - row.intended for row in seen.samples.between(fault_at, until).rows if row.sent == row.sent)
    if late > LATE_SHARE * TIMEOUT:
        return  # this machine was too busy to tell, and says so
    slack = sum(each.slack for each in flaps) + late + 2 * seen.samples.gap
    assert recovery.seconds is not None, recovery
    assert recovery.at == pytest.approx(flaps[-1].ended, abs=recovery.error_seconds + slack)


def test_availability_is_the_share_of_requests_that_the_service_answered(seen):
    """Of those that reached it; the others were refused."""
    found = users.watched(seen.samples, seen.events, None, None, seen.observing)
    ok = sum(row.ok for row in seen.samples.rows)
    answered = sum(each.status in (200, 201) for each in seen.truth.requests)
    late = sum(row.latency > 0.2 for row in seen.samples.rows)
    assert found.whole.ok <= ok <= answered
    assert answered - ok <= late


def test_every_write_is_in_its_class_and_in_no_other(seen):
    classes = {each.name: each for each in scenes.write_classes(seen)}
    assert {name: each.wrong for name, each in classes.items()} == dict.fromkeys(classes, 0)
    assert min(classes[name].true for name in ("lost", "recovered", "unknown", "unexpected")) > 3


@pytest.mark.sweep
@pytest.mark.parametrize("mode", [HOLE, STALL])
def test_ten_seconds_of_22_without_an_answer(mode, tmp_path):
    played = bed.play(scenes.long_stall(mode), tmp_path, bed.observing(timeout=1.0, window=1.0))
    start, end = scenes.long_stall_span(played)
    measured = analysis.availability(played.samples, start, end)
    true = judge.up_share(played, start, end, timeout=1.0)
    assert measured.lowest - 0.005 <= true <= measured.highest + 0.005


@pytest.mark.sweep
def test_dns_failover_is_as_long_as_the_name_server_says(tmp_path):
    errors = scenes.name_errors(bed.play(scenes.names(3, times=3), tmp_path))
    assert len(errors) == 3
    for each in errors:
        assert each.failover == pytest.approx(0, abs=0.1)
        assert each.rto is None or each.rto == pytest.approx(0, abs=0.2)


@pytest.mark.sweep
def test_a_half_broken_service_is_half_available(tmp_path):
    figures = scenes.mixed_figures(bed.play(scenes.mixed(2), tmp_path))
    wrong = [each for each in figures if each.what.startswith("availability") and ": " not in each.what]
    assert [each for each in wrong if abs(each.error) > 3] == []


@pytest.mark.sweep
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_long_timeline_of_outages(seed, tmp_path):
    played = bed.play(plans.timeline(seed, (plans.SHORT, *MIXES), timeout=TIMEOUT), tmp_path)
    verdicts = [each for each in judge.outages(played) if late_near(played, each) <= LATE_SHARE * TIMEOUT]
    if not verdicts:
        raise NotMeasured("the truth", "this machine was too busy")
    missed = [each.planted for each in verdicts if not each.pieces and each.planted.seconds >= 0.05]
    assert missed == []
    for each in verdicts:
        if each.length_error is not None:
            assert abs(each.length_error) <= 2 * GAPS * played.samples.gap + 2 * late_near(played, each)

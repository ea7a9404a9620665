"""Outages and recovery against planted ones, at any phase, of any sort."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blackstart.errors import NotMeasured
from blackstart.observer import analysis
from blackstart.observer.samples import Cause, Kind, Outcome, Samples

GAP = 0.01
ALLOWED = 1.5 * GAP
seconds = st.floats(1, 2)
lengths = st.floats(0.05, 1.5)
modes = st.sampled_from(["refuse", "hole", "stall"])
quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)


def visible(trouble) -> bool:
    """A stall shorter than the time-out is slow, not down."""
    return trouble.mode != "stall" or trouble.ended - trouble.began > 0.5 + 3 * GAP


@given(began=seconds, length=lengths, mode=modes)
@quick
def test_an_outage_of_50_ms_or_more_is_found_at_any_phase(planted, trouble, began, length, mode):
    made = trouble(began, began + length, mode)
    found = analysis.outages(planted([made], 5), 0, 5)
    if not visible(made):
        return
    assert len(found) == 1
    assert found[0].began == pytest.approx(began, abs=ALLOWED)
    assert found[0].ended == pytest.approx(began + length, abs=ALLOWED)
    assert abs(found[0].seconds - length) <= found[0].error_seconds + GAP
    assert found[0].error_seconds <= 3 * GAP


@given(made=st.tuples(seconds, lengths, modes), fault=st.floats(0.5, 1))
@quick
def test_recovery_time_is_from_the_fault_to_the_end_of_the_outage(planted, trouble, made, fault):
    began, length, mode = made
    made = trouble(began, began + length, mode)
    found = analysis.recovery(planted([made], 6), fault, share=0.99, window=1)
    if not visible(made):
        return
    assert found.seconds == pytest.approx(began + length - fault, abs=ALLOWED)
    assert found.lowest - GAP <= began + length - fault <= found.highest + GAP
    assert found.hurt_at >= began


@given(began=seconds, length=lengths)
@quick
def test_reads_that_work_do_not_hide_that_nothing_can_be_written(planted, trouble, began, length):
    made = trouble(began, began + length, "refuse", (Kind.WRITE,))
    seen = planted([made], 6)
    assert analysis.longest_outage(seen, 0, 6).seconds == pytest.approx(length, abs=2 * ALLOWED)
    recovered = analysis.recovery(seen, began, share=0.99, window=1)
    assert recovered.seconds == pytest.approx(length, abs=2 * ALLOWED)


def test_an_outage_that_comes_back_belongs_to_the_recovery_time(planted, trouble):
    seen = planted([trouble(1, 1.3), trouble(3, 4)], 8)
    assert analysis.recovery(seen, 1, 0.99, 1).seconds == pytest.approx(3, abs=ALLOWED)
    assert analysis.recovery(seen, 1, 0.99, 1, until=3).seconds == pytest.approx(0.3, abs=ALLOWED)
    assert [round(each.began) for each in analysis.outages(seen, 0, 8)] == [1, 3]


def test_a_few_successes_in_between_do_not_end_an_outage(planted, trouble):
    flapping = [trouble(1 + n * 0.1, 1.08 + n * 0.1) for n in range(20)]
    seen = planted(flapping, 8)
    assert analysis.recovery(seen, 1, 0.99, 1).seconds == pytest.approx(1.98, abs=ALLOWED)


def test_a_stray_failure_long_after_does_not_move_recovery(planted, trouble):
    seen = planted([trouble(1, 1.5), trouble(5, 5.005)], 8)
    assert len(analysis.outages(seen, 0, 8)) == 2
    assert analysis.recovery(seen, 1, 0.98, 2).seconds == pytest.approx(0.5, abs=ALLOWED)


def test_nobody_hurt_is_recovery_in_no_time_and_says_so(planted):
    found = analysis.recovery(planted([], 4), 1, 0.99, 1)
    assert (found.seconds, found.hurt_at) == (0, None)


@pytest.mark.parametrize(
    ("troubles", "why"), [([(1, 9)], "100% of requests still failed"), ([(1, 3.5)], "only 0.5 s after")]
)
def test_what_did_not_recover_or_was_not_watched_long_enough_has_no_recovery_time(planted, trouble, troubles, why):
    found = analysis.recovery(planted([trouble(*each) for each in troubles], 4), 1, 0.99, 1)
    assert found.seconds is None
    assert why in found.reason


def test_no_request_after_the_fault_is_not_measured(planted):
    with pytest.raises(NotMeasured, match="no request was observed after the fault"):
        analysis.recovery(planted([], 4), 5, 0.99, 1)


def without(seen: Samples, start: float, end: float) -> Samples:
    """The observer itself sent nothing in [start, end)."""
    rows = tuple(
        row._replace(outcome=Outcome.FAILED, cause=Cause.UNSENT, sent=float("nan"))
        if start <= row.intended < end
        else row
        for row in seen.rows
    )
    return Samples(seen.header, rows, seen.complete_until)


@pytest.mark.parametrize("blind", [(1.2, 2.2), (2.5, 3.5)])
def test_what_the_observer_did_not_watch_makes_the_error_bar_longer(planted, trouble, blind):
    seen = without(planted([trouble(1, 2)], 8), *blind)
    found = analysis.recovery(seen, 1, 0.99, 1)
    assert found.lowest <= 1 + ALLOWED
    assert found.highest >= blind[1] - 1 - ALLOWED
    assert found.error_seconds > 0.4


def test_recovery_is_not_concluded_from_a_time_that_nobody_watched(planted, trouble):
    seen = without(planted([trouble(1, 2)], 8), 2.5, 8)
    found = analysis.recovery(seen, 1, 0.99, 1)
    assert (found.seconds, found.reason) == (
        None,
        "it was watched for only 0.0 s after that, of the 1 s that it must last",
    )


def test_requests_that_were_sent_late_say_nothing_when_they_fail(planted, trouble):
    seen = planted([trouble(1, 2)], 4, late=0.2)
    assert analysis.outages(seen, 0, 4) == []
    found = analysis.availability(seen, 1, 2)
    assert (found.lowest, found.highest) == (pytest.approx(0.2, abs=0.02), 1)


def test_an_outage_is_cut_to_the_interval_and_may_be_open(planted, trouble):
    seen = planted([trouble(1, 9)], 4)
    (found,) = analysis.outages(seen, 2, 3)
    assert (found.began, found.ended, found.open) == (2, 3, True)

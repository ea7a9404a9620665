import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackstart.observer.schedule import Kind, Schedule

schedules = st.builds(
    Schedule, begin=st.floats(0, 100), rate=st.floats(0.5, 2000), write_share=st.floats(0, 1)
)  # fmt: skip


@settings(deadline=None)
@given(schedules, st.integers(0, 10_000), st.integers(0, 10_000))
def test_the_count_of_an_interval_is_what_is_due_in_it(schedule, one, other):
    first, last = sorted((one, other))
    assert schedule.count(schedule.intended(first), schedule.intended(last)) == last - first


@settings(deadline=None)
@given(schedules, st.floats(-10, 500))
def test_the_first_request_from_a_moment_is_not_before_it_and_the_one_before_is(schedule, moment):
    number = schedule.first_from(moment)
    assert schedule.intended(number) >= moment
    assert number == 0 or schedule.intended(number - 1) < moment


@settings(deadline=None)
@given(st.floats(0, 1), st.integers(1, 5000))
def test_writes_are_spread_evenly(share, count):
    writes = sum(Schedule(0, 50, share).kind(number) is Kind.WRITE for number in range(count))
    assert writes == pytest.approx(count * share, abs=1.01)

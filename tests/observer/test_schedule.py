from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackstart.observer.schedule import GRAIN, Kind, Part, Schedule

schedules = st.builds(
    Schedule, begin=st.floats(0, 100), rate=st.floats(0.5, 20_000), write_share=st.floats(0, 1)
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


@st.composite
def shared(draw):
    """A schedule of several journeys whose shares are in whole ten-thousandths."""
    weights = draw(st.lists(st.integers(1, 40), min_size=1, max_size=5))
    parts = [Part(each / sum(weights), draw(st.floats(0, 1))) for each in weights]
    return Schedule(0, 50, 0.5, tuple(parts)), weights


@settings(deadline=None, max_examples=20)
@given(shared(), st.integers(1, 1000))
def test_each_journey_has_its_share_of_every_beginning_give_or_take_one(made, count):
    schedule, weights = made
    had = Counter(schedule.journey(number) for number in range(count))
    for journey, weight in enumerate(weights):
        assert had[journey] == pytest.approx(count * weight / sum(weights), abs=1 + count * len(weights) / GRAIN)


@settings(deadline=None, max_examples=20)
@given(shared(), st.integers(1, 1000))
def test_writes_are_spread_evenly_within_each_journey(made, count):
    schedule, _ = made
    kinds = [(schedule.journey(number), schedule.kind(number)) for number in range(count)]
    for journey, part in enumerate(schedule.parts):
        mine = [kind for whose, kind in kinds if whose == journey]
        assert sum(kind is Kind.WRITE for kind in mine) == pytest.approx(len(mine) * part.write_share, abs=1.01)


def test_a_schedule_of_one_journey_is_the_one_without_any():
    alone, one = Schedule(0, 50, 0.3), Schedule(0, 50, 0.3, (Part(1, 0.3),))
    assert [alone.kind(number) for number in range(500)] == [one.kind(number) for number in range(500)]
    assert {one.journey(number) for number in range(500)} == {0}


@pytest.mark.parametrize("shares", [(0.5, 0.3, 0.2), (1 / 3, 1 / 3, 1 / 3), (0.99, 0.01), (0.99999, 0.00001)])
def test_no_journey_is_forgotten_and_the_same_settings_give_the_same_turns(shares):
    parts = tuple(Part(share, 0) for share in shares)
    one, other = Schedule(0, 50, 0, parts), Schedule(7, 20, 1, parts)
    turns = [one.journey(number) for number in range(GRAIN + 100)]
    assert turns == [other.journey(number) for number in range(GRAIN + 100)]
    assert set(turns) == set(range(len(shares)))

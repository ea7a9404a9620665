import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackstart.journals.objectives import Interval, Objective, Result, compare, unknown

NUMBERS = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("low", "high", "result"),
    [
        (1, 2, Result.MET),
        (2, 3, Result.MET),
        (2, 3.1, Result.INCONCLUSIVE),
        (3, 4, Result.INCONCLUSIVE),
        (3.1, 4, Result.MISSED),
    ],
)
def test_at_most_three_needs_the_whole_interval(low, high, result):
    assert compare(Interval(low, high), 3, at_most=True) is result


@given(NUMBERS, NUMBERS, NUMBERS)
def test_met_means_every_value_in_the_interval_meets_it_and_missed_means_none_does(one, other, target):
    low, high = min(one, other), max(one, other)
    result = compare(Interval(low, high), target, at_most=True)
    if result is Result.MET:
        assert low <= target
        assert high <= target
    elif result is Result.MISSED:
        assert low > target
        assert high > target
    else:
        assert low <= target < high


@given(NUMBERS, NUMBERS, NUMBERS)
def test_at_least_is_at_most_turned_round(one, other, target):
    low, high = min(one, other), max(one, other)
    assert compare(Interval(low, high), target, at_most=False) is compare(Interval(-high, -low), -target, at_most=True)


def test_what_was_not_measured_proves_nothing():
    assert compare(unknown(), 5, at_most=True) is Result.INCONCLUSIVE
    assert compare(Interval(math.nan, math.nan), 5, at_most=True) is Result.INCONCLUSIVE


def test_never_recovered_is_missed_once_the_objective_is_over():
    assert compare(unknown(60.0), 90, at_most=True) is Result.INCONCLUSIVE
    assert compare(unknown(175.0), 90, at_most=True) is Result.MISSED


def test_the_margin_is_what_is_left_to_the_target():
    late = Objective("rto_seconds", "Recovery time", "", "seconds", 90, Interval.around(71.2, 0.1))
    share = Objective("availability", "Availability", "", "share", 0.7, Interval(0.79, 0.79, 0.79), at_most=False)
    assert late.margin == pytest.approx(18.8)
    assert share.margin == pytest.approx(0.09)

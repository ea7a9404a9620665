import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackstart.observer.samples import Cause, Header, Kind, Outcome, Sample, Samples
from blackstart.reports import columns
from blackstart.reports.columns import edges

FATES = st.sampled_from([(Outcome.OK, Cause.NONE), (Outcome.FAILED, Cause.STATUS), (Outcome.UNKNOWN, Cause.TIMEOUT)])


def reduce(rows, borders, origin, regions, timeout):
    header = Header(0.0, "", 0.0, 1.0, timeout, 0.0)
    return columns.reduce(Samples(header, sorted(rows, key=lambda row: row.intended)), borders, origin, regions)


def sample(number, due, fate, region="a"):
    return Sample(number, due, due, due + 0.02, Kind.READ, *fate, region=region if fate[0] is Outcome.OK else "")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 99.99), FATES), min_size=1, max_size=200), st.integers(1, 50))
def test_no_failure_is_averaged_away(requests, most):
    rows = [sample(number, due, fate) for number, (due, fate) in enumerate(requests)]
    made = reduce(rows, edges(0, 100, most, len(rows)), 0.0, ["a", "b"], 2.0)
    assert sum(column.n for column in made) == len(rows)
    assert sum(column.failed for column in made) == sum(not row.ok for row in rows)
    assert sum(column.timed_out for column in made) == sum(row.cause is Cause.TIMEOUT for row in rows)
    assert sum(sum(column.served) for column in made) == sum(row.ok for row in rows)


def test_columns_stay_few_however_many_samples_there_are():
    assert len(edges(0, 300, 432, 1_000_000)) == 433
    assert len(edges(0, 300, 432, 40)) == 11


def test_percentiles_need_three_successes_and_the_slowest_only_one():
    ok = (Outcome.OK, Cause.NONE)
    rows = [sample(0, 0.1, ok), sample(1, 0.2, ok), *(sample(n, 1 + n / 100, ok) for n in range(2, 5))]
    few, enough = reduce(rows, [0, 1, 2], 0.0, ["a"], 2.0)
    assert (few.p50, few.slowest) == (None, pytest.approx(0.02))
    assert enough.p50 == pytest.approx(0.02)


def test_what_the_observer_did_not_send_tells_nothing():
    unsent = Sample(0, 0.5, float("nan"), 0.5, Kind.READ, Outcome.FAILED, Cause.UNSENT)
    (column,) = reduce([unsent], [0, 1], 0.0, [], 2.0)
    assert (column.n, column.failed) == (0, 0)


def test_requests_are_sorted_into_the_column_they_were_due_in():
    chance = random.Random(3)
    rows = [sample(n, chance.uniform(10, 20), (Outcome.OK, Cause.NONE)) for n in range(500)]
    for column in reduce(rows, edges(0, 10, 10, 500), 10.0, ["a"], 2.0):
        assert column.n == sum(column.start <= row.intended - 10 < column.end for row in rows)

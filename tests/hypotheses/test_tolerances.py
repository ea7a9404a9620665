import math

import pytest

from blackstart.hypotheses import tolerances
from blackstart.hypotheses.tolerances import (
    at_least,
    at_most,
    between,
    empty,
    lost_no_more_than,
    one_of,
    recovered_within,
)


@pytest.mark.parametrize(
    ("held", "limit", "value", "holds"),
    [
        (at_least, 0.99, 0.99, True),
        (at_least, 0.99, 0.98, False),
        (at_most, 0.1, 0.1, True),
        (at_most, 0.1, 0.11, False),
        (recovered_within, 60, 59.9, True),
        (recovered_within, 60, 60.1, False),
        (lost_no_more_than, 0, 0, True),
        (lost_no_more_than, 0, 1, False),
        (one_of, ["us-west-2"], "us-west-2", True),
        (one_of, ["us-west-2"], "nobody", False),
    ],
)
def test_a_measured_value_is_held_against_its_limit(held, limit, value, holds):
    assert held(limit, value=value) is holds


@pytest.mark.parametrize("value", [None, math.nan, True, "0.999", [1]])
@pytest.mark.parametrize("held", [at_least, at_most, recovered_within, lost_no_more_than])
def test_what_was_not_measured_is_never_held(held, value):
    assert held(0 if held is at_least else 99, value=value) is False


@pytest.mark.parametrize(("value", "holds"), [(0.2, True), (0.4, True), (0.1, False), (0.5, False), (None, False)])
def test_a_share_lies_between_two_limits(value, holds):
    assert between(0.2, 0.4, value=value) is holds


@pytest.mark.parametrize(
    ("value", "holds"), [([], True), ({}, True), (["x"], False), ({"x": 1}, False), (None, False), ("", False)]
)
def test_a_list_of_what_is_wrong_must_be_there_and_be_empty(value, holds):
    assert empty(value=value) is holds


LIMITS = {one_of: [["a"]], between: [0, 1], empty: []}


@pytest.mark.parametrize("name", tolerances.__all__)
def test_the_toolkit_may_bind_it_without_a_value(name):
    held = getattr(tolerances, name)
    assert held(*LIMITS.get(held, [1])) is False

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackstart.observer.ranking import ranked, ranked_parts

SHARES = (0.01, 0.5, 0.95, 0.99, 1.0)
NUMBERS = st.one_of(st.integers(0, 40), st.integers(0, 3_000_000), st.integers(0, 2**32 - 1))


@given(st.lists(st.lists(NUMBERS, max_size=40), max_size=4).filter(any))
def test_parts_have_the_percentiles_of_the_whole(parts):
    made = [np.array(part, np.uint32) for part in parts]
    many, found = ranked_parts(lambda: iter(made), SHARES)
    assert many == sum(map(len, parts))
    assert found == ranked(np.concatenate(made), SHARES)


@pytest.mark.parametrize("parts", [[], [[]]])
def test_nothing_has_no_percentiles(parts):
    assert ranked_parts(lambda: (np.array(part, np.uint32) for part in parts), SHARES) == (0, [])


def test_of_a_hundred_the_ninety_ninth_is_p99():
    assert ranked(np.arange(1, 101)[::-1].copy(), SHARES) == [1, 50, 95, 99, 100]

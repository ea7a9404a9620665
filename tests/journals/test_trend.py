"""What counts as worse, better and noise."""

import random

import pytest
from history_rows import row, rto
from hypothesis import given
from hypothesis import strategies as st

from blackstart.journals.trend import trend

numbers = st.floats(0.5, 1000, allow_nan=False)


def read(*seconds: float | None, error: float = 0.1):
    """The reading of the last, where each is a drill a day after the one before."""
    many = len(seconds)
    return trend([rto(each, error, days=many - place) for place, each in enumerate(seconds)], "rto_seconds")


@pytest.mark.parametrize(
    ("seconds", "word"),
    [
        ((10,), "first"),
        ((10, 11), "within noise"),
        ((10, 14), "worse"),
        ((10, 7), "better"),
        ((10, 11, 9, 10.5, 9.5, 10.9), "within noise"),
        ((10, 11, 9, 10.5, 9.5, 16), "worse"),
        ((10, 11, 9, 10.5, 9.5, 4), "better"),
        ((10, 11, 9, 40, 9.5, 39), "within noise"),
        ((10, 10, 10, 10, 10, 10.3), "within noise"),
        ((10, None), "not measured"),
        ((None, 10), "first"),
        ((40, 10, 11, 9, 10.5, 9.5, 16), "worse"),
    ],
)
def test_readings(seconds, word):
    assert read(*seconds).word == word


def test_only_a_whole_error_bar_outside_is_worse():
    assert read(10, 11, 9, 10.5, 9.5, 16, error=0.5).word == "worse"
    assert read(10, 11, 9, 10.5, 9.5, 16, error=3).word == "within noise"


def test_what_never_recovered_is_worse_than_what_did():
    reading = trend([rto(10, days=2), rto(None, low=134.0, days=1)], "rto_seconds")
    assert (reading.word, reading.delta) == ("worse", None)


def test_one_lost_write_where_there_was_none_is_worse_and_some_more_of_many_are_not():
    def lost(*counts):
        return trend([row(9 - place, lost_writes=count) for place, count in enumerate(counts)], "lost_writes").word

    assert lost(0, 0, 0, 0, 0, 1) == "worse"
    assert lost(100, 100, 100, 100, 100, 109) == "within noise"
    assert lost(100, 100, 100, 100, 100, 120) == "worse"
    assert lost(7, 7, 7, 7, 7, 0) == "better"


def test_availability_is_better_when_it_is_higher():
    def served(*shares):
        return trend([row(9 - place, availability=share) for place, share in enumerate(shares)], "availability").word

    assert served(0.99, 0.99, 0.99, 0.9) == "worse"
    assert served(0.9, 0.9, 0.9, 0.99) == "better"
    assert served(1.0, 1.0, 1.0, 0.99995) == "within noise"


def test_what_was_cut_off_or_is_damaged_has_no_number():
    assert trend([rto(10, days=2), rto(30, days=1, cut_off=True)], "rto_seconds").word == "not measured"
    assert trend([rto(10, days=2, problem="torn"), rto(30, days=1)], "rto_seconds").word == "first"
    assert trend([], "rto_seconds").word == "not measured"


@given(st.lists(numbers, min_size=1, max_size=8), numbers)
def test_longer_is_never_better_and_shorter_never_worse(before, newest):
    reading = read(*before, newest)
    last = before[-5:]
    assert reading.word != "better" or newest < min(last)
    assert reading.word != "worse" or newest > max(last)
    assert reading.band is not None
    assert reading.band[0] <= min(last) <= max(last) <= reading.band[1]


@given(st.lists(numbers, min_size=1, max_size=5), numbers, st.floats(0.1, 5), st.floats(0, 50))
def test_wider_error_bars_never_make_noise_a_finding(before, newest, error, more):
    narrow, wide = read(*before, newest, error=error), read(*before, newest, error=error + more)
    assert wide.word in (narrow.word, "within noise")


def test_chance_alone_is_seldom_called_worse():
    chance = random.Random(7)
    many = 2000
    words = [read(*(chance.lognormvariate(2.3, 0.25) for _ in range(6))).word for _ in range(many)]
    assert words.count("worse") / many < 0.08
    assert words.count("better") / many < 0.08


def test_a_doubled_time_is_mostly_noticed():
    chance = random.Random(8)
    many = 300
    words = [
        read(*(chance.lognormvariate(2.3, 0.1) for _ in range(5)), 2 * chance.lognormvariate(2.3, 0.1)).word
        for _ in range(many)
    ]
    assert words.count("worse") / many > 0.9

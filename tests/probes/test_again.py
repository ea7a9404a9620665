import asyncio
from datetime import timedelta

import pytest

from blackstart.errors import NotMeasured, ServiceUnreachable
from blackstart.probes._again import POLL_SECONDS, back
from blackstart.probes._watched import Fault
from blackstart.testing import FakeClock

LIMIT = 30.0


@pytest.fixture
def clock():
    return FakeClock()


def waited(clock, told, wanted=3, settle=0.0, asked_after=0.0, **more):
    """What is found when so many things are ready at a moment, and each since when; seconds from the fault."""
    fault = Fault(clock.monotonic(), clock.now(), LIMIT, ())
    clock.advance(asked_after)

    async def look():
        since = told(clock.monotonic() - fault.at)
        if since is None:
            raise ServiceUnreachable("read", "the API", "did not answer")
        return [fault.wall + timedelta(seconds=each) for each in since]

    return asyncio.run(back(look, wanted, fault, settle, clock, **more))


def test_the_time_counts_from_the_fault_until_enough_are_ready(clock):
    assert waited(clock, lambda at: [-9, -9] if at < 7 else [-9, -9, 7]) == pytest.approx(7, abs=POLL_SECONDS)


def test_what_was_back_before_anybody_asked_is_timed_by_the_cluster(clock):
    assert waited(clock, lambda at: [-9, -9, 4, 6], asked_after=20) == 4


def test_what_never_fell_took_no_time_but_only_after_it_had_time_to_fall(clock):
    assert waited(clock, lambda at: [-9, -9, -9]) == 0.0
    falls = lambda at: [-9, -9, -9] if at < 5 else [-9] if at < 8 else [-9, 8, 8]  # noqa: E731
    assert waited(clock, falls, settle=10) == pytest.approx(8, abs=POLL_SECONDS)


def test_what_is_back_for_a_moment_only_is_not_back(clock):
    flickers = lambda at: [-9, -9, 5] if 5 <= at < 6 or at >= 9 else [-9]  # noqa: E731
    assert waited(clock, flickers) == pytest.approx(5, abs=POLL_SECONDS)
    assert waited(FakeClock(), flickers, stable_seconds=2) == pytest.approx(9, abs=POLL_SECONDS)


def test_what_is_not_back_within_the_limit_is_none(clock):
    assert waited(clock, lambda at: [-9]) is None
    assert waited(clock, lambda at: [-9, -9, LIMIT + 1], asked_after=LIMIT + 2) is None


def test_looks_that_are_not_answered_are_no_fall_and_no_recovery(clock):
    assert waited(clock, lambda at: None if at < 5 else [-9, -9, -9]) == 0.0
    with pytest.raises(NotMeasured, match="did not answer"):
        waited(clock, lambda at: [-9] if at < 5 else None)

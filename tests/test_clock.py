from datetime import UTC, datetime, timedelta, timezone

from blackstart.clock import Clock, SystemClock, iso
from blackstart.testing import FakeClock


def test_the_system_clock_tells_wall_time_in_utc():
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_monotonic_time_never_steps_back():
    clock = SystemClock()
    readings = [clock.monotonic() for _ in range(100)]
    assert readings == sorted(readings)


def test_times_are_written_in_utc_with_milliseconds_and_a_z():
    berlin = timezone(timedelta(hours=1))
    assert iso(datetime(2026, 11, 23, 15, 4, 41, 123_456, tzinfo=berlin)) == "2026-11-23T14:04:41.123Z"


def test_a_fake_clock_moves_only_when_somebody_sleeps():
    clock: Clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC), monotonic=5.0)
    assert clock.monotonic() == clock.monotonic() == 5.0
    clock.sleep(2.5)
    assert clock.monotonic() == 7.5
    assert iso(clock.now()) == "2026-01-01T00:00:02.500Z"


def test_a_wall_clock_that_is_set_back_leaves_durations_alone():
    clock = FakeClock(monotonic=5.0)
    clock.step_wall(-3600)
    assert clock.monotonic() == 5.0

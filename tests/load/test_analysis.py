"""What the record of a load says, and when it says nothing."""

import pytest

from blackstart.errors import JournalUnreadable, NotMeasured
from blackstart.load import analysis, record
from blackstart.load.record import Loaded, Point, Second, Summary


def points(*users, first=0.0, held=None):
    return tuple(Point(first + i, n, held, 10 * i, i) for i, n in enumerate(users))


def loaded(*users, ended="", **more):
    return Loaded(points(*users, **more), ended, None)


def test_users_held_is_the_fewest_and_the_most_and_begins_with_what_was_known_before():
    found = analysis.users_held(loaded(50, 100, 100, 90, 100), 1.5, 4.0)
    assert (found.low, found.high) == (90, 100)
    assert analysis.users_held(loaded(50, 100, 100), 0.5, 2.0).low == 50


@pytest.mark.parametrize(
    ("what", "start", "end", "why"),
    [
        (loaded(5, 5), -1.0, 1.0, "had not begun"),
        (loaded(5, 5), 0.0, 12.0, "told nothing for 11.0 s"),
        (loaded(5, 5, ended="its worker 1 ended with code -9"), 0.0, 1.0, "worker 1"),
        (loaded(), 0.0, 1.0, "had not begun"),
    ],
)
def test_what_was_not_watched_is_not_measured(what, start, end, why):
    with pytest.raises(NotMeasured, match=why):
        analysis.users_held(what, start, end)


def test_connections_that_nobody_can_count_are_not_zero():
    assert analysis.connections_held(loaded(5, 5), 0.0, 1.0) is None
    assert analysis.connections_held(loaded(5, 5, held=4), 0.0, 1.0) == analysis.Held(4, 4)


def test_rates_and_shares_are_of_what_ended_in_the_interval():
    assert analysis.rate(loaded(1, 1, 1, 1), 1.0, 3.0) == 10
    assert analysis.failed_share(loaded(1, 1, 1, 1), 1.0, 3.0) == pytest.approx(0.1)
    assert analysis.rate(loaded(1), 0.0, 3.0) is None
    assert analysis.failed_share(loaded(1), 0.0, 3.0) is None


def seconds(*failed):
    """Ten requests a second, of which so many failed."""
    return tuple(Second(at, 10 - bad, bad, at) for at, bad in enumerate(failed))


@pytest.mark.parametrize(
    ("failed", "expected"),
    [
        ((0, 0, 10, 10, 10, 0, 0, 0, 0, 0), 3.0),
        ((0, 0, 10, 0, 0, 10, 0, 0, 0, 0, 0), 4.0),  # once is not for good
        ((0,) * 10, 0.0),
        ((0, 0, 10, 10, 10, 10), None),
        ((0, 0, 0, 0, 0, 0, 0, 0, 10), None),
    ],
)
def test_recovery_is_when_requests_begin_to_be_answered_for_good(failed, expected):
    found = analysis.recovery(seconds(*failed), 2.0, 100.0, 0.99, 3)
    assert found is not None
    assert found.seconds == expected


def test_without_requests_after_the_fault_recovery_is_not_known():
    assert analysis.recovery(seconds(0, 0), 5.0, 9.0, 0.99, 3) is None


def test_reconnects_are_counted_from_the_fault_on():
    summary = Summary(1, 1, 0, None, None, None, seconds(0, 0, 0, 0))
    assert analysis.reconnects(summary, 1.0, 3.0) == (3, 2)


def test_what_was_recorded_is_read_again(tmp_path):
    recorder = record.Recorder(tmp_path, 20, origin=100.0)
    recorder.point(101.0, 20, 19, 5, 1)
    recorder.count({"101": [3, 1, 2]})
    recorder.count({"101": [1, 0, 0], "103": [1, 0, 0]})
    recorder.end(5, 1, (0.1, 0.2, 0.3))
    found = record.read(tmp_path)
    assert found is not None
    assert found.points == (Point(1.0, 20, 19, 5, 1),)
    assert found.summary == Summary(20, 5, 1, 0.1, 0.2, 0.3, (Second(1, 4, 1, 2), Second(3, 1, 0, 0)))


def test_a_line_that_was_cut_off_is_passed_over_and_one_that_is_no_point_is_not(tmp_path):
    record.Recorder(tmp_path, 20, 0.0).point(1.0, 20, None, 5, 1)
    with (tmp_path / record.POINTS).open("ab") as file:
        file.write(b'{"at": 2.0, "us')
    found = record.read(tmp_path)
    assert found is not None
    assert len(found.points) == 1
    with (tmp_path / record.POINTS).open("ab") as file:
        file.write(b"\n")
    with pytest.raises(JournalUnreadable):
        record.read(tmp_path)


def test_a_drill_without_a_load_has_none(tmp_path):
    assert record.read(tmp_path) is None

"""The drills here are watched for a while with trouble at known times; the floor must see exactly that."""

from dataclasses import replace

import pytest

from blackstart.errors import NotMeasured
from blackstart.observer.floor import Floor
from blackstart.observer.recorder import Recorder
from blackstart.observer.samples import Cause, Outcome
from blackstart.testing import FakeClock


@pytest.fixture
def look(tmp_path, planted):
    """What a floor of 90 % for 5 s says after ``seconds``; ``keep``: of the rows, those that were written."""

    def asked(troubles, seconds, keep=lambda row: row, running=False):
        seen = planted(troubles, seconds)
        recorder = Recorder(tmp_path, replace(seen.header, ended=None))
        for row in filter(None, map(keep, seen.rows)):
            recorder.add(row)
        recorder.flush() if running else recorder.close(ended=seconds)
        return Floor(tmp_path, FakeClock(monotonic=seconds), 0.9, 5.0).look()

    return asked


def test_users_who_are_served_end_nothing(look):
    assert look([], 20) is None


def test_users_who_are_not_served_for_so_long_end_the_drill(look, trouble):
    assert look([trouble(10, 20)], 16) == "the availability of users was below 90.00% for 5 s (in all 0.00%)"


def test_shorter_trouble_ends_nothing(look, trouble):
    assert look([trouble(10, 20)], 14) is None


def test_a_moment_in_which_users_are_served_counts_from_anew(look, trouble):
    assert look([trouble(10, 13), trouble(14.5, 20)], 18) is None


def test_trouble_above_the_floor_ends_nothing(look, trouble):
    few = [trouble(10 + tenth / 10, 10 + tenth / 10 + 0.005) for tenth in range(100)]
    assert look(few, 19) is None


def test_nobody_is_blamed_before_users_were_watched_for_so_long(look, trouble):
    assert look([trouble(0, 20)], 4) is None


def test_without_an_observer_nothing_can_be_told(tmp_path):
    (tmp_path / "drill.json").write_text('{"origin_monotonic": 0.0}')
    with pytest.raises(NotMeasured, match="no observer has begun"):
        Floor(tmp_path, FakeClock(), 0.9, 5.0).look()


def test_an_observer_that_fell_silent_cannot_tell(look):
    with pytest.raises(NotMeasured, match="has not written anything for"):
        look([], 30, keep=lambda row: row if row.number < 1000 else None, running=True)


def test_requests_that_were_never_sent_are_nobodys_failure(look):
    unsent = {"sent": float("nan"), "outcome": Outcome.FAILED, "cause": Cause.UNSENT}
    with pytest.raises(NotMeasured, match="nothing was sent in a part of the last 5 s"):
        look([], 20, keep=lambda row: row._replace(**unsent) if row.number > 1600 else row)

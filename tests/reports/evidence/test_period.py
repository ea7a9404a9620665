from datetime import UTC, datetime

import pytest

from blackstart.errors import ConfigInvalid
from blackstart.reports.evidence.period import parse


def test_days_are_whole_and_the_last_one_belongs_to_it():
    period = parse("2026-07-01", "2026-09-30")
    assert datetime(2026, 7, 1, tzinfo=UTC) in period
    assert datetime(2026, 9, 30, 23, 59, 59, 999_999, tzinfo=UTC) in period
    assert datetime(2026, 10, 1, tzinfo=UTC) not in period
    assert period.words == "2026-07-01 to 2026-09-30"
    assert period.file_words == "20260701-20260930"


def test_moments_are_taken_with_their_zone():
    period = parse("2026-07-01T12:00:00+02:00", "2026-07-01T11:00:00Z")
    assert period.start == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert period.words == "2026-07-01T10:00:00.000Z to 2026-07-01T11:00:00.000Z"
    assert period.file_words == "20260701T100000Z-20260701T110000Z"


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("2026-07-02", "2026-07-01", "is not after --from"),
        ("2026-07-01T12:00:00", "2026-07-02", "has no zone"),
        ("yesterday", "2026-07-02", "is no date; write a day like"),
        ("2026-02-30", "2026-07-02", "is no date"),
        ("2026-07-01", "9999-12-31", "is no date"),
        ("", "2026-07-01", "is no date"),
    ],
)
def test_what_is_no_period_is_refused(start, end, said):
    with pytest.raises(ConfigInvalid, match=said):
        parse(start, end)

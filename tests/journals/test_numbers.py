from datetime import UTC, datetime

import pytest

from blackstart.journals import numbers


def plain(text: str) -> str:
    return text.replace(numbers.NBSP, " ")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0 s"), (0.614, "0.61 s"), (9.99, "9.99 s"), (9.999, "10.0 s"), (71.23, "71.2 s"), (599.9, "599.9 s"),
        (599.96, "10 min 00 s"), (724, "12 min 04 s"), (float("inf"), "never"),
    ],
)  # fmt: skip
def test_durations_get_no_more_digits_than_they_are_worth(value, written):
    assert plain(numbers.seconds(value)) == written


def test_a_unit_never_leaves_its_number():
    assert numbers.seconds(71.2) == "71.2\u00a0s"
    assert " " not in numbers.latency(0.118) + numbers.percent(1, 3) + numbers.plural(7, "write")


@pytest.mark.parametrize(
    ("value", "error", "written"),
    [
        (71.2, 0.01, "71.2 ± 0.1 s"),
        (0.61, 0.03, "0.61 ± 0.03 s"),
        (724, 0.2, "12 min 04 s ± 1 s"),
        (71.2, 0.1, "71.2 ± 0.1 s"),
    ],
)
def test_an_error_is_rounded_up_to_the_digits_of_its_value(value, error, written):
    assert plain(numbers.seconds_with_error(value, error)) == written


@pytest.mark.parametrize(
    ("part", "whole", "written"),
    [
        (30_000, 30_000, "100 %"),
        (29_999, 30_000, "99.99 %"),
        (7_916, 10_000, "79.16 %"),
        (0, 10, "0 %"),
        (2, 3, "66.66 %"),
    ],
)
def test_shares_are_rounded_down_so_that_only_perfection_is_a_hundred(part, whole, written):
    assert plain(numbers.percent(part, whole)) == written
    assert plain(numbers.share_percent(part / whole)) == written


@pytest.mark.parametrize(("part", "written"), [(1, "less than 1 %"), (410, "41 %"), (999, "99 %"), (1000, "100 %")])
def test_rough_shares_round_neither_to_none_nor_to_all(part, written):
    assert plain(numbers.rough_percent(part, 1000)) == written


@pytest.mark.parametrize(
    ("value", "written"), [(0.118, "118 ms"), (0.0002, "< 1 ms"), (1.234, "1.2 s"), (0.0, "0 ms"), (0.00096, "1 ms")]
)
def test_latencies_are_whole_milliseconds(value, written):
    assert plain(numbers.latency(value)) == written


def test_goals_keep_the_digits_people_gave_them():
    assert plain(numbers.seconds_goal(90)) == "90 s"
    assert plain(numbers.seconds_goal(3600)) == "60 min"
    assert plain(numbers.seconds_goal(0.5)) == "0.5 s"
    assert plain(numbers.latency_goal(0.2)) == "200 ms"
    assert plain(numbers.share_goal(0.9999)) == "99.99 %"


def test_moments_count_from_the_fault_with_a_true_minus():
    assert plain(numbers.offset(-0.614)) == "−0.61 s"
    assert plain(numbers.offset(41.31)) == "+41.3 s"
    assert plain(numbers.offset(0.001)) == "0 s"


def test_wall_times_are_cut_off_not_rounded_and_end_in_z():
    moment = datetime(2026, 11, 23, 14, 3, 59, 996_000, tzinfo=UTC)
    assert numbers.clock_time(moment) == "14:03:59Z"
    assert numbers.clock_time(moment, 2) == "14:03:59.99Z"
    assert plain(numbers.day(moment)) == "23 Nov 2026"

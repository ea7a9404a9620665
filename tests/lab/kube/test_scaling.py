"""How many pods the use of CPU asks for."""

import pytest

from blackstart.lab.kube.controllers.scaling import PodLoad, recommend

REQUEST = 0.1


def pods(*percents):
    """Ready pods that use so many percent of their requests; None: not measured."""
    return [PodLoad(REQUEST, None if percent is None else REQUEST * percent / 100) for percent in percents]


def starting(percent=None):
    return PodLoad(REQUEST, None if percent is None else REQUEST * percent / 100, ready=False)


def wanted(current, target, loads):
    found = recommend(current, target, loads)
    return found and found.replicas


@pytest.mark.parametrize(
    ("percents", "replicas"), [((100, 100), 4), ((60, 60), 3), ((25, 25), 1), ((0, 0), 0), ((110, 10), 3)]
)
def test_the_average_use_against_the_target_gives_the_number(percents, replicas):
    assert wanted(2, 50, pods(*percents)) == replicas


@pytest.mark.parametrize("percent", [46, 50, 54])
def test_within_ten_percent_of_the_target_nothing_moves(percent):
    assert wanted(2, 50, pods(percent, percent)) == 2


def test_what_was_seen_is_told():
    found = recommend(2, 50, pods(40, 60))
    assert (found.utilization, round(found.average, 3)) == (50, 0.05)


def test_with_no_pod_measured_nothing_is_known():
    assert recommend(2, 50, pods(None, None)) is None
    assert recommend(1, 50, [starting(90)]) is None


def test_a_pod_that_is_not_measured_speaks_against_shrinking():
    assert wanted(2, 50, pods(10, None)) == 2
    assert wanted(2, 50, pods(10, 10)) == 1


def test_a_pod_that_is_not_measured_counts_as_idle_when_growing():
    assert wanted(2, 50, pods(200, 200)) == 8
    assert wanted(2, 50, pods(200, None)) == 4


def test_pods_that_start_count_as_idle_so_that_a_loss_is_no_reason_to_grow():
    assert wanted(4, 50, [*pods(90), starting(), starting(99), starting()]) == 4

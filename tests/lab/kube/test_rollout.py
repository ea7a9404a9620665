"""How large each ReplicaSet should be next."""

import pytest

from blackstart.lab.kube.controllers.rollout import Limits, Sizes, next_sizes, rolling_limits


def plan(replicas, limits, current, old, *, gone=False, paused=False):
    sizes = {name: Sizes(*pair) for name, pair in old.items()}
    found = next_sizes(replicas, limits, Sizes(*current), sizes, gone=gone, paused=paused)
    return found.current, dict(found.old)


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "limits"),
    [
        (6, "25%", "25%", Limits(2, 1)),
        (2, "25%", "25%", Limits(1, 0)),
        (4, 0, 0, Limits(0, 1)),
        (4, 1, "100%", Limits(1, 4)),
    ],
)
def test_shares_of_a_strategy_become_counts(replicas, surge, unavailable, limits):
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    assert rolling_limits(replicas, strategy) == limits


def test_recreating_has_no_limits():
    assert rolling_limits(3, {"type": "Recreate"}) is None


def test_without_an_old_set_the_current_one_gets_everything():
    assert plan(3, Limits(1, 0), (0, 0), {}) == (3, {})
    assert plan(1, Limits(1, 0), (3, 3), {"a": (0, 0)}) == (1, {"a": 0})


def test_a_roll_out_adds_before_it_takes_away():
    assert plan(4, Limits(1, 0), (0, 0), {"a": (4, 4)}) == (1, {"a": 4})
    assert plan(4, Limits(1, 0), (1, 0), {"a": (4, 4)}) == (1, {"a": 4})
    assert plan(4, Limits(1, 0), (1, 1), {"a": (4, 4)}) == (1, {"a": 3})
    assert plan(4, Limits(1, 0), (1, 1), {"a": (3, 3)}) == (2, {"a": 3})


def test_a_roll_out_may_take_away_first_if_it_may_be_short():
    assert plan(4, Limits(0, 1), (0, 0), {"a": (4, 4)}) == (0, {"a": 3})
    assert plan(4, Limits(0, 1), (0, 0), {"a": (3, 3)}) == (1, {"a": 3})


def test_broken_old_pods_go_first():
    assert plan(4, Limits(1, 0), (0, 0), {"b": (2, 2), "a": (3, 0)}) == (0, {"a": 2, "b": 2})


def test_a_roll_out_never_takes_more_available_pods_than_it_may():
    assert plan(4, Limits(2, 1), (2, 0), {"a": (4, 3)}) == (2, {"a": 3})


def test_recreating_waits_until_the_old_pods_are_gone():
    assert plan(3, None, (0, 0), {"a": (3, 3)}) == (0, {"a": 0})
    assert plan(3, None, (0, 0), {"a": (0, 0)}, gone=False) == (0, {"a": 0})
    assert plan(3, None, (0, 0), {"a": (0, 0)}, gone=True) == (3, {"a": 0})


def test_a_paused_roll_out_keeps_its_mix_when_it_is_scaled():
    assert plan(8, Limits(1, 1), (2, 2), {"a": (2, 2)}, paused=True) == (4, {"a": 4})

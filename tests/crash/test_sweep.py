"""A sample of the crash sweep, and that the sweep finds what is left."""

import random
from collections import Counter

import crashes
import pytest
import sweep
import world
from points import EXPERIMENTS, Point, Result, every, shortened

from blackstart import experiment
from blackstart.changes.reach import Boundary

PASSAGES = [
    *("logging", "logged", "applying", "applying", "applied", "applied", "marking", "marked"),
    *("undoing", "undone", "undoing", "undone", "marking", "marked", "verifying", "verified", "marking", "marked"),
]
SAMPLE = [
    pytest.param("zone-network-loss/drill:SIGKILL@marked:1+revert:SIGKILL@undone:1", marks=pytest.mark.sweep),
    "zone-network-loss/drill:with-reverter@applied:2+recover:SIGKILL@undone:1",
    "region-loss/drill:group@applied:3",
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with crashes.in_a_lab(tmp_path_factory.mktemp("sweep")) as found:
        yield found


@pytest.mark.lab
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", SAMPLE)
def test_whoever_dies_everything_is_put_back(lab, name):
    result = lab.run(Point.named(name))
    assert result.reached
    assert result.left == []


@pytest.mark.lab
@pytest.mark.timeout(240)
def test_what_nobody_puts_back_is_found(lab):
    result = lab.run(Point.named("zone-network-loss/drill:with-reverter@applied:2"), recover=False)
    assert result.reached
    assert any("/aws/guards/" in line for line in result.left)
    assert any(line.startswith("undo log: ") for line in result.left)
    assert sweep.summary([result], 1)["leftovers"] == len(result.left)


def test_every_passage_of_every_boundary_is_a_point():
    points = list(every("zone-network-loss", PASSAGES, 10.0, random.Random(1)))
    killed = Counter(
        at.partition(":")[0]
        for point in points
        if list(point.deaths) == ["drill"] and point.seconds is None
        for at, how in point.deaths.values()
        if how == "SIGKILL"
    )
    assert killed == Counter(PASSAGES)
    assert set(killed) == set(Boundary)
    assert len({point.name for point in points}) == len(points)


def test_a_point_is_known_by_its_name():
    for point in every("zone-network-loss", PASSAGES, 10.0, random.Random(1)):
        assert Point.named(point.name) == point


def test_the_same_seed_gives_the_same_times():
    one, same, other = (list(every("pod-kill", PASSAGES, 10.0, random.Random(seed))) for seed in (1, 1, 2))
    assert one == same
    assert one != other


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_what_the_sweep_runs_is_an_experiment(name):
    experiment.check(shortened(name, "a-check"), name)


def shop(writer, leads, follows="replica"):
    """What a lab holds of its databases: who writes by the API, and which servers lead and follow."""
    members = [
        {"DBInstanceIdentifier": f"shop-us-east-1-{number}", "IsClusterWriter": number == writer} for number in (1, 2)
    ]
    states = {f"postgres-us-east-1-{number}": "primary" if number in leads else follows for number in (1, 2)}
    home = {"aws": {"databases": {"shop": {"DBClusterMembers": members}}}, "stores": states | {"redis-1": "primary"}}
    return {world.REGIONS[0]: home, world.REGIONS[1]: {"stores": {"postgres-us-west-2-1": "standby"}}}


@pytest.mark.parametrize(
    ("after", "same"),
    [
        (shop(1, [1]), True),
        (shop(2, [2]), True),
        (shop(2, [1]), False),
        (shop(2, [1, 2]), False),
        (shop(2, []), False),
        (shop(2, [2], "down"), False),
        (shop(2, [2]) | {world.REGIONS[1]: {"stores": {"postgres-us-west-2-1": "replica"}}}, False),
    ],
    ids=["as it was", "moved", "half moved", "two lead", "nobody leads", "the other one is down", "elsewhere"],
)
def test_after_a_fail_over_only_the_leader_may_be_another_one(after, same):
    moved = crashes.MOVES["database-failover"]
    assert (moved(after) == moved(shop(1, [1]))) is same
    assert "zone-shift" not in crashes.MOVES


def test_the_summary_counts_what_died_and_what_was_left():
    told = sweep.summary(
        [Result("a", True, [], 1.0), Result("b", False, [], 1.0), Result("c", True, ["acl-1", "acl-2"], 1.0)], 7
    )
    assert (told["points"], told["not_reached"], told["leftovers"]) == (2, 1, 2)
    assert told["points_with_leftovers"] == ["c"]

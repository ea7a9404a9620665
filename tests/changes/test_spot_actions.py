import pytest
from spot_world import REGION, add_pool, group_of

from blackstart.actions.spot import interrupt_spot_nodes, suspend_launches
from blackstart.changes.spot_notice import (
    INTERRUPTION,
    REBALANCE,
)
from blackstart.changes.undo import undo
from blackstart.drill import DRILL_KEY
from blackstart.errors import ConfigInvalid, DrillStopped, Refused

pytest_plugins = ["spot_fixtures"]


def states(both, ids):
    found = both.aws("ec2", REGION).describe_instances(InstanceIds=list(ids))["Reservations"]
    return sorted(item["State"]["Name"] for reservation in found for item in reservation["Instances"])


def test_an_interruption_takes_its_real_course(drill, both, nodes, queue, messages):
    began = drill.clock.monotonic()
    done = interrupt_spot_nodes(
        REGION, "shop", count=2, queue="interruptions", rebalance_seconds=60, configuration={DRILL_KEY: drill}
    )
    told = [(event["detail-type"], event["time"]) for event in messages()]
    assert sorted(told) == [
        (REBALANCE, "2026-01-01T00:00:00Z"),
        (REBALANCE, "2026-01-01T00:00:00Z"),
        (INTERRUPTION, "2026-01-01T00:01:00Z"),
        (INTERRUPTION, "2026-01-01T00:01:00Z"),
    ]
    assert drill.clock.monotonic() - began == 180
    assert len(done["nodes"]) == 2
    assert states(both, nodes) == ["running", "running", "terminated", "terminated"]
    assert undo("drill-1", drill.gate.reach).complete


def test_without_a_notice_nobody_is_told_and_nobody_waits(drill, both, nodes, messages):
    began = drill.clock.monotonic()
    interrupt_spot_nodes(REGION, "shop", share=0.5, drain="none", configuration={DRILL_KEY: drill})
    assert states(both, nodes).count("terminated") == 2
    assert (messages(), drill.clock.monotonic()) == ([], began)


def test_a_drill_that_is_told_to_stop_terminates_nothing(drill, both, nodes, queue):
    drill.gate.reach.log.stop("drill-1", "enough")
    with pytest.raises(Refused, match="enough"):
        interrupt_spot_nodes(REGION, "shop", count=1, drain="none", configuration={DRILL_KEY: drill})
    assert states(both, nodes) == ["running"] * 4


def test_the_wait_for_the_end_of_the_notice_ends_when_the_drill_is_told_to_stop(drill, both, nodes, queue):
    slept = drill.clock.sleep

    def sleep(seconds):
        slept(seconds)
        drill.gate.reach.log.stop("drill-1", "enough")

    drill.clock.sleep = sleep
    began = drill.clock.monotonic()
    with pytest.raises(DrillStopped, match="enough"):
        interrupt_spot_nodes(REGION, "shop", count=1, queue=queue, configuration={DRILL_KEY: drill})
    assert drill.clock.monotonic() - began < 1
    assert states(both, nodes) == ["running"] * 4
    assert drill.must_end() == "enough"  # the control has still to hear it


def test_too_many_at_once_are_refused(drill, both, nodes):
    with pytest.raises(Refused, match="3 of 4 spot nodes of shop at once"):
        interrupt_spot_nodes(REGION, "shop", count=3, drain="none", configuration={DRILL_KEY: drill})
    assert states(both, nodes) == ["running"] * 4


def test_no_spot_nodes_is_nothing_to_interrupt(drill, both, spot_kube):
    with pytest.raises(Refused, match="shop has 0 running Spot nodes, 0 to interrupt"):
        interrupt_spot_nodes(REGION, "shop", count=1, drain="none", configuration={DRILL_KEY: drill})


def test_nodes_can_be_drained_by_us(drill, both, spot_kube, nodes):
    interrupt_spot_nodes(REGION, "shop", count=1, drain="us", configuration={DRILL_KEY: drill})
    kinds = [entry.change.kind for entry in drill.gate.reach.log.entries("drill-1")]
    assert kinds == ["kubernetes.cordon", "ec2.instance_termination"]


def test_no_capacity_and_then_an_interruption(drill, both, nodes):
    suspend_launches(REGION, groups="spot", configuration={DRILL_KEY: drill})
    interrupt_spot_nodes(REGION, "shop", count=2, drain="none", configuration={DRILL_KEY: drill})
    assert undo("drill-1", drill.gate.reach).complete


def test_groups_and_pools_launch_nothing(drill, both, spot_kube, vpc):
    group_of(both, vpc, "spot")
    add_pool(spot_kube, "karpenter")
    done = suspend_launches(REGION, vpc="shop", context="shop", configuration={DRILL_KEY: drill})
    assert len(done["changes"]) == 2
    assert undo("drill-1", drill.gate.reach).complete


@pytest.mark.parametrize(
    "asked",
    [
        {"by": "hand"},
        {"drain": "slowly"},
        {"by": "fis"},
        {"role": "arn:aws:iam::1:role/fis"},
        {"vpc": "shop"},
        {"context": ""},
        {"count": 0},
        {"share": 0.5},
    ],
)
def test_what_cannot_be_meant_is_invalid(drill, asked):
    usual = {"region": REGION, "context": "shop", "count": 1, "configuration": {DRILL_KEY: drill}}
    with pytest.raises(ConfigInvalid):
        interrupt_spot_nodes(**(usual | asked))


def test_launches_of_nothing_cannot_be_suspended(drill):
    with pytest.raises(ConfigInvalid):
        suspend_launches(REGION, configuration={DRILL_KEY: drill})

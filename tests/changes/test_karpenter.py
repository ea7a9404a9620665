from dataclasses import replace

import pytest
import spot_world
from spot_world import CLAIMS, POOLS, REGION, add_claim, add_node, add_pool, run_spot
from test_kind_permissions import differences, walk

from blackstart.changes.karpenter import KarpenterLimits, find_pools, plan_no_room
from blackstart.changes.karpenter_node import KarpenterNode
from blackstart.changes.kind import Ending
from blackstart.changes.spot import plan_interruption, spot_nodes_of_cluster
from blackstart.errors import Refused

pytest_plugins = ["spot_fixtures"]


def limits(spot_kube, name="spot"):
    return spot_kube.get(f"{POOLS}/{name}")["spec"].get("limits")


@pytest.mark.parametrize("before", [None, {}, {"cpu": 1000, "memory": "4000Gi"}, {"memory": "4000Gi"}])
def test_a_pool_has_no_room_and_then_its_limits_again(both, spot_kube, before):
    add_pool(spot_kube, "spot", before)
    changes = plan_no_room(find_pools(both, "shop", REGION))
    kind = KarpenterLimits()
    for _ in range(2):
        kind.apply(changes, both)
    assert limits(spot_kube) == {**(before or {}), "cpu": "0"}
    endings = [kind.undo(changes, both)[changes[0].id].ending for _ in range(2)]
    assert endings == [Ending.RESTORED, Ending.UNTOUCHED]
    assert limits(spot_kube) == before


def test_limits_that_somebody_set_meanwhile_stay(both, spot_kube):
    add_pool(spot_kube, "spot", {"cpu": "10"})
    changes = plan_no_room(find_pools(both, "shop", REGION))
    KarpenterLimits().apply(changes, both)
    spot_kube.patch(f"{POOLS}/spot", {"spec": {"limits": {"cpu": "20"}}})
    assert KarpenterLimits().undo(changes, both)[changes[0].id].ending is Ending.CONFLICT
    assert limits(spot_kube) == {"cpu": "20"}


def test_a_namesake_is_another_pool(both, spot_kube):
    add_pool(spot_kube, "spot")
    changes = plan_no_room(find_pools(both, "shop", REGION))
    spot_kube.delete(f"{POOLS}/spot")
    add_pool(spot_kube, "spot", {"cpu": "0"})
    assert KarpenterLimits().undo(changes, both)[changes[0].id].ending is Ending.CONFLICT


def test_a_pool_without_room_is_left_out_and_one_that_is_not_there_refused(both, spot_kube):
    add_pool(spot_kube, "spot", {"cpu": "0"})
    assert plan_no_room(find_pools(both, "shop", REGION)) == []
    with pytest.raises(Refused, match="shop has no such NodePools"):
        find_pools(both, "shop", REGION, ["other"])


def test_limiting_pools_calls_just_what_it_declares(both, spot_kube, calls):
    add_pool(spot_kube, "spot")
    changes = plan_no_room(find_pools(both, "shop", REGION))
    assert differences(changes, walk(changes, both, calls)) == {}


@pytest.fixture
def two_nodes(both, spot_kube, vpc):
    """Two Spot nodes of Karpenter's; gives the change that takes the first."""
    add_pool(spot_kube, "spot")
    for number, instance in enumerate(run_spot(both, vpc, 2)):
        add_node(spot_kube, f"node-{number}", instance)
        add_claim(spot_kube, f"node-{number}", "spot", instance)
    found = spot_nodes_of_cluster(both, REGION, "shop")
    return plan_interruption(found, found.nodes[:1])


def look(changes, both):
    outcome = KarpenterNode().undo(changes, both)[changes[0].id]
    return outcome.ending, outcome.note


def lose(spot_kube, name="node-0"):
    """Karpenter has noticed that the instance is gone."""
    spot_kube.delete(f"{CLAIMS}/{name}")
    spot_kube.delete(f"/api/v1/nodes/{name}")


def test_an_instance_that_still_runs_was_not_touched(both, two_nodes):
    assert look(two_nodes, both) == (Ending.UNTOUCHED, "")


def test_healed_is_a_pool_with_as_many_ready_nodes_as_before(both, spot_kube, two_nodes, vpc):
    for _ in range(2):
        KarpenterNode().apply(two_nodes, both)
    target = two_nodes[0].target
    assert look(two_nodes, both) == (Ending.WAITING, f"Karpenter has not missed {target} yet")
    spot_kube.delete(f"{CLAIMS}/node-0")
    assert look(two_nodes, both) == (Ending.WAITING, "NodePool spot has 1 of 2 NodeClaims ready")
    add_claim(spot_kube, "node-2", "spot", "i-0123456789abcdef0", ready=False)
    assert look(two_nodes, both) == (Ending.WAITING, "NodePool spot has 1 of 2 NodeClaims ready")
    spot_kube.patch(f"{CLAIMS}/node-2/status", {"status": spot_world.READY})
    assert look(two_nodes, both) == (Ending.RESTORED, "")


def test_fewer_nodes_are_enough_once_no_pod_waits_for_one(both, spot_kube, two_nodes):
    KarpenterNode().apply(two_nodes, both)
    lose(spot_kube)
    selector = {"blackstart/nowhere": "yes"}
    pod = {"containers": [{"name": "c", "image": "i"}], "nodeSelector": selector}
    spot_kube.post("/api/v1/namespaces/shop/pods", {"metadata": {"name": "stranded"}, "spec": pod})
    assert look(two_nodes, both) == (
        Ending.WAITING,
        "NodePool spot has 1 of 2 NodeClaims ready, and 1 pods have no node",
    )
    spot_kube.delete("/api/v1/namespaces/shop/pods/stranded", {"gracePeriodSeconds": 0})
    assert look(two_nodes, both) == (Ending.RESTORED, "")


def test_a_pool_that_was_deleted_heals_nothing(both, spot_kube, two_nodes):
    KarpenterNode().apply(two_nodes, both)
    lose(spot_kube)
    spot_kube.delete(f"{POOLS}/spot")
    assert look(two_nodes, both)[0] is Ending.CONFLICT


def test_losing_a_node_calls_just_what_it_declares(both, spot_kube, two_nodes, calls):
    made = walk(two_nodes, both, calls)
    lose(spot_kube)
    calls.clear()
    KarpenterNode().verify(two_nodes, both)
    made["karpenter.node"] |= set(map(str, calls))
    assert differences(two_nodes, made) == {}


def test_a_node_that_karpenter_did_not_launch_has_nobody_to_replace_it(both, spot_kube, two_nodes):
    found = spot_nodes_of_cluster(both, REGION, "shop")
    orphan = replace(found.nodes[0], claim=None)
    with pytest.raises(Refused, match="no Auto Scaling group would replace it"):
        plan_interruption(found, [orphan])

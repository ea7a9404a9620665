from dataclasses import replace
from random import Random

import pytest
from spot_world import REGION, add_claim, add_node, add_pool, run_spot

from blackstart.changes.pods import Many
from blackstart.changes.spot import draw_spot, plan_interruption, spot_nodes_of_cluster, spot_nodes_of_vpc
from blackstart.errors import Refused

pytest_plugins = ["spot_fixtures"]


def test_ec2_says_what_is_spot_and_not_the_labels(spot_kube, both, nodes):
    spot_kube.patch("/api/v1/nodes/node-4", {"metadata": {"labels": {"eks.amazonaws.com/capacityType": "SPOT"}}})
    add_node(spot_kube, "node-without-an-instance")
    found = spot_nodes_of_cluster(both, REGION, "shop")
    assert [(node.name, node.instance.id) for node in found.nodes] == [
        (f"node-{number}", instance) for number, instance in enumerate(nodes)
    ]
    assert found.total == 4


def test_one_that_does_not_run_any_more_is_none(both, nodes):
    both.aws("ec2", REGION).terminate_instances(InstanceIds=nodes[:1])
    assert [node.instance.id for node in spot_nodes_of_cluster(both, REGION, "shop").nodes] == nodes[1:]


def test_without_a_cluster_the_vpc_has_them(both, nodes, vpc):
    found = spot_nodes_of_vpc(both, REGION, vpc)
    assert [node.name for node in found.nodes] == sorted(nodes)
    assert found.share(found.nodes[0]).total == 4


def test_the_same_seed_draws_the_same_share_of_them(found):
    drawn = [draw_spot(found, Many(share=0.5), Random(seed)) for seed in (7, 7, 8)]
    assert len(drawn[0]) == 2
    assert drawn[0] == drawn[1] != drawn[2]


def test_all_go_at_once_and_count_as_nodes(found):
    changes = plan_interruption(found, found.nodes)
    assert {change.kind for change in changes} == {"ec2.instance_termination"}
    assert {change.step for change in changes} == {0}
    assert [change.share.members for change in changes] == [(node.name,) for node in found.nodes]
    assert {(change.share.unit, change.share.of, change.share.total) for change in changes} == {
        ("spot node", "shop", 4)
    }


def test_karpenter_heals_what_it_has_launched(both, spot_kube, vpc):
    (instance,) = run_spot(both, vpc, 1)
    add_pool(spot_kube, "spot")
    add_node(spot_kube, "node-k", instance)
    add_claim(spot_kube, "node-k", "spot", instance)
    found = spot_nodes_of_cluster(both, REGION, "shop")
    (change,) = plan_interruption(found, found.nodes)
    assert (change.kind, change.before["pool"], change.before["ready"]) == ("karpenter.node", "spot", 1)


def test_what_nothing_would_replace_is_refused(both, spot_kube, vpc):
    (instance,) = run_spot(both, vpc, 1)
    add_node(spot_kube, "node-alone", instance)
    found = spot_nodes_of_cluster(both, REGION, "shop")
    with pytest.raises(Refused, match="no Auto Scaling group would replace it"):
        plan_interruption(found, found.nodes)


def test_a_group_that_cannot_launch_heals_only_if_the_drill_lets_it_again(found):
    groups = tuple(replace(group, suspended=frozenset({"Launch"})) for group in found.groups)
    frozen = replace(found, groups=groups)
    with pytest.raises(Refused):
        plan_interruption(frozen, frozen.nodes)
    assert len(plan_interruption(frozen, frozen.nodes, ["spot"])) == 4

from dataclasses import replace

import pytest

from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.node_group import NodeGroupSizes, find_node_group, plan_resize
from blackstart.changes.undo import undo
from blackstart.errors import Refused


@pytest.fixture
def eks(clients, vpc):
    eks = clients.aws("eks", "us-east-1")
    eks.create_cluster(name="shop", roleArn="arn:aws:iam::123456789012:role/eks", resourcesVpcConfig={})
    eks.create_nodegroup(
        clusterName="shop",
        nodegroupName="spot",
        scalingConfig={"minSize": 1, "maxSize": 4, "desiredSize": 3},
        subnets=[],
        nodeRole="arn:aws:iam::123456789012:role/node",
        tags={"blackstart": "allowed"},
    )
    return eks


@pytest.fixture
def sizes(eks):
    return lambda: eks.describe_nodegroup(clusterName="shop", nodegroupName="spot")["nodegroup"]["scalingConfig"]


def test_a_node_group_is_resized_and_gets_its_sizes_back(clients, sizes, aws_gate):
    before = sizes()
    gate = replace(aws_gate, scope=aws_gate.scope.model_copy(update={"shares": {"node": 1.0}}))
    inject(plan_resize(find_node_group(clients, "us-east-1", "shop", "spot"), 0), gate, "resizing spot")
    assert sizes() == {"minSize": 0, "maxSize": 4, "desiredSize": 0}
    assert undo("drill-1", aws_gate.reach).complete
    assert sizes() == before


def test_more_nodes_than_their_share_stay(clients, sizes, aws_gate):
    found = find_node_group(clients, "us-east-1", "shop", "spot")
    with pytest.raises(Refused, match="would take 2 of 3 nodes of node group shop/spot at once"):
        inject(plan_resize(found, 1), aws_gate, "resizing spot")
    assert sizes()["desiredSize"] == 3
    inject(plan_resize(found, 2), aws_gate, "resizing spot")
    assert sizes()["desiredSize"] == 2


def test_growing_takes_nothing_away(clients, eks):
    (change,) = plan_resize(find_node_group(clients, "us-east-1", "shop", "spot"), 4)
    assert change.share is None


def test_its_size_already_is_nothing_to_change(clients, eks):
    assert plan_resize(find_node_group(clients, "us-east-1", "shop", "spot"), 3) == []


def test_one_that_does_not_exist_is_refused(clients, eks):
    with pytest.raises(Refused, match="there is no such node group"):
        find_node_group(clients, "us-east-1", "shop", "none")


def test_what_an_autoscaler_moved_is_kept_and_our_limit_goes(clients, eks, sizes):
    (change,) = plan_resize(find_node_group(clients, "us-east-1", "shop", "spot"), 0)
    NodeGroupSizes().apply([change], clients)
    config = {"minSize": 0, "maxSize": 4, "desiredSize": 2}
    eks.update_nodegroup_config(clusterName="shop", nodegroupName="spot", scalingConfig=config)
    assert NodeGroupSizes().undo([change], clients)[change.id].ending is Ending.CONFLICT
    assert sizes() == {"minSize": 1, "maxSize": 4, "desiredSize": 2}


def test_one_that_was_deleted_is_a_conflict(clients, eks):
    (change,) = plan_resize(find_node_group(clients, "us-east-1", "shop", "spot"), 0)
    eks.delete_nodegroup(clusterName="shop", nodegroupName="spot")
    assert NodeGroupSizes().undo([change], clients)[change.id].ending is Ending.CONFLICT

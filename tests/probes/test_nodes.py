import pytest

from blackstart.errors import ConfigInvalid, NotMeasured
from blackstart.probes import nodes

SPOT, ON_DEMAND = {"eks.amazonaws.com/capacityType": "SPOT"}, {"eks.amazonaws.com/capacityType": "ON_DEMAND"}
LOST = [{"target": {"kind": "instance", "id": "i-1", "zone": "a"}}]


def test_ready_nodes_are_counted_by_zone(shop):
    shop.node("n1", "a")
    shop.node("n2", "a", ready=False)
    shop.node("n3", "b", ready=False)
    assert nodes.ready_nodes_by_zone() == {"a": 1, "b": 0}
    assert (nodes.ready_nodes(), nodes.ready_nodes(zone="a"), nodes.ready_nodes("shop-admin", "b")) == (1, 1, 0)


def test_the_node_mix_is_the_share_of_spot_nodes_by_whoever_labelled_them(shop):
    shop.node("n1", labels=SPOT)
    shop.node("n2", labels=ON_DEMAND)
    shop.node("n3", labels={"karpenter.sh/capacity-type": "on-demand"})
    shop.node("n4", labels={"node.kubernetes.io/lifecycle": "spot"})
    shop.node("n5", labels=SPOT, ready=False)
    assert nodes.node_mix() == 0.5
    assert nodes.node_mix(selector="karpenter.sh/capacity-type") == 0.0


def test_a_mix_with_a_node_that_does_not_say_what_it_is_is_not_measured(shop):
    with pytest.raises(NotMeasured, match="no node is ready"):
        nodes.node_mix()
    shop.node("n1", labels=SPOT)
    shop.node("n2")
    with pytest.raises(NotMeasured, match="n2 does not say"):
        nodes.node_mix()


def test_a_lost_node_that_is_still_ready_is_not_its_own_replacement(shop, drilled):
    shop.node("n1", "a", instance="i-1")
    shop.node("n2", "b", instance="i-2")
    assert nodes.nodes_replaced_seconds(limit_seconds=1.0, configuration=drilled(ago=2.0, changes=LOST)) is None


def test_another_node_in_the_place_of_a_lost_one_is(shop, drilled):
    shop.node("n2", "b", instance="i-2")
    shop.node("n3", "a", instance="i-3")
    found = nodes.nodes_replaced_seconds(wanted=2, limit_seconds=9.0, configuration=drilled(ago=2.0, changes=LOST))
    assert 0 < found <= 9
    configuration = drilled(ago=2.0, changes=LOST)
    assert 0 < nodes.nodes_replaced_seconds(zone="a", limit_seconds=9.0, configuration=configuration) <= 9
    assert nodes.nodes_replaced_seconds(wanted=3, limit_seconds=1.0, configuration=configuration) is None


def test_a_cordon_loses_no_node(shop, drilled):
    cordon = {"kind": "kubernetes.cordon", "target": {"kind": "node", "id": "n1", "zone": "a"}}
    with pytest.raises(NotMeasured, match="no change names a node"):
        nodes.nodes_replaced_seconds(limit_seconds=1.0, configuration=drilled(changes=[cordon]))


def test_with_a_selector_it_must_be_said_how_many_nodes_are_wanted(drilled):
    with pytest.raises(ConfigInvalid, match="how many nodes are wanted"):
        nodes.nodes_replaced_seconds(selector="x=y", limit_seconds=1.0, configuration=drilled(changes=LOST))

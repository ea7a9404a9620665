"""Against the lab's Kubernetes API server."""

from random import Random

import pytest

from blackstart.changes.kube_nodes import Node, Nodes, Which, draw_nodes, find_nodes, instances_of
from blackstart.errors import ConfigInvalid, Refused


def node(name, zone="us-east-1a", instance="i-1", **more):
    given = {"capacity": "on-demand", "cordoned": False, "ready": True, "labels": {}} | more
    return Node(name, name, zone=zone, region="us-east-1", instance=instance, **given)


FOUND = Nodes("shop", "shop", tuple(node(f"n{number}", instance=f"i-{number}") for number in range(10)), 20)


@pytest.fixture
def nodes(kube_clients):
    """What the cluster has beside its two nodes: a Spot one of EKS, whose instance is known, and one of Karpenter."""
    kube = kube_clients.kube("shop")
    for name, label, value in (
        ("spot", "eks.amazonaws.com/capacityType", "SPOT"),
        ("pool", "karpenter.sh/capacity-type", "on-demand"),
    ):
        labels = {label: value, "topology.kubernetes.io/zone": "us-east-1c", "team": name}
        spec = {"providerID": f"aws:///us-east-1c/i-0{name.encode().hex()}", "unschedulable": name == "pool" or None}
        kube.post("/api/v1/nodes", {"metadata": {"name": name, "labels": labels}, "spec": spec})
    yield kube_clients
    for name in ("spot", "pool"):
        kube.delete(f"/api/v1/nodes/{name}")


def names(clients, **asked):
    return [found.name for found in find_nodes(clients, "shop-admin", Which(**asked)).nodes]


def test_nodes_are_found_by_what_is_asked_of_them(nodes):
    assert names(nodes) == ["node-a", "node-b", "pool", "spot"]
    assert names(nodes, names=("node-b", "spot")) == ["node-b", "spot"]
    assert names(nodes, zone="us-east-1c") == ["pool", "spot"]
    assert names(nodes, selector="team in (spot)") == ["spot"]
    assert names(nodes, capacity_type="spot") == ["spot"]
    assert names(nodes, capacity_type="on-demand", zone="us-east-1b") == []


def test_a_node_is_read_with_its_instance_and_its_state(nodes):
    found = find_nodes(nodes, "shop-admin", Which())
    assert (found.cluster, found.total) == ("shop", 4)
    by_name = {each.name: each for each in found.nodes}
    assert (by_name["spot"].instance, by_name["spot"].cordoned, by_name["spot"].ready) == ("i-073706f74", False, False)
    assert (by_name["pool"].capacity, by_name["pool"].cordoned) == ("on-demand", True)
    assert (by_name["node-a"].zone, by_name["node-a"].region, by_name["node-a"].ready) == (
        "us-east-1a",
        "us-east-1",
        True,
    )


def test_one_that_is_named_and_does_not_exist_is_refused(nodes):
    with pytest.raises(Refused, match="not touching nodes none: shop has no such nodes"):
        names(nodes, names=("none", "node-a"))


def test_a_capacity_type_that_does_not_exist_is_bad_input():
    with pytest.raises(ConfigInvalid, match="'cheap' is none"):
        Which(capacity_type="cheap")


def test_the_same_seed_draws_the_same_nodes():
    def drawn(seed, **many):
        given = {"count": 0, "share": 0.0} | many
        return [each.name for each in draw_nodes(FOUND, Which(), random=Random(seed), **given).nodes]

    assert drawn(1, count=3) == drawn(1, count=3)
    assert len({tuple(drawn(seed, count=3)) for seed in range(9)}) > 1
    assert len(drawn(1, share=0.3)) == 3
    with pytest.raises(ConfigInvalid, match="either a count"):
        drawn(1)


def test_all_that_are_named_are_meant_unless_it_is_said_how_many():
    which = Which(names=("n1", "n2"))
    assert draw_nodes(FOUND, which, 0, 0.0, Random(1)) == FOUND
    assert len(draw_nodes(FOUND, which, 1, 0.0, Random(1)).nodes) == 1


def test_a_share_is_of_all_nodes_of_the_cluster():
    share = FOUND.share(FOUND.nodes[0])
    assert (share.unit, share.of, share.members, share.total) == ("node", "shop", ("n0",), 20)


def test_a_node_that_names_no_instance_is_refused():
    assert list(instances_of(FOUND)) == [f"i-{number}" for number in range(10)]
    with pytest.raises(Refused, match=r"which EC2 instance it is \(spec.providerID\)"):
        instances_of(FOUND.of([node("bare", instance="")]))

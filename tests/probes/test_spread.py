import pytest

from blackstart.errors import NotMeasured
from blackstart.probes import spread

ORDERS = {"matchLabels": {"app": "orders"}}
TAINT = {"key": "test.dev/own", "value": "x", "effect": "NoSchedule"}


def by_zone(**more):
    hard = {"topologyKey": "topology.kubernetes.io/zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
    return hard | {"labelSelector": ORDERS} | more


@pytest.fixture
def zones(shop):
    """Zones a and b with a node each; gives what puts so many ready pods on them."""
    shop.node("n1", "a")
    shop.node("n2", "b")

    def place(on_a, on_b):
        for node, number in (("n1", on_a), ("n2", on_b)):
            for each in range(number):
                shop.pod(f"{node}-{each}", node)

    return place


def test_the_spread_is_the_skew_of_ready_pods_over_zones_that_take_pods(shop, zones):
    zones(3, 1)
    assert spread.zone_spread(shop.name) == 2
    shop.node("n3", "c", unschedulable=True)
    shop.node("n4", "d", ready=False)
    assert spread.zone_spread(shop.name) == 2
    shop.node("n5", "e")
    assert spread.zone_spread(shop.name) == 3


def test_no_ready_pod_is_no_even_spread(shop, zones):
    with pytest.raises(NotMeasured, match="no pod is ready"):
        spread.zone_spread(shop.name)
    for node in list(shop.nodes):
        shop.lose(node)
    with pytest.raises(NotMeasured, match="no zone"):
        spread.zone_spread(shop.name)


@pytest.mark.parametrize(
    ("placed", "constraint", "violated"),
    [
        ((2, 1), by_zone(), 0),
        ((3, 1), by_zone(), 1),
        ((3, 1), by_zone(maxSkew=2), 0),
        ((3, 0), by_zone(), 1),
        ((1, 1), by_zone(minDomains=3), 0),
        ((2, 2), by_zone(minDomains=3), 1),
        ((2, 2), by_zone(minDomains=2), 0),
        ((3, 1), by_zone(labelSelector={"matchLabels": {"app": "none"}}), 0),
        ((3, 1), by_zone(labelSelector={"matchExpressions": [{"key": "app", "operator": "Exists"}]}), 1),
    ],
)
def test_pods_are_held_against_the_constraint_of_their_workload(shop, zones, placed, constraint, violated):
    zones(*placed)
    shop.deployment(spread=[constraint])
    assert len(spread.spread_violations(shop.name, "Deployment/orders")) == violated


def test_a_violation_says_how_far_it_goes(shop, zones):
    zones(4, 1)
    shop.deployment(spread=[by_zone()])
    (said,) = spread.spread_violations(shop.name, "Deployment/orders")
    assert said == "topology.kubernetes.io/zone a has 4 pods and the emptiest 1, so 3 more; 1 are allowed"


def test_a_wish_counts_only_if_asked_and_a_workload_without_constraints_is_not_measured(shop, zones):
    zones(3, 1)
    shop.deployment(spread=[by_zone(whenUnsatisfiable="ScheduleAnyway")])
    assert len(spread.spread_violations(shop.name, "Deployment/orders", also_soft=True)) == 1
    with pytest.raises(NotMeasured, match="no constraint that must hold"):
        spread.spread_violations(shop.name, "Deployment/orders")


def test_a_workload_without_pods_is_not_spread_well(shop, zones):
    shop.deployment(spread=[by_zone()])
    with pytest.raises(NotMeasured, match="no pod"):
        spread.spread_violations(shop.name, "Deployment/orders")


def test_nodes_where_the_pods_may_not_be_are_no_domain(shop, zones):
    zones(1, 0)
    shop.lose("n2")
    shop.node("n2", "b", labels={"pool": "other"}, taints=[TAINT])
    shop.pod("second", "n1")
    shop.deployment("everywhere", spread=[by_zone()])
    for name, constraint, spec in (
        ("by-taint", by_zone(nodeTaintsPolicy="Honor"), {}),
        ("by-affinity", by_zone(), {"affinity": needs("pool", "DoesNotExist")}),
    ):
        shop.deployment(name, spread=[constraint], **spec)
    for name, violated in (("everywhere", 1), ("by-taint", 0), ("by-affinity", 0)):
        shop.pod(f"own-{name}", "n1", labels={"app": name})
        assert len(spread.spread_violations(shop.name, f"Deployment/{name}")) == violated, name


def needs(key, operator, *values):
    term = {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    return {"nodeAffinity": required}


def test_revisions_that_are_held_apart_are_counted_apart(shop, zones):
    shop.deployment(spread=[by_zone(matchLabelKeys=["pod-template-hash"])])
    for number, (node, revision) in enumerate([("n1", "old"), ("n1", "old"), ("n2", "new"), ("n2", "new")]):
        shop.pod(f"p{number}", node, labels={"app": "orders", "pod-template-hash": revision})
    assert len(spread.spread_violations(shop.name, "Deployment/orders")) == 2

"""What a standby cluster has against what home needs: here both are namespaces of one cluster."""

import json

import pytest

from blackstart.errors import NotMeasured
from blackstart.observer import jsonl
from blackstart.probes import _capacity, standby

CONTEXT = "shop-admin"
ASKS = {"resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}


def container(**more):
    return {"containers": [{"name": "c", "image": "c:1", **more}]}


def taint(shop):
    """Keeps the pods of other tests away."""
    return {"key": shop.name, "value": "yes", "effect": "NoSchedule"}


@pytest.fixture
def region(shop):
    """A node of two cores, and the deployment orders with so many replicas that ask for half a core."""

    def make(replicas, pods="10", cpu="2"):
        shop.node(f"{shop.name}-n", "a", taints=[taint(shop)])
        room = {"cpu": cpu, "memory": "8Gi", "pods": pods}
        shop.kube.patch(f"/api/v1/nodes/{shop.name}-n/status", {"status": {"allocatable": room}})
        bears = {"tolerations": [{"key": shop.name, "operator": "Exists"}]}
        shop.deployment(replicas=replicas, **container(**ASKS), **bears)
        return lambda **more: standby.standby_capacity(CONTEXT, CONTEXT, shop.name, **more)

    yield make
    if shop.kube.find(shop.at("deployments", "orders", "/apis/apps/v1")):
        shop.kube.delete(shop.at("deployments", "orders", "/apis/apps/v1"), {"propagationPolicy": "Background"})


def test_a_node_that_is_closed_to_a_workload_is_no_room_for_it(shop, region):
    look = region(4)
    shop.kube.patch(f"/api/v1/nodes/{shop.name}-n", {"spec": {"taints": [taint(shop), {**taint(shop), "key": "gpu"}]}})
    assert look()["share"] == 0.0


def test_a_standby_with_room_for_all_is_enough(region):
    found = region(4)()
    assert found == {"enough": True, "missing": [], "share": 1.0, "nodes_to_add": 0}


def test_what_is_missing_is_named_with_how_much(region):
    found = region(8)()
    assert (found["enough"], found["share"], found["nodes_to_add"]) == (False, 0.5, 1)
    assert found["missing"] == ["the standby's nodes have room for 2 of 4 cores, with all the nodes that it may add"]


def test_pods_of_others_take_room_and_its_own_do_not(shop, region):
    look = region(4)
    shop.pod("ours", f"{shop.name}-n")
    assert look()["enough"]
    shop.kube.post(
        shop.at("pods"),
        {"metadata": {"name": "theirs"}, "spec": {"nodeName": f"{shop.name}-n", **container(**ASKS)}},
    )
    assert look()["share"] == 0.75


def test_a_node_that_may_not_be_placed_on_does_not_count(shop, region):
    look = region(4)
    shop.kube.patch(f"/api/v1/nodes/{shop.name}-n", {"spec": {"unschedulable": True}})
    assert look()["share"] == 0.0


def test_a_quota_is_a_ceiling(shop, region):
    look = region(4)
    shop.kube.post(shop.at("resourcequotas"), {"metadata": {"name": "limits"}, "spec": {"hard": {"pods": "2"}}})
    found = look()
    assert (found["share"], found["missing"]) == (0.5, ["resource quota limits allows 2 of 4 pods"])


def test_an_autoscaler_is_a_ceiling_and_a_missing_deployment_is_missing():
    spec = {"replicas": 4, "template": {"spec": container()}}
    need = [{"metadata": {"name": name}, "spec": spec} for name in ("orders", "worker")]
    scaler = {"metadata": {"name": "orders-scaler"}, "spec": {"maxReplicas": 3}}
    there = standby._Standby([], [], {"orders": need[0]}, {"orders": scaler}, [])
    found = {check.problem: check.share for check in standby._workloads(need, there)}
    assert found == {
        "autoscaler orders-scaler allows 3 of 4 replicas": 0.75,
        "the standby has no deployment worker": 0.0,
    }


def test_a_home_without_workloads_needs_nothing_that_could_be_measured(shop):
    with pytest.raises(NotMeasured, match="no deployment"):
        standby.standby_capacity(CONTEXT, CONTEXT, shop.name)


def test_after_the_fault_it_tells_what_it_told_before(shop, region, tmp_path):
    look = region(4)
    (tmp_path / "drill.json").write_text(json.dumps({"origin_monotonic": 0.0}))
    configuration = {"blackstart_journal": str(tmp_path)}
    assert look(configuration=configuration)["enough"]
    shop.kube.patch(f"/api/v1/nodes/{shop.name}-n", {"spec": {"unschedulable": True}})
    assert not look(configuration=configuration)["enough"]
    shop.kube.patch(f"/api/v1/nodes/{shop.name}-n", {"spec": {"unschedulable": False}})
    jsonl.append(tmp_path / "changes.jsonl", {"change": "c", "state": "applied", "monotonic": 1e12})
    assert not look(configuration=configuration)["enough"]
    assert standby.standby_share(CONTEXT, CONTEXT, shop.name, configuration=configuration) == 0.0


@pytest.mark.parametrize(("text", "number"), [("250m", 0.25), ("2", 2.0), (4, 4.0), ("1Gi", 2.0**30), ("1e3", 1000.0)])
def test_quantities_are_read_as_kubernetes_writes_them(text, number):
    assert _capacity.quantity(text) == number


def test_a_quantity_that_is_none_is_not_measured():
    with pytest.raises(NotMeasured, match="no quantity"):
        _capacity.quantity("many")


def test_the_largest_init_container_counts_where_it_is_larger():
    big = {"name": "i", "resources": {"requests": {"cpu": "2"}}}
    spec = {"containers": [{"resources": {"limits": {"cpu": "1"}}}, {}], "initContainers": [big]}
    assert _capacity.requested(spec).cpu == 2.0


@pytest.mark.parametrize(("name", "size"), [("db.r7g.large", 2.0), ("db.t4g.medium", 1.0), ("db.r7g.16xlarge", 64.0)])
def test_instance_classes_are_compared_by_size(name, size):
    assert _capacity.instance_size(name) == size

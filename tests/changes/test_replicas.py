"""Against the lab's Kubernetes API server; the tests play the kubelet."""

import kube_server
import pytest
from kube_server import ORDERS, await_field, patiently
from test_kind_permissions import differences, walk

from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.replicas import Replicas, plan_scale
from blackstart.changes.undo import undo
from blackstart.changes.workloads import find_workload, unready
from blackstart.errors import ApplyFailed, ConfigInvalid, NotYet, Refused

SCALING = "scaling orders"
AUTOSCALERS = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers"


@pytest.fixture
def heal(kube):
    with kube_server.settled_orders(kube) as settle:
        yield settle


@pytest.fixture
def found(kube_clients, heal):
    return lambda: find_workload(kube_clients, "shop-admin", "Deployment", "shop", "orders")


def replicas(kube):
    return kube.get(ORDERS)["spec"]["replicas"]


def test_a_workload_is_found_with_its_pods_and_its_region(found):
    workload = found()
    assert (workload.cluster, workload.region, workload.replicas) == ("shop", "us-east-1", 4)
    assert (len(workload.pods), workload.unready, workload.autoscaler) == (4, "", None)
    assert workload.target.tags["blackstart"] == "allowed"


def test_one_that_does_not_exist_is_refused(kube_clients):
    with pytest.raises(Refused, match="no Deployment none"):
        find_workload(kube_clients, "shop", "Deployment", "shop", "none")
    with pytest.raises(ConfigInvalid, match="'DaemonSet' is none that has replicas"):
        find_workload(kube_clients, "shop", "DaemonSet", "shop", "none")


def test_a_service_goes_to_zero_and_is_back_only_when_its_pods_are_ready(kube, found, heal, wide_gate):
    inject(plan_scale(found()), wide_gate, SCALING)
    assert replicas(kube) == 0
    await_field(kube, ORDERS, lambda item: not item["status"].get("readyReplicas"))
    report = undo("drill-1", wide_gate.reach)
    assert replicas(kube) == 4
    (reason,) = report.remaining.values()
    assert "deployment orders is not what it was yet: it has 0 of 4 pods ready" in reason
    heal()
    assert undo("drill-1", wide_gate.reach).complete


def test_it_takes_so_many_of_its_pods(found):
    workload = found()
    (change,) = plan_scale(workload, 1)
    assert (change.share.unit, change.share.of) == ("pod", "shop/shop Deployment orders")
    assert (change.share.members, change.share.total) == (workload.pods[1:], 4)
    assert (change.summary, change.undo_summary) == (
        "Deployment shop/orders: 4 → 1 replicas",
        "giving it 4 replicas again",
    )


def test_more_than_the_scope_permits_is_refused(kube, found, kube_gate):
    with pytest.raises(Refused, match="all 4 pods of shop/shop Deployment orders at once"):
        inject(plan_scale(found()), kube_gate(), SCALING)
    assert replicas(kube) == 4


@pytest.mark.parametrize("wanted", [4, 5, -1])
def test_what_takes_no_pods_away_is_refused(found, wanted):
    with pytest.raises(Refused, match="it is at 4, so that would take no pods away"):
        plan_scale(found(), wanted)


def test_one_that_is_not_well_is_refused_unless_that_does_not_matter(kube, found, heal):
    kube.patch(ORDERS, {"spec": {"replicas": 5}})
    await_field(kube, ORDERS, lambda item: unready("Deployment", item).startswith("it has"))
    with pytest.raises(Refused, match="it is not well to begin with: it has 4 of 5 pods ready"):
        plan_scale(found())
    assert plan_scale(found(), even_unready=True)
    kube.patch(ORDERS, {"spec": {"replicas": 4}})


def test_a_roll_out_under_way_is_not_well():
    status = {"observedGeneration": 2, "replicas": 3, "readyReplicas": 2, "updatedReplicas": 1}
    item = {"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status}
    assert unready("Deployment", item) == "it has 3 pods instead of 2"
    assert unready("Deployment", item | {"status": status | {"replicas": 2}}) == "1 of its 2 pods are of its template"
    assert unready("Deployment", item | {"metadata": {"generation": 3}}) == "its controller has not looked at it yet"
    assert unready("StatefulSet", item | {"status": status | {"replicas": 2}}) == ""


def test_what_somebody_else_has_scaled_meanwhile_is_a_conflict_and_kept(kube, found, wide_gate):
    inject(plan_scale(found()), wide_gate, SCALING)
    kube.patch(ORDERS, {"spec": {"replicas": 2}})
    (reason,) = undo("drill-1", wide_gate.reach).conflicts.values()
    assert "deployment orders was changed by somebody else: replicas 2" in reason
    assert replicas(kube) == 2


def test_what_somebody_else_has_scaled_before_it_was_applied_is_left_alone(kube, found, wide_gate):
    changes = plan_scale(found())
    kube.patch(ORDERS, {"spec": {"replicas": 3}})
    with pytest.raises(ApplyFailed, match=r"replicas 3.*nothing is left"):
        inject(changes, wide_gate, SCALING)
    assert replicas(kube) == 3


def test_a_namesake_that_came_meanwhile_is_not_touched(kube, found, kube_clients):
    (change,) = plan_scale(found())
    kube.patch(ORDERS, {"spec": {"replicas": 0}})
    change.before["uid"] = "another"
    assert Replicas().undo([change], kube_clients)[change.id].ending is Ending.CONFLICT
    assert replicas(kube) == 0


class Meddler(Replicas):
    """Somebody writes to the workload just after it was read."""

    def read(self, changes, clients):
        seen = super().read(changes, clients)
        clients.kube("shop").patch(ORDERS, {"metadata": {"annotations": {"written": changes[0].id}}})
        return seen


def test_it_is_never_written_to_blindly(kube, found, kube_clients):
    (change,) = plan_scale(found())
    with pytest.raises(NotYet, match="being changed by somebody else"):
        Meddler().apply([change], kube_clients)
    assert replicas(kube) == 4


@pytest.fixture
def autoscaler(kube, heal):
    aim = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "orders"}
    spec = {"scaleTargetRef": aim, "minReplicas": 2, "maxReplicas": 8}
    kube.post(AUTOSCALERS, {"metadata": {"name": "orders"}, "spec": spec})
    yield
    kube.delete(f"{AUTOSCALERS}/orders")


def test_what_an_autoscaler_has_chosen_is_as_good_as_before(autoscaler, kube, found, kube_clients):
    (change,) = plan_scale(found(), 1)
    assert "which HorizontalPodAutoscaler orders may change again" in change.undo_summary
    kind = Replicas()
    kube.patch(ORDERS, {"spec": {"replicas": 6}})
    assert kind.undo([change], kube_clients)[change.id].ending is Ending.UNTOUCHED
    kube.patch(ORDERS, {"spec": {"replicas": 9}})
    assert kind.undo([change], kube_clients)[change.id].ending is Ending.CONFLICT
    kube.patch(ORDERS, {"spec": {"replicas": 4}})


def test_it_calls_just_what_it_declares(kube_clients, found, heal, monkeypatch):
    calls = []
    monkeypatch.setattr(kube_clients, "_record", calls.append)
    changes = plan_scale(found())
    made = patiently(lambda: walk(changes, kube_clients, calls))
    assert differences(changes, made) == {}
    heal()


def test_a_stateful_set_calls_just_what_it_declares(kube, kube_clients, monkeypatch):
    calls, labels = [], {"app": "store"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template, "serviceName": "store"}
    kube.post("/apis/apps/v1/namespaces/default/statefulsets", {"metadata": {"name": "store"}, "spec": spec})
    found = find_workload(kube_clients, "shop", "StatefulSet", "default", "store")
    monkeypatch.setattr(kube_clients, "_record", calls.append)
    changes = plan_scale(found, even_unready=True)
    assert differences(changes, patiently(lambda: walk(changes, kube_clients, calls))) == {}
    kube.delete("/apis/apps/v1/namespaces/default/statefulsets/store")

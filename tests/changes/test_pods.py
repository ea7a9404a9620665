"""Against the lab's Kubernetes API server, in a process of its own; the tests play the kubelet."""

import kube_server
import pytest
from kube_server import names

from blackstart.changes.clients import Clients
from blackstart.changes.gate import Gate, inject
from blackstart.changes.kind import Ending
from blackstart.changes.log import Drill
from blackstart.changes.mirror import Mirror
from blackstart.changes.owner import here
from blackstart.changes.pods import Pod, PodDeletion, Pods, find_pods, plan_deletion
from blackstart.changes.reach import Reach
from blackstart.changes.registry import Kinds
from blackstart.changes.sqlite_log import SqliteLog
from blackstart.changes.undo import undo
from blackstart.errors import ApplyFailed, Refused
from blackstart.scope import Scope
from blackstart.testing import FakeClock

DELETING = "deleting pods"


@pytest.fixture(scope="module")
def kube_clients(tmp_path_factory):
    """Clients whose kubeconfig has the context ``shop-admin`` of the cluster ``shop``, which has nodes."""
    with kube_server.running(tmp_path_factory.mktemp("kube")) as environ:
        clients = Clients(environ=environ)
        kube_server.furnish(clients.kube("shop"))
        yield clients
        clients.close()


@pytest.fixture
def kube(kube_clients):
    return kube_clients.kube("shop")


@pytest.fixture
def orders(kube):
    """A deployment of four ready pods."""
    with kube_server.orders(kube) as heal:
        yield heal


@pytest.fixture
def heal(orders):
    return orders


@pytest.fixture
def gate(tmp_path, kube_clients):
    uid = kube_clients.kube("shop").get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
    scope = Scope(
        environment="test",
        regions=("us-east-1",),
        clusters=("shop",),
        cluster_ids={"shop": uid},
        namespaces=("shop",),
        required_tag="blackstart",
    )
    log, clock = SqliteLog(tmp_path / "undo.sqlite"), FakeClock()
    reach = Reach(log, Kinds([PodDeletion()]), kube_clients, clock, Mirror(tmp_path, "drill", clock))
    yield Gate(scope, Drill("drill-1", "a test", here(), "2026-01-01T00:00:00Z", ""), reach, Attended())
    log.close()


class Attended:
    """Stands where the reverter would."""

    def start(self):
        pass

    def ensure(self, subject):
        pass

    def release(self):
        pass


def test_the_pods_of_a_selection_are_found_with_zone_and_controller(kube_clients, orders):
    found = find_pods(kube_clients, "shop-admin", "shop", "app=orders")
    assert (found.cluster, len(found.pods)) == ("shop", 4)
    assert {pod.zone for pod in found.pods} == {"us-east-1a", "us-east-1b"}
    assert {pod.region for pod in found.pods} == {"us-east-1"}
    assert {pod.owner[0] for pod in found.pods} == {"ReplicaSet"}
    assert find_pods(kube_clients, "shop", "shop", "app=none").pods == ()


def test_deleted_pods_are_replaced_and_the_undo_says_so(kube, kube_clients, gate, orders, heal):
    found = find_pods(kube_clients, "shop", "shop", "app=orders")
    before = names(kube)
    inject(plan_deletion(found, found.pods[:2]), gate, DELETING)
    assert not {pod.name for pod in found.pods[:2]} & names(kube)
    heal(4)
    report = undo("drill-1", gate.reach)
    assert report.complete
    assert len(report.verified) == 2
    assert len(names(kube)) == 4
    assert names(kube) != before


def test_undo_waits_until_the_controller_has_healed(kube_clients, orders, heal):
    found = find_pods(kube_clients, "shop", "shop", "app=orders")
    (change,) = plan_deletion(found, found.pods[:1])
    kind = PodDeletion()
    kind.apply([change], kube_clients)
    outcome = kind.undo([change], kube_clients)[change.id]
    assert outcome.ending is Ending.WAITING
    assert outcome.note == "Deployment orders has 3 of 4 pods ready"
    heal(4)
    assert kind.undo([change], kube_clients)[change.id].ending is Ending.RESTORED
    assert kind.verify([change], kube_clients)[change.id].done


def test_a_pod_that_was_never_deleted_is_left_alone(kube_clients, orders):
    found = find_pods(kube_clients, "shop", "shop", "app=orders")
    (change,) = plan_deletion(found, found.pods[:1])
    assert PodDeletion().undo([change], kube_clients)[change.id].ending is Ending.UNTOUCHED


def test_deleting_twice_deletes_once(kube, kube_clients, orders, heal):
    found = find_pods(kube_clients, "shop", "shop", "app=orders")
    (change,) = plan_deletion(found, found.pods[:1])
    PodDeletion().apply([change], kube_clients)
    heal(4)
    healed = names(kube)
    PodDeletion().apply([change], kube_clients)
    assert names(kube) == healed


def test_a_namesake_of_the_pod_is_not_deleted(kube, kube_clients):
    body = {"metadata": {"name": "bare"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    kube.post("/api/v1/namespaces/shop/pods", body)
    older = Pod("bare", "00000000-0000-0000-0000-000000000000", {}, ("StatefulSet", "db"), "", "")
    (change,) = plan_deletion(Pods("shop", "shop", "shop", "app=db", (older,)), [older])
    PodDeletion().apply([change], kube_clients)
    assert "bare" in names(kube)
    kube.delete("/api/v1/namespaces/shop/pods/bare", {"gracePeriodSeconds": 0})


def test_a_controller_that_is_gone_heals_nothing(kube_clients):
    pod = Pod("orders-1", "1", {}, ("ReplicaSet", "gone"), "", "")
    (change,) = plan_deletion(Pods("shop", "shop", "shop", "app=orders", (pod,)), [pod])
    outcome = PodDeletion().undo([change], kube_clients)[change.id]
    assert outcome.ending is Ending.CONFLICT
    assert "ReplicaSet gone, which would bring pod orders-1 back, no longer exists" in outcome.note


@pytest.mark.parametrize(
    ("owner", "reason"), [(None, "no controller owns it"), (("Job", "nightly"), "its owner is a Job")]
)
def test_a_pod_that_nothing_would_bring_back_is_refused(owner, reason):
    pod = Pod("bare", "1", {}, owner, "", "")
    with pytest.raises(Refused, match=f"not deleting pod shop/bare: {reason}, so nothing would bring it back"):
        plan_deletion(Pods("shop", "shop", "shop", "app=bare", (pod,)), [pod])


def test_more_than_the_largest_share_is_refused(kube, kube_clients, gate, orders):
    found = find_pods(kube_clients, "shop", "shop", "app=orders")
    before = names(kube)
    with pytest.raises(Refused, match="would take 3 of 4 pods of shop/shop Deployment orders at once"):
        inject(plan_deletion(found, found.pods[:3]), gate, DELETING)
    assert names(kube) == before


def test_a_pod_of_another_namespace_is_refused(gate):
    pod = Pod("dns", "1", {"blackstart": "allowed"}, ("ReplicaSet", "dns"), "", "")
    with pytest.raises(Refused, match="namespace kube-system, which is outside the scope"):
        inject(plan_deletion(Pods("shop", "shop", "kube-system", "app=dns", (pod,)), [pod]), gate, DELETING)


def test_a_refusal_of_the_api_is_an_error_with_nothing_left(gate, kube_clients, orders):
    found = find_pods(kube_clients, "shop", "shop", "app=orders")
    with pytest.raises(ApplyFailed, match="nothing is left"):
        inject(plan_deletion(found, found.pods[:1], grace_seconds="soon"), gate, DELETING)

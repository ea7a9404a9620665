"""Against the lab's Kubernetes API server, in a process of its own; the tests play the kubelet."""

import contextlib
import json
import socket
import subprocess
import sys
import time

import pytest

from blackstart.changes.clients import Clients
from blackstart.changes.gate import Gate, inject
from blackstart.changes.kind import Ending
from blackstart.changes.kube import KubeRefused
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

SERVER = (
    "import asyncio, sys; from blackstart.lab.kube.server import KubeSpec, serve\n"
    "asyncio.run(serve(KubeSpec('us-east-1', 'shop', '127.0.0.1', int(sys.argv[1]), 9999.0, 9999.0)))"
)
LABELS = {"app": "orders", "blackstart": "allowed"}
DELETING = "deleting pods"


@pytest.fixture(scope="module")
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        found = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(found)])
    for _ in range(600):
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", found)) == 0:
                break
        time.sleep(0.05)
    yield found
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def kube_clients(port, tmp_path_factory):
    """Clients whose kubeconfig has the context ``shop-admin`` of the cluster ``shop``, which has nodes."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "shop", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "me", "user": {}}],
        "contexts": [{"name": "shop-admin", "context": {"cluster": "shop", "user": "me"}}],
        "current-context": "",
    }
    path = tmp_path_factory.mktemp("kube") / "config"
    path.write_text(json.dumps(config))
    clients = Clients(environ={"KUBECONFIG": str(path)})
    kube = clients.kube("shop")
    kube.post("/api/v1/namespaces", {"metadata": {"name": "shop"}})
    for zone in "ab":
        labels = {"topology.kubernetes.io/zone": f"us-east-1{zone}"}
        kube.post("/api/v1/nodes", {"metadata": {"name": f"node-{zone}", "labels": labels}, "spec": {}})
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        kube.patch(f"/api/v1/nodes/node-{zone}/status", {"status": ready})
    yield clients
    clients.close()


@pytest.fixture
def kube(kube_clients):
    return kube_clients.kube("shop")


@pytest.fixture
def heal(kube):
    """Plays the kubelet until the deployment has so many ready pods."""

    def until(count):
        for _ in range(500):
            pods = kube.get("/api/v1/namespaces/shop/pods", labelSelector="app=orders")["items"]
            for pod in pods:
                conditions = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running"}
                kube.patch(f"/api/v1/namespaces/shop/pods/{pod['metadata']['name']}/status", {"status": conditions})
            if len(pods) == count:
                return
            time.sleep(0.02)
        raise AssertionError(pods)

    return until


@pytest.fixture
def orders(kube, heal):
    """A deployment of four ready pods."""
    container = {"name": "orders", "image": "orders:1"}
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [container]}}
    selector = {"matchLabels": {"app": "orders"}}
    body = {"metadata": {"name": "orders"}, "spec": {"replicas": 4, "selector": selector, "template": template}}
    kube.post("/apis/apps/v1/namespaces/shop/deployments", body)
    heal(4)
    yield
    kube.delete("/apis/apps/v1/namespaces/shop/deployments/orders", {"propagationPolicy": "Background"})
    for _ in range(500):
        left = names(kube)
        if not left and not kube.get("/apis/apps/v1/namespaces/shop/replicasets")["items"]:
            return
        for name in left:
            with contextlib.suppress(KubeRefused):
                kube.delete(f"/api/v1/namespaces/shop/pods/{name}", {"gracePeriodSeconds": 0})
        time.sleep(0.02)


@pytest.fixture
def gate(tmp_path, kube_clients):
    scope = Scope(environment="test", clusters=("shop",), namespaces=("shop",), required_tag="blackstart")
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


def names(kube):
    return {pod["metadata"]["name"] for pod in kube.get("/api/v1/namespaces/shop/pods")["items"]}


def test_the_pods_of_a_selection_are_found_with_zone_and_controller(kube_clients, orders):
    found = find_pods(kube_clients, "shop-admin", "shop", "app=orders")
    assert (found.cluster, len(found.pods)) == ("shop", 4)
    assert {pod.zone for pod in found.pods} == {"us-east-1a", "us-east-1b"}
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
    older = Pod("bare", "00000000-0000-0000-0000-000000000000", {}, ("StatefulSet", "db"), "")
    (change,) = plan_deletion(Pods("shop", "shop", "shop", "app=db", (older,)), [older])
    PodDeletion().apply([change], kube_clients)
    assert "bare" in names(kube)
    kube.delete("/api/v1/namespaces/shop/pods/bare", {"gracePeriodSeconds": 0})


def test_a_controller_that_is_gone_heals_nothing(kube_clients):
    pod = Pod("orders-1", "1", {}, ("ReplicaSet", "gone"), "")
    (change,) = plan_deletion(Pods("shop", "shop", "shop", "app=orders", (pod,)), [pod])
    outcome = PodDeletion().undo([change], kube_clients)[change.id]
    assert outcome.ending is Ending.CONFLICT
    assert "ReplicaSet gone, which would bring pod orders-1 back, no longer exists" in outcome.note


@pytest.mark.parametrize(
    ("owner", "reason"), [(None, "no controller owns it"), (("Job", "nightly"), "its owner is a Job")]
)
def test_a_pod_that_nothing_would_bring_back_is_refused(owner, reason):
    pod = Pod("bare", "1", {}, owner, "")
    with pytest.raises(Refused, match=f"not deleting pod shop/bare: {reason}, so nothing would bring it back"):
        plan_deletion(Pods("shop", "shop", "shop", "app=bare", (pod,)), [pod])


def test_more_than_the_largest_share_is_refused(kube, kube_clients, gate, orders):
    found = find_pods(kube_clients, "shop", "shop", "app=orders")
    before = names(kube)
    with pytest.raises(Refused, match="would take 3 of 4 pods of shop/shop app=orders at once"):
        inject(plan_deletion(found, found.pods[:3]), gate, DELETING)
    assert names(kube) == before


def test_a_pod_of_another_namespace_is_refused(gate):
    pod = Pod("dns", "1", {"blackstart": "allowed"}, ("ReplicaSet", "dns"), "")
    with pytest.raises(Refused, match="namespace kube-system, which is outside the scope"):
        inject(plan_deletion(Pods("shop", "shop", "kube-system", "app=dns", (pod,)), [pod]), gate, DELETING)


def test_a_refusal_of_the_api_is_an_error_with_nothing_left(gate, kube_clients, orders):
    found = find_pods(kube_clients, "shop", "shop", "app=orders")
    with pytest.raises(ApplyFailed, match="nothing is left"):
        inject(plan_deletion(found, found.pods[:1], grace_seconds="soon"), gate, DELETING)

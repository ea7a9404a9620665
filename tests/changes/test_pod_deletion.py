"""Against the lab's Kubernetes API server; the tests play the kubelet."""

from collections import Counter
from dataclasses import replace

import kube_server
import pytest
from kube_server import PODS, names

from blackstart.changes.clients import Clients
from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.pod_deletion import PodDeletion, plan_deletion
from blackstart.changes.pods import Pod, Pods, find_pods
from blackstart.changes.undo import undo
from blackstart.errors import ApplyFailed, Refused

DELETING = "deleting pods"


@pytest.fixture
def orders(kube):
    """A deployment of four ready pods. Gives what heals it."""
    with kube_server.orders(kube) as heal:
        yield heal


@pytest.fixture
def heal(orders):
    return orders


@pytest.fixture
def found(kube_clients, orders):
    return find_pods(kube_clients, "shop", "shop", "app=orders")


@pytest.fixture
def gate(kube_gate):
    return kube_gate()


def of(*pods, namespace="shop"):
    return Pods("shop", "shop", namespace, "", pods)


def test_deleted_pods_are_replaced_and_the_undo_says_so(kube, found, gate, heal):
    before = names(kube)
    inject(plan_deletion(found, found.pods[:2]), gate, DELETING)
    assert not {pod.name for pod in found.pods[:2]} & names(kube)
    heal(4)
    report = undo("drill-1", gate.reach)
    assert report.complete
    assert len(report.verified) == 2
    assert len(names(kube)) == 4
    assert names(kube) != before


def test_undo_waits_until_the_controller_has_healed(kube_clients, found, heal):
    (change,) = plan_deletion(found, found.pods[:1])
    kind = PodDeletion()
    kind.apply([change], kube_clients)
    outcome = kind.undo([change], kube_clients)[change.id]
    assert outcome.ending is Ending.WAITING
    assert outcome.note == "Deployment orders has 3 of 4 pods ready"
    heal(4)
    assert kind.undo([change], kube_clients)[change.id].ending is Ending.RESTORED
    assert kind.verify([change], kube_clients)[change.id].done


def test_a_pod_that_was_never_deleted_is_left_alone(kube_clients, found):
    (change,) = plan_deletion(found, found.pods[:1])
    assert PodDeletion().undo([change], kube_clients)[change.id].ending is Ending.UNTOUCHED


def test_each_of_many_pods_is_told_by_one_look_at_its_workload(kube_environ, found, heal):
    calls = []
    clients = Clients(environ=kube_environ, record=calls.append)
    changes = plan_deletion(found, found.pods * 25)
    PodDeletion().apply(changes[:2], clients)
    calls.clear()
    outcomes = PodDeletion().undo(changes, clients)
    assert Counter(outcome.ending for outcome in outcomes.values()) == {Ending.UNTOUCHED: 50, Ending.WAITING: 50}
    assert sorted(map(str, calls)) == [
        "kubernetes:get deployments",
        "kubernetes:get replicasets",
        "kubernetes:list pods",
    ]
    clients.close()


def test_deleting_twice_deletes_once(kube, kube_clients, found, heal):
    (change,) = plan_deletion(found, found.pods[:1])
    PodDeletion().apply([change], kube_clients)
    heal(4)
    healed = names(kube)
    PodDeletion().apply([change], kube_clients)
    assert names(kube) == healed


def test_pods_that_vanished_do_not_keep_the_others_alive(kube, found, gate):
    changes = plan_deletion(found, found.pods[:2])
    kube.delete(f"{PODS}/{found.pods[0].name}", {"gracePeriodSeconds": 0})
    inject(changes, gate, DELETING)
    assert not {pod.name for pod in found.pods[:2]} & names(kube)


def test_a_namesake_of_the_pod_is_not_deleted(kube, kube_clients):
    body = {"metadata": {"name": "bare"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    kube.post(PODS, body)
    older = Pod("bare", "00000000-0000-0000-0000-000000000000", {}, ("StatefulSet", "db"), "", "", "shop")
    (change,) = plan_deletion(of(older), [older])
    PodDeletion().apply([change], kube_clients)
    assert "bare" in names(kube)
    kube.delete(f"{PODS}/bare", {"gracePeriodSeconds": 0})


def test_a_pod_may_be_left_its_own_time_to_end(kube, kube_clients, found):
    (change,) = plan_deletion(found, found.pods[:1], grace_seconds=-1)
    PodDeletion().apply([change], kube_clients)
    assert kube.get(f"{PODS}/{found.pods[0].name}")["metadata"]["deletionGracePeriodSeconds"] == 30


def test_a_controller_that_is_gone_heals_nothing(kube_clients):
    pod = Pod("orders-1", "1", {}, ("ReplicaSet", "gone"), "", "", "shop")
    (change,) = plan_deletion(of(pod), [pod])
    outcome = PodDeletion().undo([change], kube_clients)[change.id]
    assert outcome.ending is Ending.CONFLICT
    assert "ReplicaSet gone, which would bring pod orders-1 back, no longer exists" in outcome.note


def test_a_pod_that_its_controller_left_behind_is_untouched(kube, kube_clients):
    body = {"metadata": {"name": "left"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    uid = kube.post(PODS, body)["metadata"]["uid"]
    pod = Pod("left", uid, {}, ("ReplicaSet", "gone"), "", "", "shop")
    (change,) = plan_deletion(of(pod), [pod])
    assert PodDeletion().undo([change], kube_clients)[change.id].ending is Ending.UNTOUCHED
    kube.delete(f"{PODS}/left", {"gracePeriodSeconds": 0})


@pytest.mark.parametrize(
    ("owner", "reason"), [(None, "no controller owns it"), (("Job", "nightly"), "its owner is a Job")]
)
def test_a_pod_that_nothing_would_bring_back_is_refused(owner, reason):
    pod = Pod("bare", "1", {}, owner, "", "", "shop")
    with pytest.raises(Refused, match=f"not deleting pod shop/bare: {reason}, so nothing would bring it back"):
        plan_deletion(of(pod), [pod])


def test_a_static_pod_is_refused():
    pod = Pod("etcd", "1", {}, ("Node", "node-a"), "", "", "shop", static=True)
    with pytest.raises(Refused, match="not deleting pod shop/etcd: its kubelet runs it from a file"):
        plan_deletion(of(pod), [pod])


def test_more_than_the_largest_share_is_refused(kube, found, gate):
    before = names(kube)
    with pytest.raises(Refused, match="would take 3 of 4 pods of shop/shop Deployment orders at once"):
        inject(plan_deletion(found, found.pods[:3]), gate, DELETING)
    assert names(kube) == before


def test_a_pod_of_another_namespace_is_refused(gate):
    pod = Pod("dns", "1", {"blackstart": "allowed"}, ("ReplicaSet", "dns"), "", "", "kube-system")
    with pytest.raises(Refused, match="namespace kube-system, which is outside the scope"):
        inject(plan_deletion(of(pod, namespace="kube-system"), [pod]), gate, DELETING)


def test_a_refusal_of_the_api_is_an_error_with_nothing_left(gate, found):
    (change,) = plan_deletion(found, found.pods[:1])
    wrong = replace(change, after={**change.after, "grace_seconds": "soon"})
    with pytest.raises(ApplyFailed, match="nothing is left"):
        inject([wrong], gate, DELETING)

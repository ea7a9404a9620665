"""Against the lab's Kubernetes API server; the tests play the kubelet."""

from random import Random

import kube_server
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kube_server import PODS, WORKLOADS

from blackstart.changes.clients import Clients
from blackstart.changes.pod_owners import selector_text, workload
from blackstart.changes.pods import Many, Pod, Pods, Where, draw, find_pods, never_back
from blackstart.errors import ConfigInvalid, Refused

SET = ("ReplicaSet", "orders-1")


def pod(name="orders-1", owner=SET, **more):
    return Pod(name, f"uid-{name}", more.pop("labels", {}), owner, more.pop("zone", ""), "", "shop", **more)


def found(pods):
    return Pods("shop", "shop", "shop", "", tuple(pods))


@pytest.fixture(scope="module")
def orders(kube_environ):
    """A deployment of four ready pods, which no test of this module takes away."""
    clients = Clients(environ=kube_environ)
    with kube_server.orders(clients.kube("shop")):
        yield
    clients.close()


def test_the_pods_of_a_selection_are_found_with_zone_and_controller(kube_clients, orders):
    pods = find_pods(kube_clients, "shop-admin", "shop", "app=orders")
    assert (pods.cluster, pods.region, len(pods.pods)) == ("shop", "us-east-1", 4)
    assert {pod.zone for pod in pods.pods} == {"us-east-1a", "us-east-1b"}
    assert {pod.region for pod in pods.pods} == {"us-east-1"}
    assert {(pod.owner[0], pod.workload) for pod in pods.pods} == {("ReplicaSet", "shop Deployment orders")}
    assert all(pod.created > 0 and pod.node and pod.phase == "Running" for pod in pods.pods)
    assert find_pods(kube_clients, "shop", "shop", "app=none").pods == ()


def test_ten_thousand_pods_of_a_workload_share_their_labels(kube_clients, orders):
    pods = find_pods(kube_clients, "shop", "shop", "app=orders").pods
    assert len({id(pod.labels) for pod in pods}) == 1


def test_pods_of_all_namespaces_are_found_with_theirs(kube_clients, kube, orders):
    body = {"metadata": {"name": "other"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    kube.post("/api/v1/namespaces/default/pods", body)
    assert {pod.namespace for pod in find_pods(kube_clients, "shop", "").pods} == {"default", "shop"}
    kube.delete("/api/v1/namespaces/default/pods/other", {"gracePeriodSeconds": 0})


def test_finished_pods_and_those_that_are_being_deleted_are_left_out(kube_clients, kube, orders):
    spec = {"containers": [{"name": "c", "image": "i"}], "nodeName": "node-a"}
    for name in ("done", "going"):
        kube.post(PODS, {"metadata": {"name": name, "labels": {"app": "task"}}, "spec": spec})
    kube.patch(f"{PODS}/done/status", {"status": {"phase": "Succeeded"}})
    assert [pod.name for pod in find_pods(kube_clients, "shop", "shop", "app=task").pods] == ["going"]
    kube.delete(f"{PODS}/going", {"gracePeriodSeconds": 300})
    assert find_pods(kube_clients, "shop", "shop", "app=task").pods == ()
    for name in ("done", "going"):
        kube.delete(f"{PODS}/{name}", {"gracePeriodSeconds": 0})


def test_an_owner_is_looked_up_through_the_replica_sets_it_has_adopted(kube_clients, kube, orders):
    deployment = kube.get(f"{WORKLOADS}/deployments/orders")
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "orders", "controller": True}
    labels = {"app": "orders", "blackstart": "allowed"}
    owners = [{**reference, "uid": deployment["metadata"]["uid"]}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    adopted = {"metadata": {"name": "legacy", "labels": labels, "ownerReferences": owners}, "spec": spec}
    kube.post(f"{WORKLOADS}/replicasets", adopted)
    pods = find_pods(kube_clients, "shop", "shop", owner="Deployment/orders")
    assert len(pods.pods) == 4
    assert pods.owner.owns(("ReplicaSet", "legacy"), labels)
    assert not pods.owner.owns(("ReplicaSet", "another"), labels)
    kube.delete(f"{WORKLOADS}/replicasets/legacy")


def test_an_owner_that_is_not_there_is_refused(kube_clients):
    with pytest.raises(Refused, match="not choosing pods of StatefulSet/db: there is no StatefulSet db in shop"):
        find_pods(kube_clients, "shop", "shop", owner="StatefulSet/db")


@pytest.mark.parametrize("owner", ["orders", "Job/nightly", "Deployment/"])
def test_an_owner_that_brings_no_pods_back_cannot_be_named(kube_clients, owner):
    with pytest.raises(ConfigInvalid, match="is not a kind and a name such as Deployment/orders"):
        find_pods(kube_clients, "shop", "shop", owner=owner)


@pytest.mark.parametrize(
    ("where", "names"),
    [
        (Where(), "abc"),
        (Where(node="node-1"), "ab"),
        (Where(zone="z1"), "a"),
        (Where(phase="Pending"), "c"),
        (Where(min_age_seconds=60), "ab"),
        (Where(max_age_seconds=60), "bc"),
        (Where(min_age_seconds=60, max_age_seconds=60), "b"),
        (Where(node="node-1", phase="Pending"), ""),
    ],
)
def test_pods_are_chosen_by_where_they_are_and_how_they_are(where, names):
    pods = [
        pod("a", node="node-1", zone="z1", phase="Running", created=0.0),
        pod("b", node="node-1", phase="Running", created=40.0),
        pod("c", phase="Pending", created=99.0),
    ]
    assert "".join(each.name for each in pods if where.holds(each, now=100.0)) == names


@pytest.mark.parametrize(
    "wrong", [{"phase": "Succeeded"}, {"min_age_seconds": 5, "max_age_seconds": 4}, {"max_age_seconds": -1}]
)
def test_what_no_live_pod_can_be_is_not_asked_for(wrong):
    with pytest.raises(ConfigInvalid):
        Where(**wrong)


@pytest.mark.parametrize("wrong", [{}, {"count": 1, "share": 0.5}, {"share": 1.1}, {"count": -1}, {"share": -0.5}])
def test_how_many_has_to_be_said_in_one_way(wrong):
    with pytest.raises(ConfigInvalid, match="either a count of pods or a share between 0 and 1"):
        Many(**wrong)


@pytest.mark.parametrize(
    ("many", "candidates", "taken"),
    [
        (Many(share=0.34), 4, 1),
        (Many(share=0.1), 4, 1),
        (Many(share=0.29), 100, 29),
        (Many(share=1.0), 7, 7),
        (Many(share=0.5), 0, 0),
        (Many(count=3), 2, 2),
        (Many(count=3), 9, 3),
    ],
)
def test_a_share_is_rounded_down_but_to_one_at_least(many, candidates, taken):
    assert many.of(candidates) == taken


@given(st.integers(0, 30), st.integers(1, 40), st.integers())
def test_no_pod_is_drawn_twice_and_a_seed_draws_the_same(size, count, seed):
    pods = [pod(f"p{number:02d}") for number in range(size)]
    drawn = draw(pods, Many(count), Random(seed))
    assert len({each.uid for each in drawn}) == len(drawn) == min(count, size)
    assert drawn == sorted(draw(pods, Many(count), Random(seed)))


def test_both_sides_of_a_roll_out_are_of_one_workload():
    sides = [pod(name, ("ReplicaSet", f"orders-{name}"), labels={"pod-template-hash": name}) for name in "ab"]
    assert {each.workload for each in sides} == {"shop Deployment orders"}
    assert found(sides).share(sides[0], "a").total == 2


@pytest.mark.parametrize(
    ("owner", "labels", "whose"),
    [
        (("ReplicaSet", "orders-1"), {}, ("ReplicaSet", "orders-1")),
        (("ReplicaSet", "orders-1"), {"pod-template-hash": "1"}, ("Deployment", "orders")),
        (("ReplicaSet", "legacy"), {"pod-template-hash": "1"}, ("ReplicaSet", "legacy")),
        (("StatefulSet", "db-1"), {"pod-template-hash": "1"}, ("StatefulSet", "db-1")),
        (None, {}, ("", "")),
    ],
)
def test_a_pod_belongs_to_its_controller_or_to_the_deployment_behind_it(owner, labels, whose):
    assert workload(owner, labels) == whose


@pytest.mark.parametrize(
    ("each", "reason"),
    [
        (pod(), ""),
        (pod(owner=None), "no controller owns it"),
        (pod(owner=("Job", "nightly")), "its owner is a Job"),
        (pod(owner=("Node", "node-a"), static=True), "its kubelet runs it from a file"),
    ],
)
def test_it_is_known_what_would_come_back(each, reason):
    assert never_back(each).startswith(reason)
    assert bool(never_back(each)) is bool(reason)


def test_a_selector_reads_as_a_list_request_takes_it():
    rules = [("a", "In", ["1", "2"]), ("b", "NotIn", ["3"]), ("c", "Exists", None), ("d", "DoesNotExist", None)]
    expressions = [{"key": key, "operator": operator, "values": values} for key, operator, values in rules]
    selector = {"matchLabels": {"app": "orders"}, "matchExpressions": expressions}
    assert selector_text(selector) == "app=orders,a in (1,2),b notin (3),c,!d"

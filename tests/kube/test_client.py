"""Every method, against the lab's API server."""

import random
import threading

import pytest
from kube_server import CONTEXT, LABELS, PODS, WORKLOADS

from blackstart.changes.clients import Clients
from blackstart.clock import SystemClock
from blackstart.errors import Refused
from blackstart.kube.client import KubeRefused, connect


def pod(name, **labels):
    container = {"name": "orders", "image": "orders:1"}
    return {"metadata": {"name": name, "labels": LABELS | labels}, "spec": {"containers": [container]}}


@pytest.fixture
def kube(lab_kube):
    """Empty afterwards."""
    found, _ = lab_kube
    yield found
    for item in list(found.items(PODS)):
        found.delete(f"{PODS}/{item['metadata']['name']}", {"gracePeriodSeconds": 0})


def test_an_object_is_made_read_patched_replaced_and_deleted(kube):
    made = kube.post(PODS, pod("a"))
    path = f"{PODS}/a"
    assert kube.get(path)["metadata"]["uid"] == made["metadata"]["uid"]
    kube.patch(path, {"metadata": {"labels": {"one": "1"}}})
    kube.patch(path, {"metadata": {"labels": {"two": "2"}}}, "strategic")
    kube.patch(path, [{"op": "add", "path": "/metadata/labels/three", "value": "3"}], "json")
    now = kube.get(path)
    assert {"one": "1", "two": "2", "three": "3"}.items() <= now["metadata"]["labels"].items()
    now["metadata"]["labels"]["four"] = "4"
    assert kube.put(path, now)["metadata"]["labels"]["four"] == "4"
    with pytest.raises(KubeRefused, match="409"):
        kube.put(path, now)
    with pytest.raises(KubeRefused, match="409"):
        kube.delete(path, {"preconditions": {"uid": "another"}})
    kube.delete(path, {"gracePeriodSeconds": 0, "preconditions": {"uid": made["metadata"]["uid"]}})
    assert kube.find(path) is None


def test_a_scale_is_read_and_set(kube):
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "x"}}, "template": {
        "metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "x", "image": "x"}]}}}  # fmt: skip
    kube.post(f"{WORKLOADS}/deployments", {"metadata": {"name": "scaled"}, "spec": spec})
    path = f"{WORKLOADS}/deployments/scaled"
    scale = kube.get(f"{path}/scale")
    assert scale["spec"]["replicas"] == 0
    del scale["metadata"]["resourceVersion"]  # its controller may say meanwhile that it has seen it
    assert kube.put(f"{path}/scale", scale | {"spec": {"replicas": 0}})["spec"]["replicas"] == 0
    assert kube.patch(f"{path}/scale", {"spec": {"replicas": 1}})["spec"]["replicas"] == 1
    kube.delete(path, {"propagationPolicy": "Background"})


def test_a_list_and_a_watch_from_it_miss_nothing(kube):
    kube.post(PODS, pod("a"))
    items, version = kube.list(PODS, labelSelector="app=orders")
    assert [item["metadata"]["name"] for item in items] == ["a"]
    assert int(version) > 0


def test_what_is_made_while_somebody_follows_is_seen_at_once(kube):
    ended = threading.Event()
    events = kube.follow(PODS, ended, labelSelector="wave=1")
    kube.post(PODS, pod("first", wave="1"))
    assert next(events)[1]["metadata"]["name"] == "first"
    kube.post(PODS, pod("second", wave="1"))
    names = set()
    while "second" not in names:
        names.add(next(events)[1]["metadata"]["name"])
    ended.set()
    assert list(events) == []


def test_every_call_is_told_before_it_is_made_and_an_error_ends_it(lab_kube):
    _, environ = lab_kube
    told = []
    kube = connect(CONTEXT, environ, 4, told.append, clock=SystemClock(), random=random.Random(1))
    kube.find(f"{PODS}/missing")
    list(kube.items(PODS))
    for change in (kube.post, kube.patch, kube.put):
        with pytest.raises(KubeRefused):
            change(f"{PODS}/missing/eviction", {})
    kube.close()
    assert [str(call) for call in told] == [
        "kubernetes:get pods",
        "kubernetes:list pods",
        "kubernetes:create pods/eviction",
        "kubernetes:patch pods/eviction",
        "kubernetes:update pods/eviction",
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda kube: kube.post(PODS, pod("never")),
        lambda kube: kube.put(f"{PODS}/a", {}),
        lambda kube: kube.patch(f"{PODS}/a", {}),
        lambda kube: kube.delete(f"{PODS}/a"),
        lambda kube: kube.execute("shop", "a", "orders", ["kill", "1"]),
    ],
)
def test_clients_that_may_only_read_change_nothing(lab_kube, change):
    _, environ = lab_kube
    clients = Clients(environ=environ, read_only=True)
    with pytest.raises(Refused, match="only reading is allowed here"):
        change(clients.kube(CONTEXT))
    assert clients.kube(CONTEXT).find(f"{PODS}/never") is None
    clients.close()

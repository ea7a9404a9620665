"""Against the lab's Kubernetes API server and its Velero, which the tests tell when to work."""

import asyncio
import json
import threading
from pathlib import Path

import aiohttp
import kube_server
import pytest
from kube_server import NAMESPACE, patiently
from test_kind_permissions import differences, walk

from blackstart.changes.clients import Clients
from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.residue import scan
from blackstart.changes.undo import undo
from blackstart.changes.velero_restore import API, NAMESPACES, VeleroRestore, find_backups, plan_restore
from blackstart.clock import SystemClock
from blackstart.errors import Refused, TargetChanged
from blackstart.lab.cluster import Cluster
from blackstart.lab.velero import Velero

RESTORING = "restoring namespace shop"
RESTORES = f"{API}/namespaces/velero/restores"
CONFIG = f"/api/v1/namespaces/{NAMESPACE}/configmaps"


@pytest.fixture(scope="module")
def velero(kube_environ):
    """Velero, at work in the cluster; the namespace shop has a config map and has opted in."""
    clients = Clients(environ=kube_environ)
    kube = clients.kube("shop")
    kube.patch(f"{NAMESPACES}/{NAMESPACE}", {"metadata": {"labels": {"blackstart": "allowed"}}})
    kube.post(CONFIG, {"metadata": {"name": "prices"}, "data": {"apple": "1"}})
    spec = {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "till"}},
        "template": {"metadata": {"labels": {"app": "till"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}},
    }
    kube.post(f"{kube_server.WORKLOADS}/deployments", {"metadata": {"name": "till"}, "spec": spec})
    loop = asyncio.new_event_loop()

    async def serve():
        async with aiohttp.ClientSession() as session:
            url = kubeconfig_server(kube_environ)
            agent = Velero(Cluster(session, url), SystemClock(), 3600.0)
            await agent.install()
            await agent.run()

    async def served():
        await asyncio.gather(task, return_exceptions=True)

    task = loop.create_task(serve())
    thread = threading.Thread(target=loop.run_until_complete, args=(served(),))
    thread.start()
    try:
        kube_server.await_field(kube, "/apis", lambda found: "velero.io" in {each["name"] for each in found["groups"]})
        kube_server.await_field(kube, f"{API}/backups", lambda found: found["items"] or task.done())
        yield kube
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()
    kube.delete(f"{CONFIG}/prices")
    kube.delete(f"{kube_server.WORKLOADS}/deployments/till", {"propagationPolicy": "Background"})
    kube.patch(f"{NAMESPACES}/{NAMESPACE}", {"metadata": {"labels": {"blackstart": None}}})
    clients.close()


def kubeconfig_server(environ):
    return json.loads(Path(environ["KUBECONFIG"]).read_text())["clusters"][0]["cluster"]["server"]


@pytest.fixture
def plan(kube_clients, velero):
    return lambda **more: plan_restore(find_backups(kube_clients, "shop-admin", NAMESPACE), **more)


def done(kube, change):
    path = f"{RESTORES}/{change.id}"
    ended = ("Completed", "PartiallyFailed", "FailedValidation")
    found = kube_server.await_field(kube, path, lambda item: (item.get("status") or {}).get("phase") in ended)
    return found["status"]["phase"]


def put_back(change, clients):
    patiently(lambda: VeleroRestore().undo([change], clients))
    kube = clients.kube("shop")
    for _ in range(200):
        if VeleroRestore().undo([change], clients)[change.id].ending is Ending.UNTOUCHED:
            return
    raise AssertionError(kube.find(f"{NAMESPACES}/{change.target.id}"))


def test_a_backup_comes_back_beside_its_namespace_without_a_pod_and_goes_again(plan, velero, kube_gate):
    gate = kube_gate(SystemClock())
    before = {item["metadata"]["name"] for item in velero.items(NAMESPACES)}
    (change,) = plan()
    inject([change], gate, RESTORING)
    scratch = change.target.id
    assert change.id in scratch
    assert done(velero, change) == "Completed"
    assert velero.get(f"{NAMESPACES}/{scratch}/configmaps/prices")["data"] == {"apple": "1"}
    assert velero.find(f"/apis/apps/v1/namespaces/{scratch}/deployments/till")
    assert list(velero.items(f"{NAMESPACES}/{scratch}/pods")) == []
    labels = velero.get(f"{NAMESPACES}/{scratch}")["metadata"]["labels"]
    assert (labels["blackstart-change"], "blackstart" in labels) == (change.id, False)
    assert {each.what for each in scan("drill-1", gate.reach, 0).found} == {"restores", "namespaces"}
    assert undo("drill-1", gate.reach).complete
    assert {item["metadata"]["name"] for item in velero.items(NAMESPACES)} == before
    assert velero.find(f"{RESTORES}/{change.id}") is None
    assert velero.get(f"{CONFIG}/prices")["data"] == {"apple": "1"}
    assert scan("drill-1", gate.reach, 0).found == ()


def test_the_quota_is_what_keeps_pods_away(plan, velero, kube_clients):
    (change,) = plan()
    VeleroRestore().apply([change], kube_clients)
    done(velero, change)
    quotas = f"{NAMESPACES}/{change.target.id}/resourcequotas"
    assert [item["spec"]["hard"] for item in velero.items(quotas)] == [{"pods": "0"}]
    velero.delete(f"{quotas}/{change.id}")
    velero.patch(f"/apis/apps/v1/namespaces/{change.target.id}/deployments/till", {"spec": {"replicas": 1}})
    pods = f"{NAMESPACES}/{change.target.id}/pods"
    kube_server.await_field(velero, pods, lambda found: found["items"])
    velero.delete(f"/apis/apps/v1/namespaces/{change.target.id}/deployments/till")
    for pod in velero.items(pods):  # one, or what the deployment had before it was patched
        velero.delete(f"{pods}/{pod['metadata']['name']}", {"gracePeriodSeconds": 0})  # as a kubelet would
    put_back(change, kube_clients)


def test_what_there_is_nothing_to_restore_from_is_refused(plan, kube_clients):
    with pytest.raises(Refused, match="no completed backup yesterday"):
        plan(backup="yesterday")
    with pytest.raises(Refused, match="no such namespace"):
        find_backups(kube_clients, "shop-admin", "nowhere")


def test_apply_again_and_undo_at_any_moment_from_anywhere(plan, velero, kube_clients, kube_environ):
    (change,) = plan()
    kind, fresh = VeleroRestore(), Clients(environ=kube_environ)
    assert kind.undo([change], kube_clients)[change.id].ending is Ending.UNTOUCHED
    velero.post(
        NAMESPACES, {"metadata": {"name": change.target.id, "labels": {"blackstart-change": change.id}}}
    )  # half an apply, whose answer got lost
    kind.apply([change], kube_clients)
    kind.apply([change], kube_clients)
    assert kind.verify([change], kube_clients)[change.id].ending is Ending.PENDING
    put_back(change, fresh)
    assert kind.undo([change], kube_clients)[change.id].ending is Ending.UNTOUCHED
    fresh.close()


def test_somebody_elses_namespace_of_that_name_is_left_alone(plan, velero, kube_clients):
    (change,) = plan()
    velero.post(NAMESPACES, {"metadata": {"name": change.target.id}})
    with pytest.raises(TargetChanged, match="did not make"):
        VeleroRestore().apply([change], kube_clients)
    assert VeleroRestore().undo([change], kube_clients)[change.id].ending is Ending.CONFLICT
    assert velero.find(f"{NAMESPACES}/{change.target.id}")
    velero.delete(f"{NAMESPACES}/{change.target.id}")


def test_it_calls_just_what_it_declares(plan, kube_environ):
    calls = []
    heard = Clients(environ=kube_environ, record=calls.append)
    changes = plan()
    assert differences(changes, walk(changes, heard, calls)) == {}
    put_back(changes[0], heard)
    heard.close()

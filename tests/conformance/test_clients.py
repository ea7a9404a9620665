"""The clients that Blackstart and its users bring: its own, and the official one for Python."""

import contextlib
import os

import bodies
import pytest

from blackstart.changes.clients import Clients
from blackstart.kube.client import KubeRefused


@pytest.fixture(scope="module")
def official(kubeconfig):
    from kubernetes import config

    return config.new_client_from_config(kubeconfig)


@pytest.fixture(scope="module")
def ours(kubeconfig):
    from kubernetes import config

    _, context = config.list_kube_config_contexts(kubeconfig)
    with contextlib.closing(Clients(environ={"KUBECONFIG": kubeconfig, "PATH": os.environ["PATH"]})) as clients:
        yield clients.kube(context["name"])


def test_our_client_makes_reads_changes_and_deletes(ours, space):
    ours.post(space.configmaps(), {"metadata": {"name": "a"}, "data": {"n": "1"}})
    assert ours.patch(space.configmaps("a"), {"data": {"n": "2"}})["data"] == {"n": "2"}
    assert ours.get(space.configmaps(), fieldSelector="metadata.name=a")["items"][0]["data"] == {"n": "2"}
    ours.delete(space.configmaps("a"))
    assert ours.find(space.configmaps("a")) is None


def test_our_client_reads_page_by_page(ours, api, space):
    for name in "abc":
        api.create(space.pods(), bodies.pod(name))
    assert [pod["metadata"]["name"] for pod in ours.items(space.pods())] == ["a", "b", "c"]


def test_our_client_says_what_the_server_refused(ours, space):
    space.configmap("a")
    with pytest.raises(KubeRefused, match='configmaps "a" already exists') as caught:
        ours.post(space.configmaps(), {"metadata": {"name": "a"}})
    assert caught.value.status == 409


def test_the_official_client_reads_typed_objects(official, space):
    from kubernetes import client

    space.running("p", {"app": "web"})
    found = client.CoreV1Api(official).list_namespaced_pod(space.name, label_selector="app=web", limit=1)
    assert [(pod.metadata.name, pod.status.phase) for pod in found.items] == [("p", "Running")]
    assert found.metadata.resource_version


def test_the_official_client_scales(official, api, space):
    from kubernetes import client

    api.create(space.apps("deployments"), bodies.deployment("d", replicas=0))
    apps = client.AppsV1Api(official)
    scaled = apps.patch_namespaced_deployment_scale("d", space.name, {"spec": {"replicas": 1}})
    assert scaled.spec.replicas == 1
    assert apps.read_namespaced_deployment("d", space.name).spec.replicas == 1


def test_the_official_client_evicts_and_is_told_of_it(official, space):
    from kubernetes import client, watch

    core = client.CoreV1Api(official)
    space.running("p")
    start = core.list_namespaced_pod(space.name).metadata.resource_version
    core.create_namespaced_pod_eviction("p", space.name, client.V1Eviction(metadata=client.V1ObjectMeta(name="p")))
    watching = watch.Watch()
    query = {"resource_version": start, "timeout_seconds": 10}
    for event in watching.stream(core.list_namespaced_pod, space.name, **query):
        if event["type"] == "DELETED":
            watching.stop()
            assert event["object"].metadata.name == "p"
            return
    raise AssertionError("no deletion was told")


def test_the_official_client_raises_what_the_server_refused(official, space):
    from kubernetes import client

    with pytest.raises(client.ApiException) as caught:
        client.AppsV1Api(official).read_namespaced_deployment("absent", space.name)
    assert (caught.value.status, caught.value.reason) == (404, "Not Found")

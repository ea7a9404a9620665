"""The lab's API server under the official Python client, where tests/conformance does not ask already."""

import pytest
from kubernetes import client, dynamic


@pytest.fixture
def connection(api):
    settings = client.Configuration(host=api.url)
    with client.ApiClient(settings) as found:
        yield found
        found.rest_client.pool_manager.clear()


def test_every_pod_carries_the_volume_that_real_clusters_add(connection):
    container = client.V1Container(name="app", image="orders:1")
    pod = client.V1Pod(metadata=client.V1ObjectMeta(name="one"), spec=client.V1PodSpec(containers=[container]))
    made = client.CoreV1Api(connection).create_namespaced_pod("shop", pod)
    assert made.spec.volumes[0].name.startswith("kube-api-access")
    assert made.spec.containers[0].volume_mounts[0].name == made.spec.volumes[0].name


def test_the_dynamic_client_discovers_everything(connection, deployment, tmp_path):
    found = dynamic.DynamicClient(connection, cache_file=str(tmp_path / "discovery"))
    deployments = found.resources.get(api_version="apps/v1", kind="Deployment")
    deployments.create(namespace="shop", body=deployment(0) | {"apiVersion": "apps/v1", "kind": "Deployment"})
    assert deployments.get(name="orders", namespace="shop").spec.replicas == 0
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}}
    maps = found.resources.get(api_version="v1", kind="ConfigMap")
    maps.server_side_apply(namespace="shop", body=body, field_manager="drill")
    assert maps.get(name="c", namespace="shop").data.a == "b"

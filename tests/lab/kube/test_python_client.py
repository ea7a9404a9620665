"""The lab's API server under the official Python client, unchanged."""

import threading

import pytest
from kubernetes import client, dynamic, watch
from kubernetes.client.rest import ApiException


@pytest.fixture
def connection(api):
    settings = client.Configuration(host=api.url)
    with client.ApiClient(settings) as found:
        yield found
        found.rest_client.pool_manager.clear()


@pytest.fixture
def core(connection):
    return client.CoreV1Api(connection)


@pytest.fixture
def apps(connection):
    return client.AppsV1Api(connection)


def pod(name, labels=None, **spec):
    container = client.V1Container(name="app", image="orders:1")
    metadata = client.V1ObjectMeta(name=name, labels=labels)
    return client.V1Pod(metadata=metadata, spec=client.V1PodSpec(containers=[container], **spec))


def deployment(replicas=3):
    labels = {"app": "orders"}
    template = client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels=labels),
        spec=client.V1PodSpec(containers=[client.V1Container(name="app", image="orders:1")]),
    )
    spec = client.V1DeploymentSpec(
        replicas=replicas, selector=client.V1LabelSelector(match_labels=labels), template=template
    )
    return client.V1Deployment(metadata=client.V1ObjectMeta(name="orders"), spec=spec)


def refusal(call, *arguments, **named):
    with pytest.raises(ApiException) as caught:
        call(*arguments, **named)
    return caught.value.status


def test_an_object_made_by_the_client_comes_back_typed(core):
    made = core.create_namespaced_pod("shop", pod("one", {"app": "orders"}))
    assert made.metadata.uid
    assert made.metadata.creation_timestamp.tzinfo is not None
    assert made.status.phase == "Pending"
    read = core.read_namespaced_pod("one", "shop")
    assert (read.kind, read.api_version, read.metadata.uid) == ("Pod", "v1", made.metadata.uid)
    assert int(read.metadata.resource_version) >= int(made.metadata.resource_version)


def test_every_pod_carries_the_volume_that_real_clusters_add(core):
    made = core.create_namespaced_pod("shop", pod("one"))
    assert made.spec.volumes[0].name.startswith("kube-api-access")
    assert made.spec.containers[0].volume_mounts[0].name == made.spec.volumes[0].name


def test_a_stale_version_is_refused_with_conflict(core):
    made = core.create_namespaced_config_map("shop", client.V1ConfigMap(metadata=client.V1ObjectMeta(name="c")))
    made.data = {"a": "1"}
    core.replace_namespaced_config_map("c", "shop", made)
    assert refusal(core.replace_namespaced_config_map, "c", "shop", made) == 409
    assert refusal(core.create_namespaced_config_map, "shop", client.V1ConfigMap(metadata={"name": "c"})) == 409


def test_lists_come_in_pages(core):
    for number in range(7):
        core.create_namespaced_pod("shop", pod(f"p{number}", {"half": str(number % 2)}))
    first = core.list_namespaced_pod("shop", limit=3)
    assert [item.metadata.name for item in first.items] == ["p0", "p1", "p2"]
    assert first.metadata.remaining_item_count == 4
    second = core.list_namespaced_pod("shop", limit=10, _continue=first.metadata._continue)
    assert [item.metadata.name for item in second.items] == ["p3", "p4", "p5", "p6"]
    assert second.metadata._continue is None
    chosen = core.list_pod_for_all_namespaces(
        label_selector="half in (1),half!=0", field_selector="status.phase=Pending"
    )
    assert [item.metadata.name for item in chosen.items] == ["p1", "p3", "p5"]


def test_a_watch_starts_where_a_list_ended(core):
    core.create_namespaced_pod("shop", pod("old"))
    version = core.list_namespaced_pod("shop").metadata.resource_version
    core.create_namespaced_pod("shop", pod("new"))
    core.delete_namespaced_pod("new", "shop")
    seen = []
    for event in watch.Watch().stream(core.list_namespaced_pod, "shop", resource_version=version, timeout_seconds=1):
        if event["object"].metadata.name == "new" and event["type"] != "MODIFIED":
            seen.append(event["type"])
    assert seen == ["ADDED", "DELETED"]


def test_a_watch_sees_what_happens_while_it_is_open(core):
    threading.Timer(0.2, core.create_namespaced_pod, ("shop", pod("late"))).start()
    watching = watch.Watch()
    for event in watching.stream(core.list_namespaced_pod, "shop", timeout_seconds=10):
        assert event["object"].metadata.name == "late"
        watching.stop()


def test_status_is_written_only_through_its_subresource(core):
    core.create_namespaced_pod("shop", pod("one"))
    core.patch_namespaced_pod("one", "shop", {"status": {"phase": "Running"}})
    assert core.read_namespaced_pod("one", "shop").status.phase == "Pending"
    body = {"status": {"phase": "Running", "podIP": "127.0.0.1"}, "spec": {"nodeName": "elsewhere"}}
    changed = core.patch_namespaced_pod_status("one", "shop", body)
    assert (changed.status.phase, changed.status.pod_ip, changed.spec.node_name) == ("Running", "127.0.0.1", None)


def test_a_deployment_makes_pods_and_scales(api, apps, core):
    apps.create_namespaced_deployment("shop", deployment(3))
    path = "/api/v1/namespaces/shop/pods?labelSelector=app%3Dorders"
    api.until(path, lambda found: len(found["items"]) == 3)
    apps.patch_namespaced_deployment_scale("orders", "shop", {"spec": {"replicas": 5}})
    assert apps.read_namespaced_deployment_scale("orders", "shop").spec.replicas == 5
    api.until(path, lambda found: len(found["items"]) == 5)
    scale = apps.read_namespaced_deployment_scale("orders", "shop")
    scale.spec.replicas = 1
    # without this the deployment's own status may have moved on, which is a conflict, as it should be
    scale.metadata.resource_version = None
    apps.replace_namespaced_deployment_scale("orders", "shop", scale)
    api.until(path, lambda found: len(found["items"]) == 1)
    apps.delete_namespaced_deployment("orders", "shop")
    api.until(path, lambda found: not found["items"])


def test_an_eviction_is_refused_by_a_budget(api, core, connection):
    core.create_namespaced_pod("shop", pod("one", {"app": "orders"}))
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    core.patch_namespaced_pod_status("one", "shop", {"status": ready})
    selector = {"matchLabels": {"app": "orders"}}
    budget = {"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": selector}}
    policy = client.PolicyV1Api(connection)
    policy.create_namespaced_pod_disruption_budget("shop", budget)
    eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name="one", namespace="shop"))
    assert refusal(core.create_namespaced_pod_eviction, "one", "shop", eviction) == 429
    policy.delete_namespaced_pod_disruption_budget("b", "shop")
    core.create_namespaced_pod_eviction("one", "shop", eviction)
    assert refusal(core.read_namespaced_pod, "one", "shop") == 404


def test_two_holders_cannot_both_renew_a_lease(connection):
    leases = client.CoordinationV1Api(connection)
    spec = client.V1LeaseSpec(holder_identity="one", lease_duration_seconds=15)
    made = leases.create_namespaced_lease("shop", client.V1Lease(metadata={"name": "leader"}, spec=spec))
    made.spec.holder_identity = "two"
    leases.replace_namespaced_lease("leader", "shop", made)
    made.spec.holder_identity = "three"
    assert refusal(leases.replace_namespaced_lease, "leader", "shop", made) == 409


def test_a_collection_is_deleted_by_its_labels(core):
    for name, app in (("a", "orders"), ("b", "orders"), ("c", "other")):
        core.create_namespaced_pod("shop", pod(name, {"app": app}))
    core.delete_collection_namespaced_pod("shop", label_selector="app=orders")
    assert [item.metadata.name for item in core.list_namespaced_pod("shop").items] == ["c"]


def test_a_pod_on_a_node_lingers_until_its_kubelet_lets_go(core):
    core.create_namespaced_pod("shop", pod("one", node_name="node-a"))
    marked = core.delete_namespaced_pod("one", "shop", grace_period_seconds=20)
    assert marked.metadata.deletion_timestamp is not None
    assert core.read_namespaced_pod("one", "shop").metadata.deletion_grace_period_seconds == 20
    core.delete_namespaced_pod("one", "shop", grace_period_seconds=0)
    assert refusal(core.read_namespaced_pod, "one", "shop") == 404


def test_a_dry_run_changes_nothing(core):
    core.create_namespaced_pod("shop", pod("one"), dry_run="All")
    assert refusal(core.read_namespaced_pod, "one", "shop") == 404


def test_names_are_generated(core):
    body = pod(None)
    body.metadata.generate_name = "drill-"
    first, second = (core.create_namespaced_pod("shop", body).metadata.name for _ in range(2))
    assert first.startswith("drill-")
    assert first != second


def test_the_dynamic_client_discovers_everything(connection, tmp_path):
    found = dynamic.DynamicClient(connection, cache_file=str(tmp_path / "discovery"))
    deployments = found.resources.get(api_version="apps/v1", kind="Deployment")
    deployments.create(namespace="shop", body=deployment(0).to_dict() | {"apiVersion": "apps/v1", "kind": "Deployment"})
    assert deployments.get(name="orders", namespace="shop").spec.replicas == 0
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}}
    maps = found.resources.get(api_version="v1", kind="ConfigMap")
    maps.server_side_apply(namespace="shop", body=body, field_manager="drill")
    assert maps.get(name="c", namespace="shop").data.a == "b"


def test_custom_objects_have_a_status_of_their_own(api, connection):
    version = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}}
    names = {"plural": "drills", "kind": "Drill"}
    spec = {"group": "game.example", "scope": "Namespaced", "names": names, "versions": [version]}
    body = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": spec}
    body["metadata"] = {"name": "drills.game.example"}
    dynamic_body = client.ApiextensionsV1Api(connection).create_custom_resource_definition(body)
    assert dynamic_body.metadata.name == "drills.game.example"
    api.until("/apis/game.example/v1", lambda found: found.get("kind") == "APIResourceList")
    custom = client.CustomObjectsApi(connection)
    place = ("game.example", "v1", "shop", "drills")
    drill = {"apiVersion": "game.example/v1", "kind": "Drill", "metadata": {"name": "one"}, "status": {"phase": "x"}}
    assert "status" not in custom.create_namespaced_custom_object(*place, drill)
    custom.patch_namespaced_custom_object_status(*place, "one", {"status": {"phase": "run"}})
    assert custom.get_namespaced_custom_object(*place, "one")["status"] == {"phase": "run"}
    assert len(custom.list_namespaced_custom_object(*place)["items"]) == 1
    custom.delete_namespaced_custom_object(*place, "one")
    assert refusal(custom.get_namespaced_custom_object, *place, "one") == 404

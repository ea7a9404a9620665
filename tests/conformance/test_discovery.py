"""What the server says of itself."""

import pytest

WATCHABLE = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}


def resources(api, group_version):
    root = "/api/v1" if group_version == "v1" else f"/apis/{group_version}"
    found = api.get(root)
    assert (found["kind"], found["groupVersion"]) == ("APIResourceList", group_version)
    return {entry["name"]: entry for entry in found["resources"]}


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_is_plain_text(api, path):
    answer = api.call("GET", path)
    assert (answer.code, answer.text) == (200, "ok")


def test_the_version_has_two_parts(api):
    version = api.get("/version")
    assert version["gitVersion"].startswith("v")
    if not version["major"]:
        pytest.skip("this server was built without its version")
    assert (version["major"], int(version["minor"].rstrip("+")) >= 25) == ("1", True)


def test_the_core_group_has_one_version(api):
    found = api.get("/api")
    assert (found["kind"], found["versions"]) == ("APIVersions", ["v1"])


def test_every_group_prefers_one_of_its_versions(api):
    groups = {group["name"]: group for group in api.get("/apis")["groups"]}
    wanted = {"apps", "policy", "autoscaling", "coordination.k8s.io", "apiextensions.k8s.io", "authorization.k8s.io"}
    assert wanted <= set(groups)
    for group in groups.values():
        assert group["preferredVersion"] in group["versions"]
    one = api.get("/apis/apps")
    assert (one["kind"], one["name"], one["versions"]) == ("APIGroup", "apps", groups["apps"]["versions"])


@pytest.mark.parametrize(
    ("group_version", "name", "kind", "namespaced"),
    [
        ("v1", "pods", "Pod", True),
        ("v1", "nodes", "Node", False),
        ("v1", "namespaces", "Namespace", False),
        ("v1", "events", "Event", True),
        ("apps/v1", "deployments", "Deployment", True),
        ("apps/v1", "statefulsets", "StatefulSet", True),
        ("apps/v1", "replicasets", "ReplicaSet", True),
        ("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", True),
        ("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", True),
        ("coordination.k8s.io/v1", "leases", "Lease", True),
        ("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", False),
    ],
)
def test_a_resource_is_listed_with_its_verbs(api, group_version, name, kind, namespaced):
    entry = resources(api, group_version)[name]
    assert (entry["kind"], entry["namespaced"]) == (kind, namespaced)
    # namespaces are the one resource without deletecollection
    assert set(entry["verbs"]) >= WATCHABLE - ({"deletecollection"} if name == "namespaces" else set())


@pytest.mark.parametrize(
    ("group_version", "name", "verbs", "kind"),
    [
        ("v1", "pods/status", {"get", "patch", "update"}, "Pod"),
        ("v1", "pods/eviction", {"create"}, "Eviction"),
        ("v1", "pods/binding", {"create"}, "Binding"),
        ("v1", "pods/log", {"get"}, "Pod"),
        ("v1", "nodes/status", {"get", "patch", "update"}, "Node"),
        ("apps/v1", "deployments/scale", {"get", "patch", "update"}, "Scale"),
        ("apps/v1", "statefulsets/scale", {"get", "patch", "update"}, "Scale"),
        ("apps/v1", "replicasets/scale", {"get", "patch", "update"}, "Scale"),
        ("apps/v1", "deployments/status", {"get", "patch", "update"}, "Deployment"),
        ("policy/v1", "poddisruptionbudgets/status", {"get", "patch", "update"}, "PodDisruptionBudget"),
    ],
)
def test_a_subresource_is_listed_with_its_verbs(api, group_version, name, verbs, kind):
    entry = resources(api, group_version)[name]
    assert (set(entry["verbs"]), entry["kind"]) == (verbs, kind)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/nonsense",
        "/apis/apps/v9/deployments",
        "/apis/nowhere.example.com/v1",
        "/apis/nowhere.example.com/v1/namespaces/default/things",
        "/api/v1/namespaces/default/configmaps/a/nonsense",
    ],
)
def test_a_path_that_nobody_serves_is_not_found(api, path):
    assert api.call("GET", path).code == 404

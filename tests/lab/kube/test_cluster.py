"""The API server's rules, without HTTP."""

import pytest

from blackstart.lab.kube.status import ApiError
from blackstart.lab.kube.store import Key


def code(call, *arguments, **named):
    with pytest.raises(ApiError) as caught:
        call(*arguments, **named)
    return caught.value.code


def replace(bench, plural, obj, part=""):
    resource = bench.resource(plural)
    return bench.cluster.replace(resource, bench.key(plural, obj["metadata"]["name"]), obj, part).object


def test_what_only_the_server_may_say_is_ignored(bench):
    metadata = {"name": "c", "uid": "mine", "creationTimestamp": "1999-01-01T00:00:00Z", "generation": 9}
    made = bench.create("configmaps", {"metadata": metadata})
    assert made["metadata"]["uid"] != "mine"
    assert made["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00Z"


def test_a_status_cannot_be_created_except_for_nodes(bench, pod, make_node):
    given = pod("p") | {"status": {"phase": "Running"}}
    assert bench.create("pods", given)["status"]["phase"] == "Pending"
    assert bench.create("nodes", make_node("n"))["status"]["conditions"]


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        ([], 400),
        ({"kind": "Secret"}, 400),
        ({"metadata": {"name": "c", "namespace": "other"}}, 400),
        ({"metadata": {"name": "c", "resourceVersion": "5"}}, 400),
        ({"metadata": {"name": "c", "labels": {"a": 1}}}, 400),
        ({"metadata": {"name": "c", "finalizers": "x"}}, 400),
        ({"metadata": []}, 400),
        ({"metadata": {"name": "c"}, "status": {"conditions": ["Ready"]}}, 400),
        ({"metadata": {}}, 422),
        ({"metadata": {"name": "Not_A_Name"}}, 422),
        ({"metadata": {"name": "c", "ownerReferences": [{"uid": "x"}]}}, 422),
    ],
)
def test_an_object_that_makes_no_sense_is_refused(bench, obj, expected):
    resource = bench.resource("configmaps")
    assert code(bench.cluster.create, resource, "shop", obj) == expected


@pytest.mark.parametrize(
    ("plural", "spec"),
    [
        ("pods", {}),
        ("pods", {"containers": [{"name": "a"}]}),
        ("deployments", {"replicas": 1}),
        ("deployments", {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {"containers": []}}}),
        ("replicasets", {"replicas": -1}),
        ("poddisruptionbudgets", {"minAvailable": 1, "maxUnavailable": 1}),
        ("poddisruptionbudgets", {"minAvailable": "half"}),
        ("nodes", {"taints": [{"key": "a", "effect": "Maybe"}]}),
    ],
)
def test_a_spec_that_a_controller_could_not_use_is_refused(bench, plural, spec):
    resource = bench.resource(plural)
    namespace = "shop" if resource.namespaced else ""
    assert code(bench.cluster.create, resource, namespace, {"metadata": {"name": "x"}, "spec": spec}) == 422


def test_a_broken_type_inside_a_spec_is_a_bad_request(bench):
    container = {"name": "a", "image": "b"}
    for spec in ({"containers": ["a"]}, {"containers": [container], "tolerations": ["x"]}):
        broken = {"metadata": {"name": "x"}, "spec": spec}
        assert code(bench.cluster.create, bench.resource("pods"), "shop", broken) == 400


def test_a_namespace_that_is_not_there_takes_nothing(bench):
    body = {"metadata": {"name": "c"}}
    assert code(bench.cluster.create, bench.resource("configmaps"), "nowhere", body) == 404


def test_an_unchanged_object_keeps_its_version(bench):
    made = bench.create("configmaps", {"metadata": {"name": "c"}, "data": {"a": "1"}})
    again = replace(bench, "configmaps", {"metadata": {"name": "c", "labels": {}}, "data": {"a": "1"}})
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_generation_counts_changes_of_the_spec_only(bench, deployment):
    bench.create("deployments", deployment(0))
    assert bench.edit("deployments", "orders", lambda o: o["spec"].update(replicas=1))["metadata"]["generation"] == 2
    labelled = bench.edit("deployments", "orders", lambda o: o["metadata"].update(labels={"a": "b"}))
    assert labelled["metadata"]["generation"] == 2
    status = bench.edit("deployments", "orders", lambda o: o.update(status={"replicas": 7}), "status")
    assert (status["metadata"]["generation"], status["status"]) == (2, {"replicas": 7})


def test_the_identity_of_an_object_cannot_be_changed(bench):
    made = bench.create("configmaps", {"metadata": {"name": "c"}})
    resource, key = bench.resource("configmaps"), bench.key("configmaps", "c")
    for field, value, expected in (("uid", "x", 409), ("resourceVersion", "1", 409), ("name", "d", 400)):
        body = {"metadata": {"name": "c"} | {field: value}}
        assert code(bench.cluster.replace, resource, key, body) == expected
    assert bench.get("configmaps", "c") == made


def test_a_pod_cannot_be_moved_or_rebuilt(bench, pod):
    bench.create("pods", pod("p"))

    def move(obj):
        obj["spec"]["nodeName"] = "elsewhere"

    assert code(bench.edit, "pods", "p", move) == 422
    bench.edit("pods", "p", lambda obj: obj["spec"]["containers"][0].update(image="orders:2"))


def test_the_selector_of_a_deployment_is_fixed(bench, deployment):
    bench.create("deployments", deployment(0))

    def widen(obj):
        obj["spec"]["selector"] = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}

    assert code(bench.edit, "deployments", "orders", widen) == 422


def test_a_pod_is_bound_only_once(bench, pod):
    bench.create("pods", pod("p"))
    bench.cluster.bind(bench.key("pods", "p"), "a")
    assert code(bench.cluster.bind, bench.key("pods", "p"), "b") == 409


def test_finalizers_hold_an_object_until_the_last_is_gone(bench):
    bench.create("configmaps", {"metadata": {"name": "c", "finalizers": ["x/one"]}})
    assert not bench.delete("configmaps", "c")
    held = bench.get("configmaps", "c")["metadata"]
    assert held["deletionTimestamp"]
    assert code(bench.edit, "configmaps", "c", lambda o: o["metadata"]["finalizers"].append("x/two")) == 422
    bench.edit("configmaps", "c", lambda o: o["metadata"].update(finalizers=[]))
    assert code(bench.get, "configmaps", "c") == 404


@pytest.mark.parametrize("condition", [{"uid": "other"}, {"resource_version": "1"}])
def test_a_deletion_can_be_made_conditional(bench, condition):
    bench.create("configmaps", {"metadata": {"name": "c"}})
    assert code(bench.delete, "configmaps", "c", **condition) == 409


def test_a_running_pod_is_marked_and_a_shorter_grace_wins(bench, pod):
    bench.create("pods", pod("p", nodeName="n"))
    assert not bench.delete("pods", "p")
    assert bench.get("pods", "p")["metadata"]["deletionTimestamp"] == "2026-01-01T00:00:30Z"
    bench.delete("pods", "p", grace=60)
    assert bench.get("pods", "p")["metadata"]["deletionGracePeriodSeconds"] == 30
    bench.delete("pods", "p", grace=5)
    assert bench.get("pods", "p")["metadata"]["deletionTimestamp"] == "2026-01-01T00:00:05Z"
    assert bench.delete("pods", "p", grace=0)


def test_a_pod_that_runs_nowhere_goes_at_once(bench, pod):
    bench.create("pods", pod("waiting"))
    assert bench.delete("pods", "waiting")
    bench.create("pods", pod("done", nodeName="n"))
    bench.edit("pods", "done", lambda o: o.update(status={"phase": "Succeeded"}), "status")
    assert bench.delete("pods", "done")


def test_the_namespaces_of_the_system_stay(bench):
    resource = bench.resource("namespaces")
    assert code(bench.cluster.delete, resource, Key("", "default")) == 403


def test_a_pod_tolerates_the_loss_of_its_node_for_the_configured_time(bench, pod):
    tolerations = bench.create("pods", pod("p"))["spec"]["tolerations"]
    assert {toleration["key"]: toleration["tolerationSeconds"] for toleration in tolerations} == {
        "node.kubernetes.io/not-ready": 5,
        "node.kubernetes.io/unreachable": 5,
    }
    own = [{"key": "node.kubernetes.io/unreachable", "operator": "Exists", "tolerationSeconds": 300}]
    found = bench.create("pods", pod("q", tolerations=own))["spec"]["tolerations"]
    assert {toleration["tolerationSeconds"] for toleration in found} == {5, 300}


def test_quality_of_service_follows_from_requests_and_limits(bench, pod):
    def quality(name, resources):
        made = pod(name)
        made["spec"]["containers"][0]["resources"] = resources
        return bench.create("pods", made)["status"]["qosClass"]

    full = {"cpu": "1", "memory": "1Gi"}
    assert quality("a", {}) == "BestEffort"
    assert quality("b", {"requests": {"cpu": "1"}}) == "Burstable"
    assert quality("c", {"requests": full, "limits": full}) == "Guaranteed"

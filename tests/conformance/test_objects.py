"""Making, reading and replacing objects, and how the server refuses."""

import re
from datetime import datetime

import bodies
import pytest


def test_the_server_sets_what_only_it_may_set(api, space):
    given = {"uid": "mine", "creationTimestamp": "1999-01-01T00:00:00Z"}
    made = space.configmap("a", **given)["metadata"]
    assert re.fullmatch(r"[0-9a-f-]{36}", made["uid"])
    assert datetime.fromisoformat(made["creationTimestamp"]).year > 2000
    assert int(made["resourceVersion"]) > 0
    assert made["namespace"] == space.name


def test_an_object_is_read_as_it_was_made(api, space):
    made = space.configmap("a", {"key": "value"}, annotations={"note": "x"})
    assert api.get(space.configmaps("a")) == made
    assert (made["kind"], made["apiVersion"], made["data"]) == ("ConfigMap", "v1", {"key": "value"})


def test_a_generated_name_begins_as_asked_and_is_unique(api, space):
    body = {"metadata": {"generateName": "made-"}}
    found = {api.create(space.configmaps(), body)["metadata"]["name"] for _ in range(5)}
    assert len(found) == 5
    assert all(re.fullmatch(r"made-[a-z0-9]{5,}", name) for name in found)


def test_a_name_is_taken_only_once(api, space):
    space.configmap("a")
    status = api.refused(409, "AlreadyExists", "POST", space.configmaps(), {"metadata": {"name": "a"}})
    assert status["details"] == {"name": "a", "kind": "configmaps"}
    assert status["message"] == 'configmaps "a" already exists'


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH"])
def test_what_is_not_there_is_not_found(api, space, method):
    body = {} if method == "PATCH" else None
    kind = "application/merge-patch+json"
    status = api.refused(404, "NotFound", method, space.apps("deployments", "absent"), body, kind=kind)
    assert status["details"] == {"name": "absent", "group": "apps", "kind": "deployments"}
    assert status["message"] == 'deployments.apps "absent" not found'


def test_a_namespace_that_is_not_there_takes_nothing(api):
    path = "/api/v1/namespaces/conformance-absent/configmaps"
    status = api.refused(404, "NotFound", "POST", path, {"metadata": {"name": "a"}})
    assert status["details"]["kind"] == "namespaces"


def test_a_namespace_on_its_way_out_takes_nothing(api, space):
    api.patch(f"/api/v1/namespaces/{space.name}", {"metadata": {"labels": {"a": "b"}}})
    space.configmap("held", finalizers=["conformance.example.com/hold"])
    api.delete(f"/api/v1/namespaces/{space.name}")
    try:
        assert api.get(f"/api/v1/namespaces/{space.name}")["status"]["phase"] == "Terminating"
        status = api.refused(403, "Forbidden", "POST", space.configmaps(), {"metadata": {"name": "a"}})
        assert status["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    finally:
        api.patch(space.configmaps("held"), {"metadata": {"finalizers": None}})


@pytest.mark.parametrize(
    ("metadata", "field"), [({}, "metadata.name"), ({"name": "Not_A_Name"}, "metadata.name"), ({"name": "a" * 254}, "")]
)
def test_a_name_that_is_none_is_invalid(api, space, metadata, field):
    status = api.refused(422, "Invalid", "POST", space.configmaps(), {"metadata": metadata})
    assert status["details"]["kind"] == "ConfigMap"
    causes = status["details"]["causes"]
    assert all(cause["reason"].startswith("FieldValue") and cause["message"] for cause in causes)
    assert {cause["field"] for cause in causes} >= {field or "metadata.name"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"replicas": -1}, "spec.replicas"),
        ({"selector": {"matchLabels": {"app": "other"}}}, "spec.template.metadata.labels"),
        ({"selector": None}, "spec.selector"),
    ],
)
def test_a_deployment_that_makes_no_sense_is_invalid(api, space, change, field):
    body = bodies.deployment("d", **change)
    status = api.refused(422, "Invalid", "POST", space.apps("deployments"), body)
    assert status["details"]["name"] == "d"
    assert field in {cause["field"] for cause in status["details"]["causes"]}


def test_a_pod_without_containers_is_invalid(api, space):
    status = api.refused(422, "Invalid", "POST", space.pods(), bodies.pod("p", containers=[]))
    assert "spec.containers" in {cause["field"] for cause in status["details"]["causes"]}


def test_a_pod_cannot_be_moved(api, space):
    api.create(space.pods(), bodies.pod("p"))
    moved = {"spec": {"nodeName": "elsewhere"}}
    api.refused(422, "Invalid", "PATCH", space.pods("p"), moved, kind="application/merge-patch+json")


@pytest.mark.parametrize(
    "body",
    [
        b"{not json",
        b'{"metadata": {"name": 5}}',
        {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a"}},
        {"metadata": {"name": "a", "namespace": "other"}},
    ],
)
def test_a_body_that_is_something_else_is_a_bad_request(api, space, body):
    api.refused(400, "BadRequest", "POST", space.configmaps(), body)


def test_a_new_object_has_no_version(api, space):
    body = {"metadata": {"name": "a", "resourceVersion": "5"}}
    assert api.call("POST", space.configmaps(), body).code in (400, 500)
    assert not api.exists(space.configmaps("a"))


def test_a_media_type_that_is_unknown_is_refused(api, space):
    api.refused(415, "UnsupportedMediaType", "POST", space.configmaps(), b"a", kind="text/csv")
    space.configmap("a")
    api.refused(415, "UnsupportedMediaType", "PATCH", space.configmaps("a"), {}, kind="application/json")


@pytest.mark.parametrize(("method", "name"), [("PUT", ""), ("PATCH", ""), ("POST", "a")])
def test_a_verb_that_a_path_does_not_have_is_refused(api, space, method, name):
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    body = {"metadata": {"name": "a"}}
    api.refused(405, "MethodNotAllowed", method, space.configmaps(name), body, kind=kind)


def test_a_replacement_needs_the_latest_version(api, space):
    old = space.configmap("a", {"n": "1"})
    new = api.put(space.configmaps("a"), old | {"data": {"n": "2"}})
    assert int(new["metadata"]["resourceVersion"]) > int(old["metadata"]["resourceVersion"])
    status = api.refused(409, "Conflict", "PUT", space.configmaps("a"), old | {"data": {"n": "3"}})
    assert status["details"] == {"name": "a", "kind": "configmaps"}
    assert status["message"].startswith('Operation cannot be fulfilled on configmaps "a": the object has been modified')
    assert api.get(space.configmaps("a"))["data"] == {"n": "2"}


def test_a_replacement_without_a_version_goes_over_everything(api, space):
    space.configmap("a", {"n": "1"})
    assert "labels" not in api.put(space.configmaps("a"), {"metadata": {"name": "a"}})["metadata"]


def test_a_replacement_of_another_uid_or_name_is_refused(api, space):
    space.configmap("a")
    other = {"metadata": {"name": "a", "uid": "11111111-2222-3333-4444-555555555555"}}
    api.refused(409, "Conflict", "PUT", space.configmaps("a"), other)
    api.refused(400, "BadRequest", "PUT", space.configmaps("a"), {"metadata": {"name": "b"}})


def test_an_unchanged_object_keeps_its_version(api, space):
    made = space.configmap("a", {"n": "1"})
    again = api.put(space.configmaps("a"), made)
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_generation_counts_changes_of_what_is_wanted(api, space):
    path = space.apps("deployments", "d")
    made = api.create(space.apps("deployments"), bodies.deployment("d", replicas=0))
    assert made["metadata"]["generation"] == 1
    assert api.patch(path, {"metadata": {"labels": {"a": "b"}}})["metadata"]["generation"] == 1
    assert api.patch(path, {"spec": {"paused": True}})["metadata"]["generation"] == 2


def test_what_is_left_out_gets_its_default(api, space):
    made = api.create(space.apps("deployments"), bodies.deployment("d", replicas=0))["spec"]
    assert made["strategy"]["type"] == "RollingUpdate"
    assert made["strategy"]["rollingUpdate"] == {"maxSurge": "25%", "maxUnavailable": "25%"}
    assert (made["progressDeadlineSeconds"], made["revisionHistoryLimit"]) == (600, 10)
    pod = api.create(space.pods(), bodies.pod("p", schedulerName=None) | {"spec": _plain()})
    assert (pod["spec"]["restartPolicy"], pod["spec"]["dnsPolicy"]) == ("Always", "ClusterFirst")
    assert pod["status"]["phase"] == "Pending"
    tolerated = {each["key"] for each in pod["spec"]["tolerations"]}
    assert {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"} <= tolerated


def _plain():
    spec = bodies.pod("p")["spec"]
    return {field: spec[field] for field in ("containers", "schedulerName", "securityContext")}

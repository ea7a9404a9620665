"""Status and scale: parts of an object with a path of their own."""

import bodies
import pytest

MERGE = "application/merge-patch+json"
SCALED = ("deployments", "replicasets", "statefulsets")


def test_the_status_path_changes_the_status_only(api, space):
    made = api.create(space.pods(), bodies.pod("p"))
    wanted = made | {"status": made["status"] | {"phase": "Running", "message": "played"}}
    wanted["spec"] = made["spec"] | {"activeDeadlineSeconds": 5}
    found = api.put(f"{space.pods('p')}/status", wanted)
    assert (found["status"]["phase"], found["status"]["message"]) == ("Running", "played")
    assert found["spec"] == made["spec"]


def test_the_main_path_does_not_change_the_status(api, space):
    made = space.running("p")
    found = api.patch(space.pods("p"), {"status": {"phase": "Failed"}, "metadata": {"labels": {"a": "b"}}})
    assert (found["status"]["phase"], found["metadata"]["labels"]) == ("Running", {"a": "b"})
    assert found["status"] == made["status"]


def test_a_status_cannot_be_brought_along(api, space):
    made = api.create(space.pods(), bodies.pod("p") | {"status": {"phase": "Running"}})
    assert made["status"]["phase"] == "Pending"


def test_the_status_path_reads_the_whole_object(api, space):
    made = api.create(space.pods(), bodies.pod("p"))
    assert api.get(f"{space.pods('p')}/status")["metadata"]["uid"] == made["metadata"]["uid"]


def test_conditions_merge_by_type_in_a_strategic_patch(api, space):
    space.running("p")
    added = {"status": {"conditions": [{"type": "conformance.example.com/x", "status": "True"}]}}
    found = api.patch(f"{space.pods('p')}/status", added, "strategic")
    kinds = {each["type"] for each in found["status"]["conditions"]}
    assert kinds >= {"Ready", "conformance.example.com/x"}


def test_a_stale_status_is_refused(api, space):
    old = api.create(space.pods(), bodies.pod("p"))
    api.patch(space.pods("p"), {"metadata": {"labels": {"a": "b"}}})
    api.refused(409, "Conflict", "PUT", f"{space.pods('p')}/status", old | {"status": {"phase": "Running"}})


@pytest.mark.parametrize("plural", SCALED)
def test_a_scale_is_read_put_and_patched(api, space, plural):
    extra = {"serviceName": "d"} if plural == "statefulsets" else {}
    made = api.create(space.apps(plural), bodies.deployment("d", replicas=0, **extra))
    path = f"{space.apps(plural, 'd')}/scale"
    scale = api.get(path)
    assert (scale["kind"], scale["apiVersion"], scale["spec"].get("replicas", 0)) == ("Scale", "autoscaling/v1", 0)
    assert (scale["metadata"]["uid"], scale["metadata"]["name"]) == (made["metadata"]["uid"], "d")
    assert scale["status"]["selector"] == "app=d"
    _, changed = api.until_no_conflict("PUT", path, lambda held: held | {"spec": {"replicas": 1}})
    assert changed["spec"] == {"replicas": 1}
    assert api.patch(path, {"spec": {"replicas": 2}})["spec"] == {"replicas": 2}
    assert api.get(space.apps(plural, "d"))["spec"]["replicas"] == 2


def test_a_scale_of_a_version_that_is_gone_is_refused(api, space):
    api.create(space.apps("deployments"), bodies.deployment("d", replicas=0))
    path = f"{space.apps('deployments', 'd')}/scale"
    scale = api.get(path)
    api.patch(space.apps("deployments", "d"), {"metadata": {"labels": {"a": "b"}}})
    api.refused(409, "Conflict", "PUT", path, scale | {"spec": {"replicas": 1}})
    stale = {"metadata": {"resourceVersion": scale["metadata"]["resourceVersion"]}, "spec": {"replicas": 1}}
    api.refused(409, "Conflict", "PATCH", path, stale, kind=MERGE)
    assert api.get(path)["spec"].get("replicas", 0) == 0


def test_a_scale_that_makes_no_sense_is_refused(api, space):
    api.create(space.apps("deployments"), bodies.deployment("d", replicas=0))
    path = f"{space.apps('deployments', 'd')}/scale"
    api.refused(422, "Invalid", "PATCH", path, {"spec": {"replicas": -1}}, kind=MERGE)
    api.refused(404, "NotFound", "GET", f"{space.apps('deployments', 'absent')}/scale")


def test_a_pod_is_bound_once(api, space):
    api.create(space.pods(), bodies.pod("p"))
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}}
    binding |= {"target": {"kind": "Node", "name": "conformance-nowhere"}}
    api.create(f"{space.pods('p')}/binding", binding)
    assert api.get(space.pods("p"))["spec"]["nodeName"] == "conformance-nowhere"
    api.refused(409, "Conflict", "POST", f"{space.pods('p')}/binding", binding)

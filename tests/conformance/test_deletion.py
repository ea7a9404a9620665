"""Deletion: preconditions, grace, finalizers, dependents, collections."""

import bodies
import pytest

HOLD = "conformance.example.com/hold"
NOWHERE = "conformance-nowhere"


def deleted(status):
    return (status["kind"], status["status"])


def test_a_deletion_tells_what_is_gone(api, space):
    made = space.configmap("a")
    status = api.delete(space.configmaps("a"))
    assert deleted(status) == ("Status", "Success")
    assert status["details"] == {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]}
    api.refused(404, "NotFound", "DELETE", space.configmaps("a"))


@pytest.mark.parametrize("precondition", [{"uid": "11111111-2222-3333-4444-555555555555"}, {"resourceVersion": "1"}])
def test_a_deletion_of_something_else_is_refused(api, space, precondition):
    made = space.configmap("a")["metadata"]
    options = {"preconditions": precondition}
    api.refused(409, "Conflict", "DELETE", space.configmaps("a"), options)
    right = {field: made[field] for field in precondition}
    assert deleted(api.delete(space.configmaps("a"), {"preconditions": right})) == ("Status", "Success")


def test_a_pod_on_a_node_is_given_its_grace(api, space):
    api.create(space.pods(), bodies.pod("p", nodeName=NOWHERE, terminationGracePeriodSeconds=30))
    marked = api.delete(space.pods("p"))
    assert (marked["kind"], marked["metadata"]["deletionGracePeriodSeconds"]) == ("Pod", 30)
    first = marked["metadata"]["deletionTimestamp"]
    api.delete(space.pods("p"), {"gracePeriodSeconds": 60})
    assert api.get(space.pods("p"))["metadata"]["deletionTimestamp"] == first
    api.delete(space.pods("p"), gracePeriodSeconds=5)
    assert api.get(space.pods("p"))["metadata"]["deletionGracePeriodSeconds"] == 5
    api.delete(space.pods("p"), {"gracePeriodSeconds": 0})
    assert not api.exists(space.pods("p"))


def test_a_pod_that_nobody_runs_goes_at_once(api, space):
    api.create(space.pods(), bodies.pod("waiting", terminationGracePeriodSeconds=30))
    assert api.delete(space.pods("waiting"))["metadata"]["name"] == "waiting"
    assert not api.exists(space.pods("waiting"))
    api.create(space.pods(), bodies.pod("done", nodeName=NOWHERE, terminationGracePeriodSeconds=30))
    api.patch(f"{space.pods('done')}/status", {"status": {"phase": "Succeeded"}})
    api.delete(space.pods("done"))
    assert not api.exists(space.pods("done"))


def test_finalizers_hold_an_object_until_the_last_is_gone(api, space):
    space.configmap("a", finalizers=[HOLD, f"{HOLD}-too"])
    held = api.delete(space.configmaps("a"))
    assert (held["kind"], held["metadata"]["finalizers"]) == ("ConfigMap", [HOLD, f"{HOLD}-too"])
    assert held["metadata"]["deletionTimestamp"]
    assert held["metadata"]["deletionGracePeriodSeconds"] == 0
    api.patch(space.configmaps("a"), {"metadata": {"finalizers": [HOLD]}})
    assert api.exists(space.configmaps("a"))
    api.patch(space.configmaps("a"), {"metadata": {"finalizers": None}})
    assert not api.exists(space.configmaps("a"))


def test_what_is_on_its_way_out_takes_no_new_finalizer(api, space):
    space.configmap("a", finalizers=[HOLD])
    api.delete(space.configmaps("a"))
    added = {"metadata": {"finalizers": [HOLD, f"{HOLD}-too"]}}
    kind = "application/merge-patch+json"
    answer = api.call("PATCH", space.configmaps("a"), added, kind)
    assert answer.code in (403, 422)
    api.patch(space.configmaps("a"), {"metadata": {"finalizers": None}})


def test_a_finalizer_holds_a_pod_past_its_grace(api, space):
    api.create(space.pods(), bodies.pod("p") | {"metadata": {"name": "p", "finalizers": [HOLD]}})
    api.delete(space.pods("p"), {"gracePeriodSeconds": 0})
    assert api.get(space.pods("p"))["metadata"]["deletionTimestamp"]
    api.patch(space.pods("p"), {"metadata": {"finalizers": None}})
    assert not api.exists(space.pods("p"))


@pytest.mark.parametrize(("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
def test_a_policy_holds_its_owner_until_the_dependents_are_seen_to(api, space, policy, finalizer):
    """A finalizer of our own keeps the object in sight, whether or not a garbage collector works."""
    space.configmap("a", finalizers=[HOLD])
    held = api.delete(space.configmaps("a"), {"propagationPolicy": policy})
    assert finalizer in held["metadata"]["finalizers"]
    api.patch(space.configmaps("a"), {"metadata": {"finalizers": None}})
    assert not api.exists(space.configmaps("a"))


def test_deletion_in_the_background_is_over_at_once(api, space):
    space.configmap("a")
    assert deleted(api.delete(space.configmaps("a"), {"propagationPolicy": "Background"})) == ("Status", "Success")


@pytest.mark.parametrize("options", [{"propagationPolicy": "Later"}, {"dryRun": ["Some"]}])
def test_options_that_make_no_sense_are_refused(api, space, options):
    space.configmap("a")
    assert api.call("DELETE", space.configmaps("a"), options).code in (400, 422)
    assert api.exists(space.configmaps("a"))


def test_a_collection_is_deleted_by_selector(api, space):
    for name, zone in (("a", "one"), ("b", "one"), ("c", "two")):
        space.configmap(name, labels={"zone": zone})
    api.delete(space.configmaps(), labelSelector="zone=one")
    assert bodies.names(api.get(space.configmaps(), labelSelector="conformance")) == ["c"]
    api.delete(space.configmaps(), fieldSelector="metadata.name=c")
    assert bodies.names(api.get(space.configmaps(), labelSelector="conformance")) == []


def test_a_collection_of_pods_is_given_its_grace(api, space):
    for name in "ab":
        api.create(space.pods(), bodies.pod(name, nodeName=NOWHERE, terminationGracePeriodSeconds=30))
    api.delete(space.pods(), {"gracePeriodSeconds": 7})
    marked = api.get(space.pods())["items"]
    assert [pod["metadata"]["deletionGracePeriodSeconds"] for pod in marked] == [7, 7]
    api.delete(space.pods(), {"gracePeriodSeconds": 0})
    assert api.get(space.pods())["items"] == []


def test_an_object_made_anew_is_another(api, space):
    first = space.configmap("a")["metadata"]["uid"]
    api.delete(space.configmaps("a"))
    assert space.configmap("a")["metadata"]["uid"] != first

"""The three kinds of patches, and what they may not do."""

import bodies
import pytest


@pytest.fixture
def two(api, space):
    """The path of a Deployment of two containers."""
    body = bodies.deployment("d", replicas=0)
    body["spec"]["template"]["spec"]["containers"] = [bodies.container(name) for name in ("one", "two")]
    api.create(space.apps("deployments"), body)
    return space.apps("deployments", "d")


def containers(deployment):
    found = deployment["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each["image"] for each in found}


def containers_patch(*listed):
    return {"spec": {"template": {"spec": {"containers": list(listed)}}}}


def test_a_merge_patch_changes_adds_and_removes(api, space):
    space.configmap("a", {"kept": "1", "changed": "1", "removed": "1"})
    changed = api.patch(space.configmaps("a"), {"data": {"changed": "2", "removed": None, "added": "2"}})
    assert changed["data"] == {"kept": "1", "changed": "2", "added": "2"}


def test_a_merge_patch_replaces_lists(api, two):
    image = bodies.container("two") | {"image": "other:1"}
    assert containers(api.patch(two, containers_patch(image))) == {"two": "other:1"}


def test_a_strategic_patch_merges_containers_by_name(api, two):
    changed = api.patch(two, containers_patch({"name": "two", "image": "other:1"}), "strategic")
    assert containers(changed) == {"one": "registry.invalid/conformance:1", "two": "other:1"}


def test_a_strategic_patch_deletes_by_directive(api, two):
    changed = api.patch(two, containers_patch({"name": "one", "$patch": "delete"}), "strategic")
    assert list(containers(changed)) == ["two"]


def test_a_strategic_patch_without_the_key_of_a_list_is_refused(api, two):
    answer = api.call("PATCH", two, containers_patch({"image": "other:1"}), "application/strategic-merge-patch+json")
    assert answer.code in (400, 422, 500)
    assert len(containers(api.get(two))) == 2


def test_a_json_patch_does_its_operations_in_order(api, space):
    space.configmap("a", {"kept": "1", "moved": "2"})
    operations = [
        {"op": "test", "path": "/data/kept", "value": "1"},
        {"op": "move", "from": "/data/moved", "path": "/data/here"},
        {"op": "replace", "path": "/data/kept", "value": "3"},
        {"op": "add", "path": "/metadata/annotations", "value": {"example.com/a": "x"}},
        {"op": "copy", "from": "/metadata/annotations/example.com~1a", "path": "/data/copied"},
    ]
    changed = api.patch(space.configmaps("a"), operations, "json")
    assert changed["data"] == {"kept": "3", "here": "2", "copied": "x"}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/data/a", "value": "2"},
        {"op": "remove", "path": "/data/absent"},
    ],
)
def test_a_json_patch_that_does_not_apply_changes_nothing(api, space, operation):
    space.configmap("a", {"a": "1"})
    operations = [{"op": "add", "path": "/data/b", "value": "1"}, operation]
    kind = "application/json-patch+json"
    api.refused(422, "Invalid", "PATCH", space.configmaps("a"), operations, kind=kind)
    assert api.get(space.configmaps("a"))["data"] == {"a": "1"}


def test_a_patch_may_ask_for_the_version_that_it_was_made_for(api, space):
    """This is how a restore goes over nobody else's change."""
    made = space.configmap("a", {"n": "1"})["metadata"]
    path, kind = space.configmaps("a"), "application/merge-patch+json"
    new = api.patch(path, {"metadata": {"resourceVersion": made["resourceVersion"]}, "data": {"n": "2"}})
    assert new["data"] == {"n": "2"}
    stale = {"metadata": {"resourceVersion": made["resourceVersion"]}, "data": {"n": "3"}}
    api.refused(409, "Conflict", "PATCH", path, stale, kind=kind)
    other = {"metadata": {"uid": "11111111-2222-3333-4444-555555555555"}, "data": {"n": "3"}}
    assert api.call("PATCH", path, other, kind).code in (409, 422)
    assert api.get(path)["data"] == {"n": "2"}


def test_a_patch_cannot_rename(api, space):
    space.configmap("a")
    kind = "application/merge-patch+json"
    answer = api.call("PATCH", space.configmaps("a"), {"metadata": {"name": "b"}}, kind)
    assert answer.code in (400, 422)


def test_a_patch_that_makes_an_object_invalid_is_refused(api, two):
    kind = "application/merge-patch+json"
    api.refused(422, "Invalid", "PATCH", two, {"spec": {"replicas": -1}}, kind=kind)


@pytest.mark.parametrize(
    ("kind", "body"),
    [("application/merge-patch+json", b"{not json"), ("application/json-patch+json", {"op": "add"})],
)
def test_a_patch_that_cannot_be_read_is_a_bad_request(api, space, kind, body):
    space.configmap("a")
    api.refused(400, "BadRequest", "PATCH", space.configmaps("a"), body, kind=kind)


def test_a_patch_that_changes_nothing_keeps_the_version(api, space):
    made = space.configmap("a", {"n": "1"})
    again = api.patch(space.configmaps("a"), {"data": {"n": "1"}})
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]

"""Requests that are answered as if they were carried out, and are not."""

import bodies


def test_nothing_is_made(api, space):
    made = api.create(space.configmaps(), {"metadata": {"generateName": "a"}}, dryRun="All")
    assert made["metadata"]["name"].startswith("a")
    assert made["metadata"]["uid"]
    assert not api.exists(space.configmaps(made["metadata"]["name"]))


def test_nothing_is_changed(api, space):
    made = space.configmap("a", {"n": "1"})
    path = space.configmaps("a")
    assert api.patch(path, {"data": {"n": "2"}}, dryRun="All")["data"] == {"n": "2"}
    assert api.put(path, made | {"data": {"n": "3"}}, dryRun="All")["data"] == {"n": "3"}
    assert api.get(path) == made


def test_nothing_is_deleted(api, space):
    space.configmap("a")
    api.delete(space.configmaps("a"), dryRun="All")
    api.delete(space.configmaps("a"), {"dryRun": ["All"]})
    api.delete(space.configmaps(), labelSelector="conformance", dryRun="All")
    assert "deletionTimestamp" not in api.get(space.configmaps("a"))["metadata"]


def test_nothing_is_scaled_and_no_status_is_told(api, space):
    api.create(space.apps("deployments"), bodies.deployment("d", replicas=0))
    path = space.apps("deployments", "d")
    assert api.patch(f"{path}/scale", {"spec": {"replicas": 5}}, dryRun="All")["spec"]["replicas"] == 5
    api.patch(f"{path}/status", {"status": {"replicas": 9}}, dryRun="All")
    found = api.get(path)
    assert (found["spec"]["replicas"], found["status"].get("replicas", 0)) == (0, 0)


def test_what_would_be_refused_is_refused(api, space):
    space.configmap("a")
    api.refused(409, "AlreadyExists", "POST", space.configmaps(), {"metadata": {"name": "a"}}, dryRun="All")
    api.refused(404, "NotFound", "DELETE", space.configmaps("absent"), dryRun="All")
    api.refused(422, "Invalid", "POST", space.configmaps(), {"metadata": {"name": "A"}}, dryRun="All")


def test_another_word_than_all_is_refused(api, space):
    answer = api.call("POST", space.configmaps(), {"metadata": {"name": "a"}}, dryRun="Some")
    assert answer.code in (400, 422)
    assert not api.exists(space.configmaps("a"))

"""Namespaces on their way out, and the life of custom resources."""

import pytest

from blackstart.lab.kube.request import parse
from blackstart.lab.kube.status import ApiError
from blackstart.lab.kube.store import Key


def drill(**metadata):
    return {"apiVersion": "game.example/v1", "kind": "Drill", "metadata": {"name": "one"} | metadata}


def definition(*versions, scope="Namespaced"):
    listed = [{"name": name, "served": True, "storage": name == versions[0]} for name in versions]
    names = {"plural": "drills", "kind": "Drill"}
    spec = {"group": "game.example", "scope": scope, "names": names, "versions": listed}
    return {"metadata": {"name": "drills.game.example"}, "spec": spec}


def test_a_new_namespace_gets_its_service_account(bench):
    assert "shop" in {found["metadata"]["namespace"] for found in bench.all("serviceaccounts")}


def test_a_namespace_goes_when_it_is_empty(bench, pod):
    bench.add_node("a")
    bench.create("configmaps", {"metadata": {"name": "c"}})
    bench.create("pods", pod("p"))
    bench.settle()
    assert not bench.cluster.delete(bench.resource("namespaces"), Key("", "shop"))[1]
    bench.settle()
    assert bench.get("namespaces", "shop")["status"]["phase"] == "Terminating"
    assert bench.all("configmaps") == []
    with pytest.raises(ApiError) as caught:
        bench.create("configmaps", {"metadata": {"name": "late"}})
    assert caught.value.code == 403
    bench.roll()
    with pytest.raises(ApiError):
        bench.get("namespaces", "shop")


def test_a_deployment_does_not_refill_a_namespace_that_is_going(bench, deployment):
    bench.add_node("a")
    bench.create("deployments", deployment(3))
    bench.roll()
    bench.cluster.delete(bench.resource("namespaces"), Key("", "shop"))
    bench.roll()
    assert bench.all("pods") == bench.all("deployments") == bench.all("replicasets") == []


def test_a_definition_serves_its_resource_until_it_goes(bench):
    path = "/apis/game.example/v1/namespaces/shop/drills"
    with pytest.raises(ApiError):
        parse(bench.cluster.registry, path)
    bench.create("customresourcedefinitions", definition("v1"))
    bench.settle()
    found = bench.get("customresourcedefinitions", "drills.game.example")
    assert {c["type"]: c["status"] for c in found["status"]["conditions"]} == {
        "Established": "True",
        "NamesAccepted": "True",
    }
    parse(bench.cluster.registry, path)
    bench.create("drills", drill())
    bench.delete("customresourcedefinitions", "drills.game.example")
    bench.settle()
    with pytest.raises(ApiError):
        parse(bench.cluster.registry, path)
    assert not bench.cluster.store.records("drills.game.example")


def test_a_definition_waits_for_objects_that_are_held(bench):
    bench.create("customresourcedefinitions", definition("v1"))
    bench.settle()
    bench.create("drills", drill(finalizers=["x/held"]))
    bench.delete("customresourcedefinitions", "drills.game.example")
    bench.settle()
    assert bench.get("drills", "one")["metadata"]["deletionTimestamp"]
    bench.edit("drills", "one", lambda obj: obj["metadata"].update(finalizers=[]))
    bench.settle()
    assert bench.all("customresourcedefinitions") == []


def test_all_versions_of_a_custom_resource_are_one_object(api):
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    api.post(crds, definition("v1", "v2"))
    api.until("/apis/game.example/v2", lambda found: found.get("kind") == "APIResourceList")
    api.post("/apis/game.example/v1/namespaces/shop/drills", drill() | {"spec": {"a": 1}})
    newer = api.get("/apis/game.example/v2/namespaces/shop/drills/one")
    assert (newer["apiVersion"], newer["spec"]) == ("game.example/v2", {"a": 1})
    code, changed = api.call("PUT", "/apis/game.example/v2/namespaces/shop/drills/one", newer | {"spec": {"a": 2}})
    assert (code, changed["apiVersion"]) == (200, "game.example/v2")
    assert api.get("/apis/game.example/v1/namespaces/shop/drills")["items"][0]["spec"] == {"a": 2}
    older = "/apis/game.example/v1/namespaces/shop/drills/one"
    code, changed = api.call("PATCH", older, {"spec": {"a": 3}}, "application/merge-patch+json")
    assert (code, changed["apiVersion"], changed["spec"]) == (200, "game.example/v1", {"a": 3})


def test_a_name_that_does_not_fit_its_definition_is_refused(bench):
    wrong = definition("v1")
    wrong["metadata"]["name"] = "other.game.example"
    with pytest.raises(ApiError, match="must be spec"):
        bench.create("customresourcedefinitions", wrong)

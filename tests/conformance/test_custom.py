"""Kinds that a CustomResourceDefinition adds: those of Karpenter, for one."""

import secrets

import pytest

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MERGE = "application/merge-patch+json"


def definition(group):
    limits = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    spec = {"type": "object", "properties": {"replicas": {"type": "integer", "minimum": 0}, "limits": limits}}
    status = {"type": "object", "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}}}
    schema = {"type": "object", "properties": {"spec": spec, "status": status}}
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    version |= {"subresources": {"status": {}, "scale": scale | {"labelSelectorPath": ".status.selector"}}}
    version["additionalPrinterColumns"] = [{"name": "Wanted", "type": "integer", "jsonPath": ".spec.replicas"}]
    names = {"plural": "pools", "singular": "pool", "kind": "Pool", "listKind": "PoolList", "shortNames": ["pl"]}
    wanted = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    return {"metadata": {"name": f"pools.{group}"}, "spec": wanted}


@pytest.fixture(scope="module")
def group(api):
    """The API group of the kind Pool, as long as these tests run."""
    name = f"x{secrets.token_hex(4)}.conformance.example.com"
    api.create(DEFINITIONS, definition(name))
    served = api.until(f"/apis/{name}/v1", lambda found: bool(found) and found.get("resources"))
    try:
        assert served, api.get(f"{DEFINITIONS}/pools.{name}")
        yield name
    finally:
        api.delete(f"{DEFINITIONS}/pools.{name}")


@pytest.fixture
def pools(space, group):
    return space.path("pools", group=f"{group}/v1")


def test_a_definition_is_accepted_and_said_to_be_served(api, group):
    def conditions(found):
        return {each["type"]: each["status"] for each in found["status"].get("conditions", ())}

    served = {"Established": "True", "NamesAccepted": "True"}
    assert api.until(f"{DEFINITIONS}/pools.{group}", lambda found: served.items() <= conditions(found).items())


def test_a_new_kind_is_discovered(api, group):
    found = {entry["name"]: entry for entry in api.get(f"/apis/{group}/v1")["resources"]}
    assert set(found) == {"pools", "pools/status", "pools/scale"}
    assert (found["pools"]["kind"], found["pools"]["shortNames"]) == ("Pool", ["pl"])
    assert found["pools/scale"]["kind"] == "Scale"
    assert group in {each["name"] for each in api.get("/apis")["groups"]}


def test_custom_objects_are_made_changed_listed_and_deleted(api, group, pools):
    made = api.create(pools, {"apiVersion": f"{group}/v1", "kind": "Pool", "metadata": {"name": "a"}, "spec": {}})
    assert (made["metadata"]["generation"], made["apiVersion"]) == (1, f"{group}/v1")
    changed = api.patch(f"{pools}/a", {"spec": {"limits": {"cpu": "0"}}})
    assert (changed["spec"], changed["metadata"]["generation"]) == ({"limits": {"cpu": "0"}}, 2)
    back = api.patch(f"{pools}/a", {"spec": {"limits": None}})
    assert back["spec"] == {}
    found = api.get(pools)
    assert (found["kind"], [item["metadata"]["name"] for item in found["items"]]) == ("PoolList", ["a"])
    status = api.delete(f"{pools}/a")
    assert status["details"] == {"name": "a", "group": group, "kind": "pools", "uid": made["metadata"]["uid"]}


def test_a_strategic_patch_needs_a_built_in_kind(api, group, pools):
    api.create(pools, {"apiVersion": f"{group}/v1", "kind": "Pool", "metadata": {"name": "a"}})
    kind = "application/strategic-merge-patch+json"
    api.refused(415, "UnsupportedMediaType", "PATCH", f"{pools}/a", {}, kind=kind)


def test_a_custom_object_says_what_it_is(api, pools):
    assert api.call("POST", pools, {"metadata": {"name": "a"}}).code == 400


def test_the_schema_refuses_what_it_does_not_allow(api, group, pools):
    body = {"apiVersion": f"{group}/v1", "kind": "Pool", "metadata": {"name": "a"}}
    status = api.refused(422, "Invalid", "POST", pools, body | {"spec": {"replicas": -1}})
    assert status["details"]["causes"][0]["field"] == "spec.replicas"
    api.refused(422, "Invalid", "POST", pools, body | {"spec": {"replicas": "many"}})


def test_status_and_scale_have_paths_of_their_own(api, group, pools):
    body = {"apiVersion": f"{group}/v1", "kind": "Pool", "metadata": {"name": "a"}, "spec": {"replicas": 2}}
    made = api.create(pools, body | {"status": {"replicas": 9}})
    assert "status" not in made
    told = api.patch(f"{pools}/a/status", {"status": {"replicas": 2, "selector": "app=a"}, "spec": {"replicas": 7}})
    assert (told["status"]["replicas"], told["spec"]["replicas"], told["metadata"]["generation"]) == (2, 2, 1)
    scale = api.get(f"{pools}/a/scale")
    assert (scale["kind"], scale["spec"], scale["status"]) == (
        "Scale",
        {"replicas": 2},
        {"replicas": 2, "selector": "app=a"},
    )
    assert api.patch(f"{pools}/a/scale", {"spec": {"replicas": 3}})["spec"]["replicas"] == 3
    assert api.get(f"{pools}/a")["spec"]["replicas"] == 3


def test_finalizers_hold_a_custom_object(api, group, pools):
    metadata = {"name": "a", "finalizers": ["conformance.example.com/hold"]}
    api.create(pools, {"apiVersion": f"{group}/v1", "kind": "Pool", "metadata": metadata})
    api.delete(f"{pools}/a")
    assert api.get(f"{pools}/a")["metadata"]["deletionTimestamp"]
    api.patch(f"{pools}/a", {"metadata": {"finalizers": None}})
    assert not api.exists(f"{pools}/a")


def test_a_watch_tells_of_custom_objects(api, group, pools):
    start = api.get(pools)["metadata"]["resourceVersion"]
    api.create(pools, {"apiVersion": f"{group}/v1", "kind": "Pool", "metadata": {"name": "a"}})
    event = next(api.watch(pools, resourceVersion=start))
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "a")


def test_a_definition_that_makes_no_sense_is_invalid(api):
    wrong = definition("conformance.example.com") | {"metadata": {"name": "other.conformance.example.com"}}
    api.refused(422, "Invalid", "POST", DEFINITIONS, wrong)

"""Owner references: what goes when an owner goes."""

import pytest

from blackstart.lab.kube.status import ApiError


def owned(bench, name, *owners, block=True, **metadata):
    references = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
        | {"blockOwnerDeletion": block}
        for owner in owners
    ]
    return bench.create("configmaps", {"metadata": {"name": name, "ownerReferences": references} | metadata})


def names(bench):
    return [found["metadata"]["name"] for found in bench.all("configmaps")]


@pytest.fixture
def family(bench):
    """A parent, a child and a grandchild."""
    parent = bench.create("configmaps", {"metadata": {"name": "parent"}})
    child = owned(bench, "child", parent)
    owned(bench, "grandchild", child)
    bench.settle()
    return bench


def test_dependents_follow_their_owner_in_the_background(family):
    assert family.delete("configmaps", "parent")
    family.settle()
    assert names(family) == []


def test_in_the_foreground_the_owner_waits_for_its_dependents(family):
    family.edit("configmaps", "grandchild", lambda obj: obj["metadata"].update(finalizers=["x/held"]))
    assert not family.delete("configmaps", "parent", propagation="Foreground")
    family.settle()
    assert names(family) == ["child", "grandchild", "parent"]
    assert all("deletionTimestamp" in found["metadata"] for found in family.all("configmaps"))
    family.edit("configmaps", "grandchild", lambda obj: obj["metadata"].update(finalizers=[]))
    family.settle()
    assert names(family) == []


def test_orphans_stay_and_forget_their_owner(family):
    family.delete("configmaps", "parent", propagation="Orphan")
    family.settle()
    assert names(family) == ["child", "grandchild"]
    assert not family.get("configmaps", "child")["metadata"].get("ownerReferences")


def test_an_object_with_another_living_owner_stays(bench):
    first, second = (bench.create("configmaps", {"metadata": {"name": name}}) for name in ("first", "second"))
    owned(bench, "shared", first, second)
    bench.delete("configmaps", "first")
    bench.settle()
    references = bench.get("configmaps", "shared")["metadata"]["ownerReferences"]
    assert [reference["name"] for reference in references] == ["second"]
    bench.delete("configmaps", "second")
    bench.settle()
    assert names(bench) == []


def test_an_object_whose_owner_never_lived_is_collected(bench):
    owned(bench, "lost", {"metadata": {"name": "nobody", "uid": "no-such-uid"}})
    bench.settle()
    assert names(bench) == []


def test_an_owner_of_another_life_with_the_same_name_is_not_the_owner(bench):
    first = bench.create("configmaps", {"metadata": {"name": "parent"}})
    bench.delete("configmaps", "parent")
    bench.create("configmaps", {"metadata": {"name": "parent"}})
    owned(bench, "child", first)
    bench.settle()
    assert names(bench) == ["parent"]


def test_an_owner_of_an_unknown_kind_is_taken_to_live(bench):
    reference = {"apiVersion": "else.example/v1", "kind": "Thing", "name": "x", "uid": "y"}
    bench.create("configmaps", {"metadata": {"name": "child", "ownerReferences": [reference]}})
    bench.settle()
    assert names(bench) == ["child"]


def test_a_deployment_takes_its_replica_sets_and_pods_along(bench, deployment):
    bench.add_node("a")
    bench.create("deployments", deployment(3))
    bench.roll()
    bench.delete("deployments", "orders")
    bench.settle()
    assert bench.all("replicasets") == []
    assert all("deletionTimestamp" in pod["metadata"] for pod in bench.all("pods"))
    bench.roll()
    assert bench.all("pods") == []


def test_a_deployment_in_the_foreground_stays_until_its_pods_ended(bench, deployment):
    bench.add_node("a")
    bench.create("deployments", deployment(2))
    bench.roll()
    bench.delete("deployments", "orders", propagation="Foreground")
    bench.settle()
    assert bench.get("deployments", "orders")["metadata"]["deletionTimestamp"]
    assert len(bench.all("pods")) == 2, "no pods are made for what is going"
    bench.roll()
    with pytest.raises(ApiError):
        bench.get("deployments", "orders")


def test_a_deployment_that_leaves_its_pods_behind_can_take_them_back(bench, deployment):
    bench.add_node("a")
    bench.create("deployments", deployment(2))
    bench.roll()
    before = [pod["metadata"]["uid"] for pod in bench.all("pods")]
    bench.delete("deployments", "orders", propagation="Orphan")
    bench.roll()
    assert [pod["metadata"]["uid"] for pod in bench.all("pods")] == before
    assert len(bench.all("replicasets")) == 1

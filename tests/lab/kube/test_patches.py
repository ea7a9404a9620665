import pytest

from blackstart.lab.kube.patches import json_patch, merge_patch
from blackstart.lab.kube.status import ApiError
from blackstart.lab.kube.strategic import strategic_merge


def test_a_merge_patch_merges_objects_replaces_lists_and_deletes_by_null():
    original = {"a": {"b": 1, "c": 2}, "list": [1, 2]}
    assert merge_patch(original, {"a": {"b": None, "d": 3}, "list": [9]}) == {"a": {"c": 2, "d": 3}, "list": [9]}
    assert original == {"a": {"b": 1, "c": 2}, "list": [1, 2]}


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        ({"op": "add", "path": "/a/x", "value": 1}, {"a": {"b": "c", "x": 1}, "l": [1, 2]}),
        ({"op": "add", "path": "/l/0", "value": 0}, {"a": {"b": "c"}, "l": [0, 1, 2]}),
        ({"op": "add", "path": "/l/-", "value": 3}, {"a": {"b": "c"}, "l": [1, 2, 3]}),
        ({"op": "replace", "path": "/a/b", "value": "d"}, {"a": {"b": "d"}, "l": [1, 2]}),
        ({"op": "replace", "path": "/l/0", "value": 9}, {"a": {"b": "c"}, "l": [9, 2]}),
        ({"op": "replace", "path": "", "value": {}}, {}),
        ({"op": "remove", "path": "/l/1"}, {"a": {"b": "c"}, "l": [1]}),
        ({"op": "move", "from": "/a/b", "path": "/x"}, {"a": {}, "l": [1, 2], "x": "c"}),
        ({"op": "copy", "from": "/l", "path": "/m"}, {"a": {"b": "c"}, "l": [1, 2], "m": [1, 2]}),
        ({"op": "test", "path": "/a/b", "value": "c"}, {"a": {"b": "c"}, "l": [1, 2]}),
    ],
)
def test_a_json_patch_does_what_it_says(operation, result):
    assert json_patch({"a": {"b": "c"}, "l": [1, 2]}, [operation]) == result


def test_slashes_in_names_are_escaped():
    assert json_patch({"a/b": {"~": 1}}, [{"op": "remove", "path": "/a~1b/~0"}]) == {"a/b": {}}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/x"},
        {"op": "test", "path": "/a", "value": 2},
        {"op": "replace", "path": "/l/5", "value": 1},
        {"op": "replace", "path": "/l/-1", "value": 1},
        {"op": "add", "path": "/a/b/c", "value": 1},
        {"op": "add", "path": "x", "value": 1},
    ],
)
def test_a_json_patch_that_does_not_apply_is_refused(operation):
    with pytest.raises(ApiError) as caught:
        json_patch({"a": 1, "l": [1]}, [operation])
    assert caught.value.code == 422


@pytest.mark.parametrize("body", [{}, [{"op": "add"}], ["x"], [{"op": "jump", "path": "/a"}]])
def test_a_json_patch_that_is_none_is_refused(body):
    with pytest.raises(ApiError) as caught:
        json_patch({"a": 1}, body)
    assert caught.value.code == 400


def test_a_strategic_patch_merges_lists_by_their_key():
    original = {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}
    patch = {"containers": [{"name": "b", "image": "2"}, {"name": "c"}]}
    assert strategic_merge(original, patch) == {
        "containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}, {"name": "c"}]
    }


def test_a_strategic_patch_deletes_by_directive():
    original = {"env": [{"name": "A"}, {"name": "B"}], "finalizers": ["x", "y"], "labels": {"a": "1", "b": "2"}}
    patch = {
        "env": [{"name": "A", "$patch": "delete"}],
        "$deleteFromPrimitiveList/finalizers": ["x"],
        "labels": {"a": None},
    }
    assert strategic_merge(original, patch) == {"env": [{"name": "B"}], "finalizers": ["y"], "labels": {"b": "2"}}


def test_a_strategic_patch_replaces_where_it_says_so():
    original = {"env": [{"name": "A"}], "labels": {"a": "1"}, "strategy": {"type": "x", "rollingUpdate": {}}}
    patch = {
        "env": [{"$patch": "replace"}, {"name": "C"}],
        "labels": {"$patch": "replace", "b": "2"},
        "strategy": {"$retainKeys": ["type"], "type": "Recreate"},
    }
    assert strategic_merge(original, patch) == {
        "env": [{"name": "C"}],
        "labels": {"b": "2"},
        "strategy": {"type": "Recreate"},
    }


def test_a_strategic_patch_keeps_the_order_it_is_told():
    original = {"containers": [{"name": "a"}, {"name": "b"}]}
    patch = {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "b", "image": "2"}]}
    assert strategic_merge(original, patch)["containers"] == [{"name": "b", "image": "2"}, {"name": "a"}]


def test_lists_without_a_key_are_replaced_and_finalizers_join():
    original = {"args": ["a"], "taints": [{"key": "a"}], "finalizers": ["x"]}
    patch = {"args": ["b"], "taints": [{"key": "b"}], "finalizers": ["y"]}
    assert strategic_merge(original, patch) == {"args": ["b"], "taints": [{"key": "b"}], "finalizers": ["x", "y"]}


def test_ports_merge_by_what_they_are_ports_of():
    assert strategic_merge({"ports": [{"port": 80}]}, {"ports": [{"port": 80, "name": "x"}]})["ports"] == [
        {"port": 80, "name": "x"}
    ]
    assert len(strategic_merge({"ports": [{"containerPort": 80}]}, {"ports": [{"containerPort": 81}]})["ports"]) == 2


@pytest.mark.parametrize("patch", [["x"], {"containers": [{"image": "2"}]}])
def test_a_strategic_patch_without_its_key_is_refused(patch):
    with pytest.raises(ApiError) as caught:
        strategic_merge({"containers": [{"name": "a"}]}, patch)
    assert caught.value.code == 400

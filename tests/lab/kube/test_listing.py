"""Pages that belong together, whatever happens meanwhile."""

import pytest

from blackstart.lab.kube.listing import page
from blackstart.lab.kube.request import Route
from blackstart.lab.kube.status import ApiError


@pytest.fixture
def maps(bench):
    for name in "abcde":
        bench.create("configmaps", {"metadata": {"name": name, "labels": {"x": name}}})
    return bench


def listed(bench, **query):
    found = page(bench.cluster, Route(bench.resource("configmaps"), "shop", "", ""), query)
    return [record.object["metadata"]["name"] for record in found.records], found


def test_pages_show_one_moment_even_if_objects_come_and_go(maps):
    first, page_one = listed(maps, limit="2")
    assert (first, page_one.remaining) == (["a", "b"], 3)
    maps.delete("configmaps", "c")
    maps.create("configmaps", {"metadata": {"name": "bb"}})
    second, page_two = listed(maps, **{"limit": "9", "continue": page_one.token})
    assert second == ["c", "d", "e"]
    assert page_two.version == page_one.version
    assert listed(maps)[0] == ["a", "b", "bb", "d", "e"]


def test_a_page_that_was_left_open_too_long_is_gone(maps):
    _, first = listed(maps, limit="2")
    for name in "fg":
        maps.clock.seconds += 121
        maps.create("configmaps", {"metadata": {"name": name}})
    with pytest.raises(ApiError) as caught:
        listed(maps, **{"limit": "2", "continue": first.token})
    assert caught.value.code == 410


def test_a_list_can_show_an_exact_version(maps):
    then = maps.cluster.store.version
    maps.delete("configmaps", "a")
    assert listed(maps, resourceVersion=str(then), resourceVersionMatch="Exact")[0] == list("abcde")


def test_what_remains_is_unknown_when_there_is_a_selector(maps):
    names, found = listed(maps, limit="1", labelSelector="x in (a,b)")
    assert (names, found.remaining) == (["a"], None)
    assert found.token

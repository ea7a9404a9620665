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


def test_a_page_that_was_left_open_too_long_is_gone(maps):
    _, first = listed(maps, limit="2")
    for name in "fg":
        maps.clock.seconds += 121
        maps.create("configmaps", {"metadata": {"name": name}})
    with pytest.raises(ApiError) as caught:
        listed(maps, **{"limit": "2", "continue": first.token})
    assert caught.value.code == 410

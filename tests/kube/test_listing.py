"""Lists in pages, some of which expire."""

from urllib.parse import parse_qs, urlsplit

import pytest
from faulty_kube import http, listed, running, thing

from blackstart.kube.client import KubeRefused
from blackstart.kube.listing import STARTS

PODS = "/api/v1/namespaces/shop/pods"
GONE = http(410, {"message": "The provided continue parameter is too old"})


def asked(request):
    return {name: value for name, (value,) in parse_qs(urlsplit(request.path).query).items()}


def book(pages):
    """Answers by the continue token; a list of answers is given one by one."""

    def answer(request):
        found = pages[asked(request).get("continue", "")]
        return [found.pop(0) if isinstance(found, list) else found]

    return answer


def names(items):
    return [item["metadata"]["name"] for item in items]


def test_a_list_is_read_page_by_page_with_its_selector(client):
    pages = {"": listed(7, thing("a", 1), following="t"), "t": listed(7, thing("b", 2))}
    with running(book(pages)) as server:
        kube = client(server.url)
        found = kube.items(PODS, labelSelector="app=orders")
        assert names([next(found)]) == ["a"]
        assert len(server.requests) <= 2  # one page may be on its way in advance
        assert names(found) == ["b"]
        assert [asked(each) for each in server.requests] == [
            {"labelSelector": "app=orders", "limit": "500"},
            {"labelSelector": "app=orders", "limit": "500", "continue": "t"},
        ]


def test_a_list_whose_pages_expire_begins_again_and_gives_nothing_twice(client):
    pages = {
        "": [listed(7, thing("a", 1), following="old"), listed(9, thing("a", 1), thing("c", 8), following="new")],
        "old": GONE,
        "new": listed(9, thing("b", 2), thing("a", 1)),
    }
    with running(book(pages)) as server:
        assert names(client(server.url).items(PODS)) == ["a", "c", "b"]


def test_a_pod_that_took_the_name_of_another_is_no_repetition(client):
    pages = {
        "": [listed(7, thing("a", 1), following="old"), listed(9, thing("a", 8, uid="other"))],
        "old": GONE,
    }
    with running(book(pages)) as server:
        assert names(client(server.url).items(PODS)) == ["a", "a"]


def test_pages_that_expire_again_and_again_are_an_error(client):
    with running(book({"": listed(7, thing("a", 1), following="old"), "old": GONE})) as server:
        with pytest.raises(KubeRefused, match="410: The provided continue parameter is too old"):
            list(client(server.url).items(PODS))
        assert len(server.requests) == 2 * STARTS


def test_a_list_says_from_where_a_watch_goes_on(client):
    with running(book({"": listed(7, thing("a", 1), following="t"), "t": listed(7, thing("b", 2))})) as server:
        items, version = client(server.url).list(PODS)
        assert (names(items), version) == (["a", "b"], "7")


def test_things_without_a_uid_are_told_apart_by_name(client):
    bare = [{"metadata": {"name": name}} for name in "ab"]
    with running(book({"": listed(7, bare[0], following="t"), "t": listed(7, *bare)})) as server:
        assert names(client(server.url).items(PODS)) == ["a", "b"]


def test_an_empty_list_is_empty(client):
    with running(lambda request: [http(200, {"metadata": {}, "items": None})]) as server:
        assert list(client(server.url).items(PODS)) == []

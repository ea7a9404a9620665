"""Watches over HTTP, where tests/conformance does not ask already."""

import json

import pytest

PODS = "/api/v1/namespaces/shop/configmaps"


def version(api):
    return api.get(PODS)["metadata"]["resourceVersion"]


def make(api, name, **labels):
    return api.post(PODS, {"metadata": {"name": name, "labels": labels}})


def test_a_version_that_is_no_longer_known_ends_in_gone(api):
    events = list(api.watch(f"{PODS}?watch=true&resourceVersion=999999"))
    assert [event["type"] for event in events] == ["ERROR"]
    assert (events[0]["object"]["code"], events[0]["object"]["reason"]) == (410, "Expired")


def test_bookmarks_say_how_far_a_quiet_watch_has_come(api):
    start = version(api)
    api.post("/api/v1/namespaces", {"metadata": {"name": "elsewhere"}})
    events = list(api.watch(f"{PODS}?watch=true&timeoutSeconds=1&allowWatchBookmarks=true&resourceVersion={start}"))
    assert events[-1]["type"] == "BOOKMARK"
    assert int(events[-1]["object"]["metadata"]["resourceVersion"]) > int(start)
    assert events[-1]["object"]["kind"] == "ConfigMap"


def test_streaming_a_list_needs_its_condition(api):
    code, _ = api.call("GET", f"{PODS}?watch=true&sendInitialEvents=true")
    assert code == 400


def test_a_watch_of_tables_describes_its_columns_once(api):
    make(api, "a")
    make(api, "b")
    path = f"{api.url}{PODS}?watch=true&timeoutSeconds=1&fieldSelector=metadata.name!%3Dkube-root-ca.crt"
    answer = api._pool.request("GET", path, headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"})
    first, second = (json.loads(line)["object"] for line in answer.data.splitlines())
    assert first["kind"] == second["kind"] == "Table"
    assert first["columnDefinitions"]
    assert second["columnDefinitions"] is None
    assert first["rows"][0]["cells"][0] == "a"


@pytest.mark.parametrize("query", ["labelSelector=a%20in", "fieldSelector=spec.color%3Dred", "timeoutSeconds=soon"])
def test_a_watch_that_makes_no_sense_is_refused(api, query):
    code, _ = api.call("GET", f"{PODS}?watch=true&{query}")
    assert code == 400


def test_a_client_that_leaves_does_no_harm(api):
    for _ in range(3):
        watch = api.watch(f"{PODS}?watch=true")
        make(api, f"x{_}")
        next(watch)
        watch.close()
    make(api, "after")
    assert version(api)

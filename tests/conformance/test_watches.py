"""Watches: what happened since a version, in order, until the time is over."""

import itertools
import json
import threading

import bodies
import pytest

MINE = "conformance=yes"


@pytest.fixture
def start(api, space):
    """The version before anything of this test happened."""
    space.configmap("before")
    return api.get(space.configmaps())["metadata"]["resourceVersion"]


def label(api, space, name, **labels):
    api.patch(space.configmaps(name), {"metadata": {"labels": labels}})


def told(api, space, count, **query):
    """Type and name of the first ``count`` events. A server that is behind says so, and is asked again."""
    for _ in range(5):
        events = list(itertools.islice(api.watch(space.configmaps(), **{"labelSelector": MINE} | query), count))
        if not events or events[0]["type"] != "ERROR" or events[0]["object"]["code"] not in (429, 500, 504):
            break
    return [(event["type"], event["object"]["metadata"].get("name")) for event in events]


def test_a_watch_tells_what_came_after_a_version(api, space, start):
    space.configmap("a")
    label(api, space, "a", x="1")
    api.delete(space.configmaps("a"))
    assert told(api, space, 3, resourceVersion=start) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_versions_grow_also_at_a_deletion(api, space, start):
    space.configmap("a")
    api.delete(space.configmaps("a"))
    events = itertools.islice(api.watch(space.configmaps(), resourceVersion=start, labelSelector=MINE), 2)
    made, deleted = (int(event["object"]["metadata"]["resourceVersion"]) for event in events)
    assert int(start) < made < deleted


def test_a_watch_without_a_version_begins_with_what_there_is(api, space, start):
    space.configmap("a")
    assert sorted(told(api, space, 2)) == [("ADDED", "a"), ("ADDED", "before")]
    assert sorted(told(api, space, 2, resourceVersion="0")) == [("ADDED", "a"), ("ADDED", "before")]


def test_events_arrive_while_the_watch_is_open(api, space, start):
    later = threading.Timer(0.2, space.configmap, ("late",))
    later.start()
    assert told(api, space, 1, resourceVersion=start) == [("ADDED", "late")]
    later.join()


def test_what_leaves_the_selection_is_deleted_and_what_enters_is_added(api, space, start):
    space.configmap("a", labels={"x": "1"})
    label(api, space, "a", y="1")
    label(api, space, "a", x="2")
    label(api, space, "a", x="1")
    api.delete(space.configmaps("a"))
    seen = told(api, space, 5, resourceVersion=start, labelSelector="x=1")
    assert [kind for kind, _ in seen] == ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]


def test_a_field_selector_chooses_events_too(api, space):
    start = api.get(space.pods())["metadata"]["resourceVersion"]
    space.running("a")
    events = itertools.islice(api.watch(space.pods(), resourceVersion=start, fieldSelector="status.phase=Running"), 1)
    assert [event["type"] for event in events] == ["ADDED"]


def test_a_watch_of_all_namespaces_tells_of_this_one(api, space, start):
    space.configmap("a")
    query = {"resourceVersion": start, "fieldSelector": f"metadata.namespace={space.name}", "labelSelector": MINE}
    event = next(api.watch("/api/v1/configmaps", **query))
    assert (event["type"], event["object"]["metadata"]["namespace"]) == ("ADDED", space.name)


def test_bookmarks_carry_a_kind_and_a_version(api, space, start):
    """The last one comes when the time is over; an old server may leave it out of a watch so short."""
    query = {"resourceVersion": start, "allowWatchBookmarks": "true", "timeoutSeconds": 2}
    space.configmap("a")
    events = list(api.watch(space.configmaps(), labelSelector=MINE, **query))
    assert events[0]["type"] == "ADDED"
    for event in events[1:]:
        assert (event["type"], event["object"]["kind"]) == ("BOOKMARK", "ConfigMap")
        assert int(event["object"]["metadata"]["resourceVersion"]) >= int(start)


def test_a_watch_ends_in_order_and_without_bookmarks_that_nobody_asked_for(api, space, start):
    assert told(api, space, 9, resourceVersion=start, timeoutSeconds=2) == []


def test_a_list_can_be_streamed_and_its_end_is_marked(api, space, start):
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    answer = api.call("GET", space.configmaps(), watch="true", timeoutSeconds=1, **query)
    if answer.code != 200 or '"type":"ERROR"' in answer.text:
        pytest.skip("this server (or its etcd) does not stream lists")
    events = api.watch(space.configmaps(), labelSelector=MINE, **query)
    first, mark = itertools.islice(events, 2)
    assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "before")
    assert mark["type"] == "BOOKMARK"
    assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_a_version_that_is_no_longer_known_is_gone(api, space, start, stand_in):
    """Told as the answer, or as the first event."""
    answer = api.call("GET", space.configmaps(), watch="true", resourceVersion="1", timeoutSeconds=1)
    first = json.loads(answer.text.partition("\n")[0] or "{}") if answer.code == 200 else answer.body
    if first.get("type") != "ERROR" and answer.code == 200 and not stand_in:
        pytest.skip("this server still knows its own beginning")
    status = first["object"] if answer.code == 200 else first
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")


@pytest.mark.parametrize("query", [{"timeoutSeconds": "soon"}, {"labelSelector": "a in"}, {"fieldSelector": "b"}])
def test_a_watch_that_makes_no_sense_is_refused(api, space, query):
    api.refused(400, "BadRequest", "GET", space.pods(), watch="true", **query)


def test_many_changes_arrive_whole_and_in_order(api, space, start):
    for number in range(30):
        api.patch(space.configmaps("before"), {"data": {"n": str(number), "much": "x" * 5_000}})
    events = itertools.islice(api.watch(space.configmaps(), resourceVersion=start, labelSelector=MINE), 30)
    assert [event["object"]["data"]["n"] for event in events] == [str(number) for number in range(30)]


def test_a_watch_of_one_name_tells_of_that_one(api, space, start):
    space.configmap("a")
    space.configmap("b")
    assert told(api, space, 1, resourceVersion=start, fieldSelector="metadata.name=b") == [("ADDED", "b")]


def test_pods_tell_each_step_of_their_way(api, space):
    start = api.get(space.pods())["metadata"]["resourceVersion"]
    api.create(space.pods(), bodies.pod("p", nodeName="conformance-nowhere", terminationGracePeriodSeconds=30))
    api.delete(space.pods("p"))
    api.delete(space.pods("p"), {"gracePeriodSeconds": 0})
    events = api.watch(space.pods(), resourceVersion=start)
    seen = list(itertools.takewhile(lambda event: event["type"] != "DELETED", events))
    assert [event["type"] for event in seen[:2]] == ["ADDED", "MODIFIED"]
    assert "deletionTimestamp" in seen[1]["object"]["metadata"]

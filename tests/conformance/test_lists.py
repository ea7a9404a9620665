"""Lists: selectors, pages, and the version that a list was read at."""

import bodies
import pytest

MINE = "conformance=yes"


@pytest.fixture
def five(space):
    """ConfigMaps a to e; a and b are of zone one, c and d of zone two, e of none."""
    zones = {"a": "one", "b": "one", "c": "two", "d": "two", "e": None}
    for name, zone in zones.items():
        space.configmap(name, labels={"zone": zone} if zone else {})
    return space


def test_a_list_names_its_kind_and_version(api, five):
    found = api.get(five.configmaps(), labelSelector=MINE)
    assert (found["kind"], found["apiVersion"]) == ("ConfigMapList", "v1")
    assert bodies.names(found) == ["a", "b", "c", "d", "e"]
    newest = max(int(item["metadata"]["resourceVersion"]) for item in found["items"])
    assert int(found["metadata"]["resourceVersion"]) >= newest


def test_an_empty_list_has_items(api, space):
    assert api.get(space.pods())["items"] == []


def test_a_list_over_all_namespaces_finds_them_too(api, five):
    found = api.get("/api/v1/configmaps", fieldSelector=f"metadata.namespace={five.name}", labelSelector=MINE)
    assert bodies.names(found) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("zone=one", "ab"),
        ("zone==one", "ab"),
        ("zone!=one", "cde"),
        ("zone in (one,two)", "abcd"),
        ("zone notin (one)", "cde"),
        ("zone", "abcd"),
        ("!zone", "e"),
        ("zone=one,zone=two", ""),
        ("zone in (one),conformance=yes", "ab"),
    ],
)
def test_labels_select(api, five, selector, expected):
    found = api.get(five.configmaps(), labelSelector=f"{selector},{MINE}")
    assert "".join(bodies.names(found)) == expected


@pytest.mark.parametrize("selector", ["zone in one", "=x", "a=b=c", "zone in (one"])
def test_labels_that_cannot_be_read_are_refused(api, space, selector):
    api.refused(400, "BadRequest", "GET", space.configmaps(), labelSelector=selector)


@pytest.mark.parametrize(("selector", "expected"), [("metadata.name=a", ["a"]), ("metadata.name!=a", list("bcde"))])
def test_names_select(api, five, selector, expected):
    assert bodies.names(api.get(five.configmaps(), labelSelector=MINE, fieldSelector=selector)) == expected


def test_fields_of_pods_select(api, space):
    api.create(space.pods(), bodies.pod("waiting"))
    space.running("running")
    api.create(space.pods(), bodies.pod("bound", nodeName="conformance-nowhere"))

    def found(selector):
        return bodies.names(api.get(space.pods(), fieldSelector=selector))

    assert found("spec.nodeName=conformance-nowhere") == ["bound"]
    assert found("status.phase=Running") == ["running"]
    assert found("status.phase!=Running,spec.nodeName=") == ["waiting"]
    assert found("spec.schedulerName=nobody,spec.restartPolicy=Always,metadata.name=running") == ["running"]


@pytest.mark.parametrize("selector", ["spec.color=red", "metadata.uid=x", "nonsense"])
def test_a_field_that_is_not_indexed_is_refused(api, space, selector):
    status = api.refused(400, "BadRequest", "GET", space.pods(), fieldSelector=selector)
    assert "=" not in selector or "field label not supported" in status["message"]


def test_a_list_comes_in_pages(api, five):
    first = api.get(five.configmaps(), limit=2, labelSelector="conformance")
    second = api.get(five.configmaps(), limit=2, labelSelector="conformance", continue_=first["metadata"]["continue"])
    third = api.get(five.configmaps(), limit=2, labelSelector="conformance", continue_=second["metadata"]["continue"])
    assert [bodies.names(page) for page in (first, second, third)] == [["a", "b"], ["c", "d"], ["e"]]
    assert not third["metadata"].get("continue")
    assert len({page["metadata"]["resourceVersion"] for page in (first, second, third)}) == 1
    # how many remain is not told where a selector chooses
    assert "remainingItemCount" not in first["metadata"]


def test_a_page_tells_how_many_remain(api, space):
    for name in "abc":
        api.create(space.pods(), bodies.pod(name))
    page = api.get(space.pods(), limit=1)
    assert page["metadata"]["remainingItemCount"] == 2
    assert "remainingItemCount" not in api.get(space.pods(), limit=3)["metadata"]
    assert "continue" not in api.get(space.pods(), limit=5)["metadata"]


def test_pages_show_one_moment_whatever_happens_between_them(api, five):
    first = api.get(five.configmaps(), limit=2, labelSelector=MINE)
    api.delete(five.configmaps("c"))
    five.configmap("cc")
    api.patch(five.configmaps("d"), {"data": {"changed": "yes"}})
    following = first["metadata"]["continue"]
    rest = api.get(five.configmaps(), limit=9, labelSelector=MINE, continue_=following)
    assert bodies.names(rest) == ["c", "d", "e"]
    assert not rest["items"][1].get("data")
    assert bodies.names(api.get(five.configmaps(), labelSelector=MINE)) == ["a", "b", "cc", "d", "e"]


def test_a_token_that_is_none_is_refused(api, space):
    api.refused(400, "BadRequest", "GET", space.configmaps(), limit=1, continue_="rubbish")


@pytest.mark.parametrize("limit", ["many", "1.5"])
def test_a_limit_that_is_no_number_is_refused(api, space, limit):
    api.refused(400, "BadRequest", "GET", space.configmaps(), limit=limit)


def test_a_list_may_be_any_recent_one(api, five):
    """Version "0" may be stale, but is a list all the same."""
    found = api.get(five.configmaps(), resourceVersion="0")
    assert int(found["metadata"]["resourceVersion"]) > 0


def test_a_list_is_not_older_than_asked(api, five):
    made = five.configmap("f")["metadata"]["resourceVersion"]
    query = {"resourceVersion": made, "resourceVersionMatch": "NotOlderThan", "labelSelector": MINE}
    found = api.get(five.configmaps(), **query)
    assert "f" in bodies.names(found)
    assert int(found["metadata"]["resourceVersion"]) >= int(made)


def test_a_list_is_exactly_as_old_as_asked(api, five):
    before = api.get(five.configmaps(), labelSelector=MINE)
    api.delete(five.configmaps("a"))
    version = before["metadata"]["resourceVersion"]
    query = {"resourceVersion": version, "resourceVersionMatch": "Exact", "labelSelector": MINE}
    again = api.get(five.configmaps(), **query)
    assert (bodies.names(again), again["metadata"]["resourceVersion"]) == (bodies.names(before), version)


@pytest.mark.parametrize(
    "query",
    [
        {"resourceVersionMatch": "Exact"},
        {"resourceVersionMatch": "Exact", "resourceVersion": "0"},
        {"resourceVersionMatch": "Sometimes", "resourceVersion": "5"},
        {"resourceVersion": "yesterday"},
    ],
)
def test_a_version_that_makes_no_sense_is_refused(api, space, query):
    assert api.call("GET", space.configmaps(), **query).code in (400, 422)


def test_a_version_that_is_no_longer_known_is_gone(api, space):
    query = {"resourceVersion": "1", "resourceVersionMatch": "Exact"}
    answer = api.call("GET", space.configmaps(), **query)
    if answer.code == 200:
        pytest.skip("this server has never compacted its history")
    assert (answer.code, answer.body["reason"]) == (410, "Expired")


def test_a_version_that_is_not_yet_known_is_waited_for_in_vain(api, space):
    """Too large a version is told as a time-out that may be tried again."""
    far = int(api.get(space.configmaps())["metadata"]["resourceVersion"]) + 1_000_000
    query = {"resourceVersion": far, "resourceVersionMatch": "NotOlderThan"}
    status = api.refused(504, "Timeout", "GET", space.configmaps(), **query)
    assert "Too large resource version" in status["message"]
    assert status["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
    assert status["details"]["retryAfterSeconds"] >= 1

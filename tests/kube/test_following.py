"""Following a list through everything that ends a watch."""

import threading
from contextlib import closing

import pytest
from faulty_kube import DROP, END, HOLD, STREAM, chunk, event, http, listed, running, thing
from kube_server import LABELS, PODS

from blackstart.errors import BlackstartError, ServiceUnreachable
from blackstart.kube.client import KubeRefused
from blackstart.kube.following import WATCH_SECONDS
from blackstart.kube.following import lines as whole_lines

QUIET = [STREAM, HOLD]
EXPIRED = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}


def script(lists, watches):
    """Answers lists and watches, one after the other, the last of each for ever."""
    left = {"list": list(lists), "watch": list(watches)}

    def answer(request):
        kind = "watch" if "watch=true" in request.path else "list"
        found = left[kind].pop(0) if len(left[kind]) > 1 else left[kind][0]
        return found() if callable(found) else found

    return answer


def told(kube, count, path=PODS, **query):
    """The first events, as words."""
    ended = threading.Event()
    with closing(kube.follow(path, ended, **query)) as events:
        return [f"{kind} {item['metadata']['name']}" for _, (kind, item) in zip(range(count), events, strict=False)]


def watches(server):
    return [request.path for request in server.requests if "watch=true" in request.path]


def test_what_is_there_is_told_then_what_happens(client):
    watch = [
        STREAM,
        event("ADDED", thing("c", 8)),
        event("MODIFIED", thing("a", 9)),
        event("DELETED", thing("b", 10)),
        HOLD,
    ]
    with running(script([[listed(7, thing("a", 1), thing("b", 2))]], [watch])) as server:
        kube = client(server.url)
        assert told(kube, 5, labelSelector="app=x") == ["ADDED a", "ADDED b", "ADDED c", "MODIFIED a", "DELETED b"]
        assert all(part in watches(server)[0] for part in ("resourceVersion=7", "allowWatchBookmarks=true", "app%3Dx"))
        assert [str(call) for call in kube.called[:2]] == ["kubernetes:list pods", "kubernetes:watch pods"]


def test_an_event_in_pieces_is_one_and_what_is_known_is_not_told_again(client):
    whole = event("ADDED", thing("c", 8)).split(b"\r\n")[1]
    watch = [STREAM, event("ADDED", thing("a", 1)), chunk(whole[:9]), chunk(whole[9:] + b"\n"), HOLD]
    with running(script([[listed(7, thing("a", 1))]], [watch])) as server:
        assert told(client(server.url), 2) == ["ADDED a", "ADDED c"]


@pytest.mark.parametrize(
    "end",
    [
        [STREAM, event("ERROR", EXPIRED), END],
        [http(410, EXPIRED)],
        [STREAM, DROP],
        [STREAM, chunk(b'{"type": "ADD'), DROP],
        [STREAM, END],
        [http(503)],
        [STREAM, chunk(b"<html>\n"), HOLD],
        [STREAM, chunk(b'{"type": "ADDED"}\n'), HOLD],
        [STREAM, chunk(b"[]\n"), HOLD],
    ],
    ids=[
        "410 in the stream",
        "410 at once",
        "dropped",
        "cut off",
        "ended early",
        "too busy",
        "garbled",
        "no object",
        "no event",
    ],
)
def test_when_history_is_lost_the_difference_is_told(client, end):
    before = listed(7, thing("a", 1), thing("b", 2), thing("d", 3))
    after = listed(9, thing("a", 1), thing("b", 8), thing("c", 9))
    with running(script([[before], [after]], [end, QUIET])) as server:
        assert told(client(server.url), 6) == ["ADDED a", "ADDED b", "ADDED d", "MODIFIED b", "ADDED c", "DELETED d"]


def test_a_watch_whose_time_is_over_goes_on_where_it_was_without_a_list(client, clock):
    def first():
        clock.advance(WATCH_SECONDS)
        return [STREAM, event("BOOKMARK", {"metadata": {"resourceVersion": "12"}}), END]

    with running(
        script([[listed(7, thing("a", 1))]], [first, [STREAM, event("ADDED", thing("b", 13)), HOLD]])
    ) as server:
        assert told(client(server.url), 2) == ["ADDED a", "ADDED b"]
        assert [path.partition("resourceVersion=")[2] for path in watches(server)] == ["7", "12"]
        assert len(server.requests) == 3


def test_lists_that_fail_meanwhile_are_tried_until_one_does_not(client):
    lists = [[listed(7, thing("a", 1))], *[[http(503)]] * 6, [listed(9)]]
    with running(script(lists, [[STREAM, event("BOOKMARK", thing("", 7)), DROP]])) as server:
        assert told(client(server.url), 2) == ["ADDED a", "DELETED a"]


@pytest.mark.parametrize("first", [http(403, {"message": "forbidden"}), http(404)])
def test_what_is_forbidden_or_not_there_is_an_error(client, first):
    with running(script([[first]], [QUIET])) as server, pytest.raises(KubeRefused):
        told(client(server.url), 1)


def test_a_watch_that_is_forbidden_is_an_error_after_the_list(client):
    with (
        running(script([[listed(7)]], [[http(403, {"message": "no"})]])) as server,
        pytest.raises(KubeRefused, match=r"could not GET .*403: no"),
    ):
        told(client(server.url), 1)


def test_a_first_list_without_an_answer_is_an_error(client):
    with running(script([[DROP]], [QUIET])) as server, pytest.raises(ServiceUnreachable):
        told(client(server.url), 1)


@pytest.mark.parametrize(("lists", "watch"), [([[HOLD]], QUIET), ([[listed(7)]], QUIET), ([[listed(7)]], [HOLD])])
def test_it_ends_whatever_the_server_does(client, lists, watch):
    with running(script(lists, [watch])) as server:
        ended = threading.Event()
        events = client(server.url, timeouts=(30.0, 30.0)).follow(PODS, ended)
        timer = threading.Timer(0.1, ended.set)
        timer.start()
        assert list(events) == []
        timer.join()


def test_who_may_only_read_may_follow_and_a_call_that_is_not_allowed_ends_it(client, monkeypatch):
    class Forbidden(BlackstartError):
        pass

    def no_watch(call):
        if "watch" in str(call):
            raise Forbidden("not here")

    with running(script([[listed(7)]], [QUIET])) as server:
        kube = client(server.url)
        monkeypatch.setattr(kube, "_called", no_watch)
        with pytest.raises(Forbidden):
            told(kube, 1)


def test_a_line_that_was_cut_off_is_nothing():
    assert list(whole_lines(iter([b"a", b"b\nc\n\nd"]))) == [b"ab", b"c"]


def test_the_labs_server_is_followed_as_a_real_one(lab_kube):
    kube, _ = lab_kube
    ended, found = threading.Event(), []
    pod = {"metadata": {"name": "followed", "labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    kube.post(PODS, pod)
    for kind, item in kube.follow(PODS, ended, fieldSelector="metadata.name=followed"):
        if kind == "ADDED":
            kube.delete(f"{PODS}/followed", {"gracePeriodSeconds": 0})
        found.append((kind, item["metadata"]["name"]))
        if kind == "DELETED":
            ended.set()
    assert found[0] == ("ADDED", "followed")
    assert found[-1] == ("DELETED", "followed")

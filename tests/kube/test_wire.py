"""What is tried again, what is not, and after which pause."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from faulty_kube import DROP, HOLD, http, running, thing

from blackstart.errors import ServiceUnreachable
from blackstart.kube.client import KubeRefused

POD = "/api/v1/namespaces/shop/pods/a"
EVICTION = f"{POD}/eviction"


def answers(*parts):
    """One after the other, the last one for ever."""
    left = list(parts)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


@pytest.mark.parametrize("bad", [http(429), http(500), http(502), http(503), http(504), DROP])
@pytest.mark.parametrize("method", ["get", "delete"])
def test_reads_and_deletions_are_tried_again(client, method, bad):
    with running(answers([bad], [http(200, thing("a", 1))])) as server:
        kube = client(server.url)
        assert getattr(kube, method)(POD)["metadata"]["name"] == "a"
        assert len(server.requests) == 2
        assert len(kube.called) == 1


@pytest.mark.parametrize("bad", [http(500), http(503), DROP])
def test_what_might_be_done_twice_is_not_tried_again(client, bad):
    with running(answers([bad])) as server:
        kube = client(server.url)
        for change in (kube.post, kube.put, kube.patch):
            with pytest.raises((KubeRefused, ServiceUnreachable)):
                change(POD, {})
        assert len(server.requests) == 3


def test_a_server_too_busy_for_a_change_is_asked_again(client):
    with running(answers([http(429)], [http(201, thing("a", 1))])) as server:
        assert client(server.url).post(POD, {})["metadata"]["name"] == "a"
        assert len(server.requests) == 2


def test_a_budget_that_forbids_an_eviction_is_told_at_once(client):
    status = {"message": "Cannot evict pod as it would violate the pod's disruption budget.", "details": {
        "causes": [{"reason": "DisruptionBudget", "message": "The disruption budget orders needs 3 healthy pods"}]
    }}  # fmt: skip
    with running(answers([http(429, status, Retry_After=10)])) as server:
        with pytest.raises(KubeRefused, match=r"disruption budget\. The disruption budget orders needs 3") as caught:
            client(server.url).post(EVICTION, {})
        assert (caught.value.status, len(server.requests)) == (429, 1)


def test_a_pause_that_the_server_asks_for_is_made_but_no_longer_than_we_have(client, clock):
    with running(answers([http(429, Retry_After=2)], [http(200)], [http(503, Retry_After=600)], [http(200)])) as server:
        kube = client(server.url)
        begun = clock.monotonic()
        kube.get(POD)
        assert 2 <= clock.monotonic() - begun <= 2.5
        begun = clock.monotonic()
        kube.get(POD)
        assert clock.monotonic() - begun == 5


def test_pauses_grow_and_the_patience_ends(client, clock):
    with running(answers([http(503, {"message": "no leader"}, Retry_After="soon")])) as server:
        begun = clock.monotonic()
        with pytest.raises(KubeRefused, match="could not GET /api/v1/nodes: the Kubernetes API answered 503: no lead"):
            client(server.url).get("/api/v1/nodes")
        assert len(server.requests) == 5
        assert 0.75 * 3.75 <= clock.monotonic() - begun <= 3.75


def test_a_server_that_never_answers_is_asked_three_times(client):
    with running(answers([HOLD])) as server:
        kube = client(server.url, timeouts=(1.0, 0.05))
        with pytest.raises(ServiceUnreachable, match=r"could not GET /version: shop did not answer: timed out"):
            kube.get("/version")
        assert len(server.requests) == 3


def test_a_change_without_a_connection_cannot_have_been_made_and_is_tried_again(client, clock):
    with running(answers([http(200)])) as server:
        pass
    begun = clock.monotonic()
    with pytest.raises(ServiceUnreachable, match="refused"):
        client(server.url).post(POD, {})
    assert clock.monotonic() - begun > 2


@pytest.mark.parametrize(
    "bad",
    [
        b"SSH-2.0\r\n",
        b"HTTP/1.1 fine\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
    ],
)
def test_what_is_no_http_is_no_answer(client, bad):
    with running(answers([bad, DROP])) as server, pytest.raises(ServiceUnreachable, match="did not answer"):
        client(server.url).get("/version")


def test_an_answer_that_is_no_json_is_one_sentence(client):
    with running(answers([http(200, b"<html>")], [http(404, b"<html>gone</html>")])) as server:
        kube = client(server.url)
        with pytest.raises(ServiceUnreachable, match="could not GET /version: shop answered without JSON"):
            kube.get("/version")
        with pytest.raises(KubeRefused, match="404: <html>gone</html>"):
            kube.get("/version")


def test_bodies_come_in_every_form_that_http_has(client):
    whole = b'{"a": 1}'
    chunked = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\n{"a":\r\n3\r\n 1}\r\n0\r\nX: y\r\n\r\n'
    until_the_end = b"HTTP/1.0 200 OK\r\n\r\n" + whole
    first_go_on = b"HTTP/1.1 100 Continue\r\n\r\n" + http(200, whole)
    forms = ([chunked], [first_go_on], [until_the_end, DROP], [http(200, whole, Connection="close"), DROP])
    with running(answers(*forms)) as server:
        kube = client(server.url)
        assert [kube.get("/x") for _ in forms] == [{"a": 1}] * 4
        assert server.connections == 2


def test_a_kept_connection_that_the_server_has_closed_costs_a_change_nothing(client):
    with running(answers([http(200), DROP])) as server:
        kube = client(server.url)
        kube.get("/version")
        assert server.closed.wait(10)
        assert kube.post(POD, {}) == {}
        assert server.connections == 2


def test_connections_are_kept_and_shared_by_threads(client):
    with running(answers([http(200, thing("a", 1))])) as server:
        kube = client(server.url, threads=4)
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda number: kube.delete(f"{POD}-{number}", {"gracePeriodSeconds": 0}), range(100)))
        assert len({request.path for request in server.requests}) == 100
        assert server.connections <= 4
        assert json.loads(server.requests[0].body)["gracePeriodSeconds"] == 0


def test_a_server_below_a_path_is_asked_there(client):
    with running(answers([http(200)])) as server:
        client(f"{server.url}/k8s/clusters/east/").get("/version", pretty="a b&c")
        assert server.requests[0].path == "/k8s/clusters/east/version?pretty=a+b%26c"


def test_names_that_people_give_may_hold_anything(client):
    with running(answers([http(200)])) as server:
        client(server.url).get("/api/v1/namespaces/my shöp?\r\nX: y/pods")
        assert server.requests[0].path == "/api/v1/namespaces/my%20sh%C3%B6p%3F%0D%0AX:%20y/pods"
        assert "x" not in server.requests[0].headers


def test_a_closed_client_keeps_no_connections(client):
    with running(answers([http(200)])) as server:
        kube = client(server.url)
        kube.get("/x")
        kube.close()
        kube.get("/x")
        kube.get("/x")
        assert server.connections == 3


def test_a_proxy_for_plain_http_is_told_the_whole_address(client):
    with running(answers([http(200)])) as proxy:
        through = proxy.url.replace("http://", "http://me:secret@")
        client("http://kubernetes.invalid:8080", **{"proxy-url": through}).get("/version")
        request = proxy.requests[0]
        assert (request.path, request.headers["host"]) == (
            "http://kubernetes.invalid:8080/version",
            "kubernetes.invalid:8080",
        )
        assert request.headers["proxy-authorization"].startswith("Basic ")


@pytest.mark.parametrize(("kind", "content"), [("merge", "merge-patch"), ("strategic", "strategic-merge-patch"),
                                               ("json", "json-patch")])  # fmt: skip
def test_a_patch_says_of_which_kind_it_is(client, kind, content):
    with running(answers([http(200)])) as server:
        client(server.url).patch(POD, {"spec": {}}, kind)
        assert server.requests[0].headers["content-type"] == f"application/{content}+json"

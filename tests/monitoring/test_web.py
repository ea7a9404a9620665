"""One GET, and what must not happen to credentials on the way."""

import base64
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from blackstart.errors import ServiceUnreachable
from blackstart.monitoring.web import Endpoint, redacted


@pytest.fixture(scope="module")
def server():
    """Answers with the headers that it got; ``/away/PORT`` leads to another server, ``/here`` to itself."""
    got = []

    class Telling(BaseHTTPRequestHandler):
        def do_GET(self):
            got.append((self.path, dict(self.headers)))
            place = {"/away": f"http://localhost:{self.server.server_port}/told", "/here": "/told"}.get(self.path)
            self.send_response(302 if place else 200)
            if place:
                self.send_header("Location", place)
            self.end_headers()
            self.wfile.write(b'{"ok": 1}')

        def log_message(self, *_):
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Telling)
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    made.got = got
    yield made
    made.shutdown()
    made.server_close()


def at(server, user=""):
    return f"http://{user}127.0.0.1:{server.server_port}"


def test_a_name_and_a_password_go_into_a_header(server):
    assert Endpoint("Prometheus", at(server, "me:s%40cret@")).json("/api", {"a": "b c"}, "ask") == {"ok": 1}
    path, headers = server.got[-1]
    assert path == "/api?a=b+c"
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"me:s@cret"


def test_a_token_is_read_anew_each_time(server, tmp_path):
    token = tmp_path / "token"
    endpoint = Endpoint("Prometheus", at(server), str(token), {"X-Scope-OrgID": "shop"})
    for secret in ("one", "two"):
        token.write_text(f"{secret}\n")
        endpoint.get("/", {}, "ask")
        assert server.got[-1][1]["Authorization"] == f"Bearer {secret}"
    assert server.got[-1][1]["X-Scope-Orgid".title()] == "shop"
    token.unlink()
    with pytest.raises(ServiceUnreachable, match=r"did not answer: .*No such file"):
        endpoint.get("/", {}, "ask")


def test_no_other_server_is_given_the_credentials(server):
    endpoint = Endpoint("Prometheus", at(server, "me:secret@"))
    assert endpoint.json("/here", {}, "ask") == {"ok": 1}
    with pytest.raises(ServiceUnreachable, match="answered 302"):
        endpoint.get("/away", {}, "ask")
    assert server.got[-1][0] == "/away"


@pytest.mark.parametrize("url", ["http://me:secret@127.0.0.1:9/x", "http://me:secret@127.0.0.1:9999999/x"])
def test_no_message_shows_them(url):
    with pytest.raises(ServiceUnreachable) as unknown:
        Endpoint("Prometheus", url).get("/api", {"query": "up"}, "ask")
    assert "secret" not in str(unknown.value)
    assert "secret" not in repr(unknown.value)
    assert "…@127.0.0.1" in str(unknown.value)


def test_what_people_see_of_an_address():
    assert redacted("https://me:secret@host:1/a?key=secret#b") == "https://…@host:1/a?…"
    assert redacted("https://host/a") == "https://host/a"

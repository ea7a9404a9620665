"""One request: tried again where that may help and cannot do harm, over in time, and no secret in any message."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))
from answering import break_off, garbage, hang, say

from blackstart.errors import NotTold
from blackstart.publish import sending
from blackstart.publish.sending import secret


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(sending, "WAITS", (0.01, 0.02))


@pytest.mark.parametrize("status", [429, 503, 500, 502, 504])
def test_what_may_pass_is_tried_again(server, sender, status):
    server.answer = lambda handler, number: say(handler, status if number < 3 else 200, b"done")
    assert sender.send("PUT", server.url, body=b"x") == b"done"
    assert [(got.method, got.body) for got in server.got] == [("PUT", b"x")] * 3


@pytest.mark.parametrize("status", [400, 401, 404, 301, 302, 307])
def test_what_will_not_pass_is_not(server, sender, status):
    server.answer = lambda handler, number: say(handler, status, b'{"error": "no such\\n thing"}', Location="/there")
    with pytest.raises(NotTold) as refused:
        sender.send("POST", server.url, {"Authorization": "Bearer t0ken"}, b"x")
    assert refused.value.problem == f"it answered {status}: no such thing"
    assert len(server.got) == 1


@pytest.mark.parametrize(("answer", "problem"), [(garbage, "did not answer"), (break_off, "did not answer")])
def test_a_lost_answer_is_asked_for_again_only_where_twice_is_once(server, sender, answer, problem):
    server.answer = answer
    for again, tries in ((True, 3), (False, 1)):
        server.got.clear()
        with pytest.raises(NotTold, match=problem):
            sender.send("POST", server.url, again=again)
        assert len(server.got) == tries


def test_what_was_not_taken_may_be_repeated_in_any_case(server, sender):
    server.answer = lambda handler, number: say(handler, 503 if number < 2 else 200, b"done")
    assert sender.send("POST", server.url, again=False) == b"done"


def test_nobody_there(sender):
    with pytest.raises(NotTold, match=r"cannot be reached .*refused"):
        sender.send("POST", "http://127.0.0.1:9/")


def test_a_server_that_hangs_gets_no_more_than_its_time(server, sender):
    server.answer = hang
    began = sender.clock.monotonic()
    with pytest.raises(NotTold, match=r"did not answer .*timed out"):
        sender.send("POST", server.url)
    assert 3 * 0.3 <= sender.clock.monotonic() - began < 2.5
    assert len(server.got) == 3


def test_no_wait_goes_beyond_the_end(server, sender):
    server.answer = lambda handler, number: say(handler, 429, b"slow down", Retry_After="60")
    with pytest.raises(NotTold, match="429: slow down"):
        sender.send("POST", server.url)
    assert len(server.got) == 1
    with pytest.raises(NotTold, match="no time left"):
        replace(sender, deadline=sender.clock.monotonic()).send("POST", server.url)
    assert len(server.got) == 1


def test_a_flood_is_not_read_to_its_end(server, sender):
    server.answer = lambda handler, number: say(handler, 200, b"x" * 1_000_000)
    assert len(sender.send("GET", server.url)) == sending.LARGEST_ANSWER


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://127.0.0.1/", "127.0.0.1", "http://", "http://[", "http://a:b/"]
)
def test_other_addresses_are_not_used(sender, url):
    with pytest.raises(NotTold):
        sender.send("GET", url)


def test_no_secret_is_in_a_message(server, sender):
    """Also where the other side says it, or the address holds it."""
    hiding = replace(sender, secrets=("t0ken", "services/T0/B0/x"))
    server.answer = lambda handler, number: say(handler, 400, b"bad token t0ken at /services/T0/B0/x")
    with pytest.raises(NotTold) as refused:
        hiding.send("POST", f"{server.url}/services/T0/B0/x", {"Authorization": "Bearer t0ken"})
    with pytest.raises(NotTold) as spaced:
        hiding.send("POST", f"{server.url}/services/T0/B0/x y")
    for error in (refused, spaced):
        assert not {"t0ken", "services/T0"} & {each for each in ("t0ken", "services/T0") if each in str(error.value)}
    assert "t0ken" not in repr(hiding)


def test_secrets_are_read_anew_from_a_file_or_the_environment(tmp_path):
    path = tmp_path / "token"
    for text in ("one", "two"):
        path.write_text(f"{text}\n")
        assert secret("Grafana", str(path), "") == text
    assert secret("Grafana", "", "TOKEN", {"TOKEN": "three"}) == "three"
    assert secret("Grafana", "", "") == ""
    path.write_text("one\ntwo\n")
    with pytest.raises(NotTold, match="more than one line") as several:
        secret("Grafana", str(path), "")
    assert "two" not in str(several.value)
    for file, variable in ((str(tmp_path / "none"), ""), ("", "TOKEN")):
        with pytest.raises(NotTold, match="Grafana was not told of the drill: its secret cannot be read"):
            secret("Grafana", file, variable, {})


def test_a_name_and_a_password_go_into_a_header(server, sender):
    sender.send("GET", server.url.replace("://", "://me:s%40cret@") + "/x?y=1")
    (got,) = server.got
    assert (got.path, got.headers["Authorization"], "@" in got.headers["Host"]) == (
        "/x?y=1",
        "Basic bWU6c0BjcmV0",
        False,
    )

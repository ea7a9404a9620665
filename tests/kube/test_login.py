"""Credentials that run out, are refused, or cannot be renewed."""

import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from faulty_kube import http, running

from blackstart.clock import iso
from blackstart.errors import ConfigInvalid, ServiceUnreachable
from blackstart.kube.client import KubeRefused
from blackstart.kube.login import Credentials, Login


class Office:
    """Gives out credentials, numbered, that last ``lasting_seconds``."""

    def __init__(self, clock, lasting_seconds=None):
        self.clock, self.lasting, self.given, self.closed = clock, lasting_seconds, 0, False

    def __call__(self):
        if self.closed:
            raise ServiceUnreachable("log in", "office", "is closed")
        self.given += 1
        expires = None if self.lasting is None else self.clock.now() + timedelta(seconds=self.lasting)
        return Credentials({"token": str(self.given)}, expires=expires)


def number(login):
    return login.credentials().headers["token"]


def test_credentials_are_asked_for_once_and_again_shortly_before_they_run_out(clock):
    login = Login(Office(clock, 840), clock)
    assert login.kept() is None
    assert [number(login), number(login)] == ["1", "1"]
    clock.advance(779)
    assert (number(login), login.kept() is None) == ("1", False)
    clock.advance(2)
    assert login.kept() is None
    assert number(login) == "2"


def test_credentials_that_last_short_are_used_for_half_of_it(clock):
    login = Login(Office(clock, 20), clock)
    number(login)
    clock.advance(9)
    assert number(login) == "1"
    clock.advance(2)
    assert number(login) == "2"


@pytest.mark.parametrize("lasting", [None, -100, 0])
def test_credentials_whose_end_is_unknown_or_past_are_used_until_they_are_refused(clock, lasting):
    login = Login(Office(clock, lasting), clock)
    number(login)
    clock.advance(1_000_000)
    assert number(login) == "1"


def test_old_credentials_serve_while_new_ones_cannot_be_had_until_they_have_run_out(clock):
    office = Office(clock, 840)
    login = Login(office, clock)
    number(login)
    office.closed = True
    clock.advance(800)
    assert number(login) == "1"
    clock.advance(40)
    with pytest.raises(ServiceUnreachable, match="office is closed"):
        number(login)
    office.closed = False
    assert number(login) == "2"


def test_refused_credentials_are_renewed_once_however_many_ask(clock):
    office = Office(clock)
    login = Login(office, clock)
    old = login.credentials()
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: login.renew(old), range(16)))
    assert {each.headers["token"] for each in found} == {"2"}
    assert office.given == 2


def test_where_there_are_no_others_that_is_said_after_asking_once(clock):
    asked = []
    login = Login(lambda: asked.append(1) or Credentials({"token": "always"}), clock)
    old = login.credentials()
    assert [login.renew(old), login.renew(old)] == [None, None]
    assert len(asked) == 2


def test_a_token_with_a_line_break_is_not_sent(client):
    with running(taking("a")) as server:
        with pytest.raises(ConfigInvalid, match="Authorization: cannot be sent"):
            client(server.url, {"token": "a\r\nX: y"}).get("/x")
        assert server.requests == []


PROGRAM = """
import json, pathlib
count = pathlib.Path(__file__).with_name('count')
number = int(count.read_text()) + 1 if count.exists() else 1
count.write_text(str(number))
print(json.dumps({'status': {'token': str(number), 'expirationTimestamp': EXPIRES}}))
"""


def login_program(tmp_path, expires):
    script = tmp_path / "login.py"
    script.write_text(PROGRAM.replace("EXPIRES", repr(expires)))
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": sys.executable, "args": [str(script)]}}


def taking(*tokens):
    def answer(request):
        good = request.headers["authorization"].removeprefix("Bearer ") in tokens
        return [http(200, {"ok": True}) if good else http(401, {"message": "Unauthorized"})]

    return answer


def test_a_token_that_the_server_refuses_is_renewed_by_one_run_of_the_program(tmp_path, client, clock):
    with running(taking("2")) as server:
        kube = client(server.url, login_program(tmp_path, iso(clock.now() + timedelta(seconds=840))), threads=16)
        with ThreadPoolExecutor(16) as pool:
            assert all(each["ok"] for each in pool.map(lambda _: kube.post("/x", {}), range(32)))
        assert (tmp_path / "count").read_text() == "2"


def test_a_token_that_runs_out_is_renewed_before(tmp_path, client, clock):
    with running(taking("1", "2")) as server:
        kube = client(server.url, login_program(tmp_path, "2026-01-01T00:14:00Z"))
        kube.get("/x")
        clock.advance(13 * 60 + 1)
        kube.get("/x")
        sent = [request.headers["authorization"] for request in server.requests]
        assert sent == ["Bearer 1", "Bearer 2"]


def test_who_has_no_other_token_is_told_that_it_was_refused(client):
    with running(taking("other")) as server:
        with pytest.raises(KubeRefused, match="401: Unauthorized"):
            client(server.url, {"token": "fixed"}).get("/x")
        assert len(server.requests) == 1

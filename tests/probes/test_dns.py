"""What names resolve to, asked of the lab's answers over UDP. What Route 53 tells is in tests/changes, as moto is."""

import socket
import threading

import pytest

from blackstart.errors import ConfigInvalid, NotMeasured, ServiceUnreachable
from blackstart.lab.dns_answers import answer
from blackstart.lab.dns_places import NOWHERE, Place
from blackstart.lab.dns_records import Record, Zone
from blackstart.probes import dns

HOST, HOME, STANDBY = "orders.shop.test", "127.0.0.11", "127.0.0.12"
GERMANY = "198.51.100.0/24"


def serve(sock, zone):
    while True:
        packet, where = sock.recvfrom(4096)
        if not packet:
            return
        sock.sendto(answer(packet, zone, lambda _: True, lambda: 0.0, udp=True), where)


@pytest.fixture(scope="module")
def server():
    """Starts a DNS server with records; its ip:port."""
    started = []

    def start(*records):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=serve, args=(sock, Zone("shop.test", records)))
        thread.start()
        started.append((sock, thread))
        return f"127.0.0.1:{sock.getsockname()[1]}"

    yield start
    for sock, thread in started:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stop:
            stop.sendto(b"", sock.getsockname())
        thread.join()
        sock.close()


@pytest.fixture(scope="module")
def home(server):
    return server(
        Record(f"{HOST}.", "A", 2, (HOME,)),
        Record("both.shop.test.", "A", 5, (STANDBY, HOME)),
        Record("alias.shop.test.", "CNAME", 30, (HOST,)),
        Record("geo.shop.test.", "A", 2, (HOME,), place=NOWHERE),
        Record("geo.shop.test.", "A", 2, (STANDBY,), place=Place("EU")),
    )


@pytest.fixture(scope="module")
def standby(server):
    return server(Record(f"{HOST}.", "A", 60, (STANDBY,)))


def test_each_resolver_answers_for_itself(home, standby):
    assert dns.answers(HOST, f"{home}, {standby}") == {home: [HOME], standby: [STANDBY]}
    assert dns.answers("both.shop.test", home) == {home: [HOME, STANDBY]}
    assert dns.answers("nothing.shop.test", home) == {home: []}
    assert dns.answers(HOST, home, record_type="AAAA") == {home: []}


def test_somebody_else_is_answered_by_where_he_is(home):
    assert dns.answers("geo.shop.test", home) == {home: [HOME]}
    assert dns.answers("geo.shop.test", home, subnet=GERMANY) == {home: [STANDBY]}
    with pytest.raises(ConfigInvalid, match='"Germany" is no network'):
        dns.answers("geo.shop.test", home, subnet="Germany")


def test_a_name_points_somewhere_if_all_resolvers_say_just_that(home, standby):
    assert dns.points_to(HOME, HOST, home)
    assert dns.points_to(f"{HOME},{STANDBY}", HOST, f"{home},{standby}")
    assert not dns.points_to(HOME, HOST, f"{home},{standby}")
    assert not dns.points_to(HOME, "both.shop.test", home)
    assert not dns.points_to(HOME, "nothing.shop.test", home)
    with pytest.raises(ConfigInvalid, match="none is given"):
        dns.points_to(" ", HOST, home)


def test_a_ttl_is_the_longest_of_the_resolvers_and_the_shortest_of_a_chain(home, standby):
    assert dns.ttl_seconds(HOST, f"{home},{standby}") == 60
    assert dns.ttl_seconds("alias.shop.test", home) == 2
    with pytest.raises(NotMeasured, match="answers with nothing"):
        dns.ttl_seconds("nothing.shop.test", home)


def test_a_resolver_that_does_not_answer_is_no_answer(monkeypatch):
    monkeypatch.setattr(dns, "LIFETIME_SECONDS", 0.2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        with pytest.raises(ServiceUnreachable, match=f"could not resolve {HOST}: DNS server 127.0.0.1:"):
            dns.answers(HOST, f"127.0.0.1:{silent.getsockname()[1]}")
    with pytest.raises(ConfigInvalid, match="is not ip:port of a DNS server"):
        dns.answers(HOST, "resolver")


def test_the_service_and_its_resolver_are_those_of_the_settings(home, tmp_path, monkeypatch):
    monkeypatch.setenv("BLACKSTART_CONFIG", str(tmp_path / "blackstart.toml"))
    service = f'[service]\nname = "orders"\nhost = "{HOST}"\nport = 80\nhome_region = "us-east-1"\ndns = "{home}"\n'
    (tmp_path / "blackstart.toml").write_text(f'[scope]\nenvironment = "test"\n{service}')
    assert dns.answers() == {home: [HOME]}
    assert dns.points_to(HOME)

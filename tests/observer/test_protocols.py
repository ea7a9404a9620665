"""Journeys against real servers: Envoy for HTTP/2 and TLS, PostgreSQL, Redis, and what TCP finds there."""

import asyncio
import socket
import sys
from pathlib import Path

import psycopg
import pytest

from blackstart.clock import SystemClock
from blackstart.journeys import Journey
from blackstart.observer import events, ledger, samples
from blackstart.observer.dialer import Attempt, Dialer
from blackstart.observer.observe import observe
from blackstart.observer.record import Cause, Outcome
from blackstart.observer.spec import Spec
from blackstart.scope import Scope
from blackstart.settings import Observing, Service, Settings, Stores

sys.path.append(str(Path(__file__).parent.parent))
import postgres_pair
import redis_process
from envoy_front import HOST, REGION, Front, free_port

KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'blackstart observer'"


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    running = Front(tmp_path_factory.mktemp("envoy"))
    yield running
    running.process.kill()
    running.process.wait()


@pytest.fixture(scope="module")
def cache():
    with redis_process.running() as server:
        server.client.set("product:1", "x")
        yield server


@pytest.fixture(scope="module")
def database():
    with postgres_pair.running() as pair:
        postgres_pair.rows(pair.primary.dsn, "CREATE TABLE visits (number int)")
        yield pair


@pytest.fixture
def watch(names, tmp_path):
    """``watch(service fields, journeys, …)``: what an observer saw in half a second, and the events it noted."""

    def go(journeys=(), *, seconds=0.5, rate=100, patience=3.0, meanwhile=None, stores=None, **service):
        fields = {"name": "orders", "host": HOST, "port": 9, "dns": f"127.0.0.1:{names.port}", "home_region": REGION}
        settings = Settings(
            scope=Scope(environment="test"),
            service=Service(**{**fields, **service}),
            observer=Observing(rate=rate, timeout_seconds=patience),
            stores=stores or Stores(),
            journeys=tuple(journeys),
        )
        spec = Spec(tmp_path, "drill1", settings, SystemClock().monotonic(), grace_seconds=0.5)
        asyncio.run(_watch(spec, seconds, meanwhile))
        return samples.read(tmp_path), events.read(tmp_path)

    return go


async def _watch(spec, seconds, meanwhile):
    stop, begun = asyncio.Event(), asyncio.Event()
    watching = asyncio.create_task(observe(spec, stop, SystemClock(), begun.set))
    await asyncio.wait({asyncio.create_task(begun.wait()), watching}, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(seconds)
    if meanwhile:
        await asyncio.to_thread(meanwhile)
        await asyncio.sleep(seconds)
    stop.set()
    await watching


def fates(rows):
    return {(row.outcome, row.cause, row.status) for row in rows}


def mostly_ok(rows):
    """On a busy machine a request may be late."""
    return sum(row.ok for row in rows) >= 0.9 * len(rows) > 0


def noted(seen, kind):
    return [event.fields for event in seen if event.kind == kind]


def test_http_2_without_tls_serves_reads_and_writes_and_tells_who_served(front, watch, tmp_path):
    seen, _ = watch(port=front.plain, protocol="http/2")
    assert mostly_ok(seen.rows)
    assert {row.status for row in seen.rows if row.ok} == {200, 201}
    assert {row.region for row in seen.rows if row.ok} == {REGION}
    assert {row.journey for row in seen.rows} == {"users"}
    assert any(write.outcome is Outcome.OK for write in ledger.read(tmp_path))


@pytest.mark.parametrize("protocol", ["http/1.1", "http/2"])
def test_tls_is_checked_and_its_version_cipher_and_certificate_are_noted_once(front, watch, protocol):
    secured = {"protocol": protocol, "tls": True, "ca_file": str(front.authority.file)}
    seen, told = watch(port=front.good, **secured)
    assert mostly_ok(seen.rows)
    (shown,) = noted(told, "tls")
    assert (shown["host"], shown["address"], shown["journey"]) == (HOST, "127.0.0.1", "users")
    assert shown["version"] in {"TLSv1.2", "TLSv1.3"}
    assert (shown["subject"], shown["issuer"]) == (f"commonName={HOST}", "commonName=test authority")
    assert shown["protocol"] == {"http/2": "h2"}.get(protocol, "http/1.1")
    assert shown["not_after"].endswith("Z")
    assert len(shown["sha256"]) == 64
    assert shown["cipher"]


@pytest.mark.parametrize("protocol", ["http/1.1", "http/2"])
@pytest.mark.parametrize("case", [("over", "expired"), ("stranger", "issuer"), ("name", "mismatch")])
def test_a_certificate_that_does_not_hold_is_a_failure_with_a_cause(front, watch, protocol, case):
    which, problem = case
    ca_file = "" if which == "stranger" else str(front.authority.file)
    other = {"host": "127.0.0.1"} if which == "name" else {}
    port = front.over if which == "over" else front.good
    seen, told = watch(port=port, protocol=protocol, tls=True, ca_file=ca_file, seconds=0.2, rate=50, **other)
    assert fates(seen.rows) == {(Outcome.FAILED, Cause.TLS, 0)}
    (shown,) = noted(told, "tls")
    assert problem in shown["problem"]


@pytest.mark.parametrize("protocol", ["http/1.1", "http/2"])
def test_who_asks_now_and_then_reaches_the_service_as_its_users_do(front, protocol):
    secured = {"protocol": protocol, "tls": True, "ca_file": str(front.authority.file)}
    dialer = Dialer.of(Service(name="orders", host=HOST, port=front.good, home_region=REGION, **secured))

    async def ask():
        try:
            return await asyncio.wait_for(dialer.send("127.0.0.1", "GET", "/products/1", Attempt()), 10)
        finally:
            await dialer.close()
            await asyncio.sleep(0.05)

    reply = asyncio.run(ask())
    assert (reply.status, reply.body, reply.headers["x-region"]) == (200, b"{}", REGION)


def test_http_2_that_nobody_speaks_is_a_failure(cache, watch):
    seen, _ = watch(port=cache.port, protocol="http/2", seconds=0.3, rate=50)
    assert len(seen) > 0
    assert not any(row.ok for row in seen.rows)


def journey(name, protocol, share, **more):
    return Journey(name=name, protocol=protocol, share=share, **more)


def test_journeys_of_every_protocol_go_side_by_side_each_with_its_share(front, cache, database, watch, tmp_path):
    reads, writes = "SELECT {number}", "INSERT INTO visits VALUES ({number})"
    journeys = [
        journey("users", "http/2", 0.4),
        journey("books", "postgresql", 0.2, target=REGION, read=reads, write=writes, write_share=0.5),
        journey("basket", "redis", 0.2, target=REGION, read="GET product:1", write="SET a {number}", write_share=0.5),
        journey("door", "tcp", 0.2, target=f"127.0.0.1:{cache.port}", read="PING\r\n", expect="+PONG"),
    ]
    stores = Stores(databases={REGION: database.primary.dsn}, caches={REGION: cache.address})
    seen, _ = watch(journeys, port=front.plain, stores=stores, seconds=1.0)
    assert [each.name for each in seen.header.journeys] == ["users", "books", "basket", "door"]
    for each in journeys:
        mine = [row for row in seen.rows if row.journey == each.name]
        assert len(mine) == pytest.approx(each.share * len(seen), abs=1.01)
        assert mostly_ok(mine)
    stored = postgres_pair.rows(database.primary.dsn, "SELECT count(*) FROM visits")[0][0]
    acknowledged = sum(row.ok for row in seen.rows if row.journey == "books" and row.kind == 1)
    assert 0 < acknowledged <= stored
    written = {write.op for write in ledger.read(tmp_path)}
    assert written == {row.number for row in seen.rows if row.journey == "users" and row.kind == 1}


def test_what_a_database_or_cache_says_no_to_failed_and_the_session_goes_on(cache, database, watch):
    journeys = [
        journey("books", "postgresql", 0.3, target=REGION, write="INSERT INTO nowhere VALUES (1)", write_share=1),
        journey("basket", "redis", 0.3, target=REGION, write="INCR product:1", write_share=1),
        journey("door", "tcp", 0.4, target=f"127.0.0.1:{cache.port}", read="PING\r\n", expect="-ERR"),
    ]
    stores = Stores(databases={REGION: database.primary.dsn}, caches={REGION: cache.address})
    seen, _ = watch(journeys, stores=stores, seconds=0.6)
    usual = [row for row in seen.rows if row.cause is not Cause.TIMEOUT]
    assert len(usual) > 0.8 * len(seen)
    assert fates(usual) == {(Outcome.FAILED, Cause.STATUS, 0)}


def test_a_database_whose_sessions_are_killed_leaves_open_writes_and_comes_back(database, watch):
    books = [journey("books", "postgresql", 1, target=REGION, write="SELECT pg_sleep(0.02)", write_share=1)]

    def kill():
        with psycopg.connect(database.primary.dsn, autocommit=True) as connection:
            for _ in range(5):
                connection.execute(KILL)

    stores = Stores(databases={REGION: database.primary.dsn})
    seen, _ = watch(books, stores=stores, meanwhile=kill, seconds=0.6)
    assert any(row.outcome is Outcome.UNKNOWN and row.cause is Cause.BROKEN for row in seen.rows)
    assert mostly_ok(seen.rows[-20:])


def test_a_cache_that_hangs_costs_each_request_its_time_and_no_more(cache, watch):
    basket = [journey("basket", "redis", 1, target=REGION, read="GET product:1", write="SET a 1", write_share=0.5)]
    stores = Stores(caches={REGION: cache.address})
    try:
        seen, _ = watch(basket, stores=stores, meanwhile=cache.pause, seconds=0.8, patience=0.5)
    finally:
        cache.go_on()
    hung = [row for row in seen.rows if row.cause is Cause.TIMEOUT]
    assert len(hung) > 30
    assert {row.outcome for row in hung} <= {Outcome.FAILED, Outcome.UNKNOWN}
    # Of those that the observer noticed first: on a busy machine it may be late for others.
    assert sorted(row.latency for row in hung)[len(hung) // 10] == pytest.approx(0.5, abs=0.1)
    assert [row.number for row in seen.rows] == list(range(len(seen)))


def test_a_door_that_is_shut_is_told_from_one_that_says_nothing(watch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(200)
        journeys = [
            journey("shut", "tcp", 0.5, target=f"127.0.0.1:{free_port()}"),
            journey("open", "tcp", 0.25, target=f"127.0.0.1:{silent.getsockname()[1]}"),
            journey("mute", "tcp", 0.25, target=f"127.0.0.1:{silent.getsockname()[1]}", expect="220"),
        ]
        seen, _ = watch(journeys, rate=40)
    by_name = {each.name: {row.cause for row in seen.rows if row.journey == each.name} for each in journeys}
    assert by_name == {"shut": {Cause.REFUSED}, "open": {Cause.NONE}, "mute": {Cause.TIMEOUT}}

"""Probes of caches: on a real Redis with a real replica, and on journals as an observer leaves them.

What AWS tells is in tests/changes, where moto is.
"""

import json
import threading

import pytest
import redis_process

from blackstart.clock import SystemClock
from blackstart.errors import ConfigInvalid, NotMeasured, ServiceUnreachable
from blackstart.observer import jsonl
from blackstart.observer.recorder import Recorder
from blackstart.observer.samples import Cache, Header, Kind, Outcome, Sample
from blackstart.probes import caches

HOME, STANDBY = "us-east-1", "us-west-2"
TOML = """
[scope]
environment = "test"
[service]
name = "orders"
host = "orders.shop.test"
port = 80
home_region = "us-east-1"
[stores.caches]
us-east-1 = "{home}"
us-west-2 = "{standby}"
nowhere = "redis://127.0.0.1:9"
"""


@pytest.fixture(scope="module")
def running():
    with redis_process.running() as home, redis_process.running() as standby:
        yield home, standby


@pytest.fixture
def servers(running, tmp_path, monkeypatch):
    """The caches of both regions, the second a replica of the first."""
    home, standby = running
    path = tmp_path / "blackstart.toml"
    path.write_text(TOML.format(home=home.address, standby=standby.address))
    monkeypatch.setenv("BLACKSTART_CONFIG", str(path))
    home.client.flushall()
    standby.client.replicaof("127.0.0.1", home.port)
    for _ in range(500):
        if standby.client.info("replication")["master_link_status"] == "up":
            break
        SystemClock().sleep(0.02)
    return home, standby


def soon(work, seconds=0.15):
    timer = threading.Timer(seconds, work)
    timer.start()
    return timer


def test_the_hit_ratio_is_that_of_the_reads_in_between(servers):
    home, _ = servers
    home.client.set("a", "1")
    for _ in range(50):
        home.client.get("a")  # before: does not count

    over = threading.Event()

    def read():
        while not over.wait(0.005):
            for name in ("a", "a", "a", "b"):
                home.client.get(name)

    reader = soon(read, 0)
    try:
        assert caches.hit_ratio(HOME, seconds=0.5) == pytest.approx(0.75, abs=0.1)
    finally:
        over.set()
        reader.join()


def test_without_reads_there_is_no_hit_ratio(servers):
    with pytest.raises(NotMeasured, match="nobody read"):
        caches.hit_ratio(HOME, seconds=0.05)


def test_a_server_that_is_another_one_has_no_hit_ratio(servers):
    home, _ = servers
    timer = soon(home.restart)
    with pytest.raises((NotMeasured, ServiceUnreachable)):
        caches.hit_ratio(HOME, seconds=1.0)
    timer.join()


def test_a_server_that_is_away_is_told_at_once(servers):
    with pytest.raises(ServiceUnreachable, match=r"127\.0\.0\.1:9"):
        caches.memory_share("nowhere")
    with pytest.raises(ConfigInvalid, match="eu-west-1"):
        caches.memory_share("eu-west-1")


def test_memory_without_a_limit_is_no_share(servers):
    home, _ = servers
    home.client.config_set("maxmemory", "64mb")
    assert 0 < caches.memory_share(HOME) < 0.5
    home.client.config_set("maxmemory", "0")
    with pytest.raises(NotMeasured, match="maxmemory"):
        caches.memory_share(HOME)


def test_a_replica_that_keeps_up_has_hardly_any_lag(servers):
    home, _ = servers
    home.client.set("a", "1")
    assert caches.replication_lag_seconds(STANDBY, HOME) < 1


def test_the_lag_is_how_long_it_takes_until_it_has_what_was_written(servers):
    home, standby = servers
    standby.pause()
    timer = soon(standby.go_on, 0.5)
    home.client.set("a", "1")
    assert 0.3 < caches.replication_lag_seconds(STANDBY, HOME) < 3
    timer.join()


def test_a_replica_that_never_gets_it_has_no_lag(servers):
    home, standby = servers
    standby.client.replicaof("127.0.0.1", 9)
    home.client.set("a", "1")
    assert caches.replication_lag_seconds(STANDBY, HOME, limit_seconds=0.1) is None


def test_a_server_that_does_not_follow_has_no_lag(servers):
    _, standby = servers
    with pytest.raises(NotMeasured, match="us-west-2 has a slave and us-east-1 a master"):
        caches.replication_lag_seconds(HOME, STANDBY)
    standby.client.replicaof("NO", "ONE")
    with pytest.raises(NotMeasured, match="us-west-2 a master"):
        caches.replication_lag_seconds(STANDBY, HOME)


@pytest.mark.parametrize(("source", "reason"), [("guess", "is none; there are"), ("cloudwatch", "name it")])
def test_a_source_that_is_none_is_refused(source, reason):
    for probe in (caches.hit_ratio, caches.replication_lag_seconds):
        with pytest.raises(ConfigInvalid, match=reason):
            probe(HOME, source=source)


RATE, FAULT = 100, 4.0


@pytest.fixture
def seen(tmp_path):
    """A drill that began ``seconds`` ago, half of whose requests are reads: hits until the fault, then misses from
    ``cold`` to ``warm``. The configuration to ask it with."""

    def drill(cold=FAULT, warm=6.0, seconds=9.0, ended=9.0, said=True):
        origin = SystemClock().monotonic() - seconds
        header = Header(origin, "", 0.0, RATE, 2.0, 0.5, 0.99, 2.0, HOME, STANDBY, "orders", "d", "d-", ended=ended)
        (tmp_path / "drill.json").write_text(
            json.dumps({"origin_monotonic": origin, "objectives": {"rto_seconds": 60}, "service": {}})
        )
        recorder = Recorder(tmp_path, header)
        for number in range(int(seconds * RATE)):
            due = number / RATE
            kind = Kind.READ if number % 2 else Kind.WRITE
            word = Cache.MISS if cold <= due < warm else Cache.HIT
            cache = word if kind is Kind.READ and said else Cache.NONE
            recorder.add(Sample(number, due, due, due + 0.001, kind, Outcome.OK, status=200, cache=cache, region=HOME))
        recorder.flush()
        for state, more in {"planned": {"record": {"kind": "test"}}, "applied": {"began": origin + FAULT}}.items():
            line = {"change": "c", "state": state, "monotonic": origin + FAULT, **more}
            jsonl.append(tmp_path / "changes.jsonl", line)
        return {"blackstart_journal": str(tmp_path)}

    return drill


def test_the_warm_up_lasts_until_nine_of_ten_of_the_last_reads_are_hits(seen):
    found = caches.warm_up_seconds(configuration=seen())
    assert found == pytest.approx(6.0 - FAULT + 45 / (RATE / 2), abs=0.05)


def test_a_cache_that_was_warm_all_along_took_no_time(seen):
    assert caches.warm_up_seconds(configuration=seen(cold=9, warm=9), settle_seconds=2) == 0.0


def test_a_cache_that_stays_cold_never_was_warm(seen):
    configuration = seen(warm=9)
    assert caches.warm_up_seconds(configuration=configuration) is None
    assert caches.is_warm(configuration=configuration) is False
    assert caches.warm_up_seconds(configuration=configuration, limit_seconds=1) is None


def test_a_warm_up_that_took_longer_than_it_may_is_none(seen):
    assert caches.warm_up_seconds(configuration=seen(), limit_seconds=2) is None


def test_users_see_whether_a_cache_is_warm(seen):
    assert caches.is_warm(configuration=seen()) is True


def test_answers_that_do_not_say_are_no_data(seen):
    configuration = seen(said=False)
    for probe in (caches.warm_up_seconds, caches.is_warm):
        with pytest.raises(NotMeasured, match="fewer than 50 answers"):
            probe(configuration=configuration)


def test_answers_of_another_region_do_not_count(seen):
    with pytest.raises(NotMeasured, match="fewer than 50 answers"):
        caches.is_warm(region=STANDBY, configuration=seen())

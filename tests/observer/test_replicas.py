"""Writes read back from real databases: a primary and a standby, replication paused, the primary lost."""

import asyncio
import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from blackstart.clock import SystemClock
from blackstart.errors import ConfigInvalid, NotMeasured
from blackstart.lab.orders.store import READ_BACK, prepare
from blackstart.observer import ledger, readback
from blackstart.observer.databases import READER, WRITER
from blackstart.observer.ledger import Ledger, ReadBack, Replica
from blackstart.observer.record import Header, Outcome
from blackstart.observer.replicas import Replicas
from blackstart.settings import Service

sys.path.append(str(Path(__file__).parent.parent))

EAST, WEST = "us-east-1", "us-west-2"
SERVICE = Service(name="orders", host="nobody.test", port=1, ledger_path="", home_region=EAST, standby_region=WEST)
BEFORE, PAUSED, BROKEN = 30, 17, 3


@pytest.fixture(scope="module")
def pair():
    import postgres_pair

    with postgres_pair.running() as made:
        asyncio.run(prepare(made.primary.dsn, products=1))
        yield made


@pytest.fixture
def journal(pair, tmp_path):
    with psycopg.connect(pair.primary.dsn) as connection:
        connection.execute("DELETE FROM orders")
    origin = SystemClock().monotonic()
    Header(origin, "", 0, 10, 1, 1, prefix=ledger.prefix("d1")).write(tmp_path)
    made = SimpleNamespace(folder=tmp_path, ledger=Ledger(tmp_path), op=0)
    made.now = lambda: SystemClock().monotonic() - origin
    yield made
    made.ledger.close()


def order(connection, key):
    connection.execute("INSERT INTO orders (key, item, quantity) VALUES (%s, 1, 1)", (key,))


def write(journal, connection, count, answered=True):
    """Orders that are committed and acknowledged, or rolled back without an answer; their keys."""
    keys = []
    for _ in range(count):
        journal.op += 1
        keys.append(ledger.key("d1", journal.op))
        journal.ledger.sending(journal.op, keys[-1], journal.now())
        order(connection, keys[-1])
        if answered:
            connection.commit()
            journal.ledger.ended(journal.op, Outcome.OK, journal.now(), EAST)
        else:
            connection.rollback()
            journal.ledger.ended(journal.op, Outcome.UNKNOWN, journal.now(), "")
    return keys


def read_back(journal, addresses, sql=READ_BACK, seconds=10.0):
    readback.record_check(
        journal.folder, SERVICE, SystemClock(), replicas=Replicas(addresses, sql, timeout_seconds=seconds)
    )
    writes = ledger.read(journal.folder)
    return writes, ledger.read_checks(journal.folder, writes)


def test_a_key_in_two_rows_is_a_duplicate(pair, journal):
    with psycopg.connect(pair.primary.dsn) as connection:
        keys = write(journal, connection, 5)
        connection.execute("ALTER TABLE orders DROP CONSTRAINT orders_key_key")
        connection.commit()
        order(connection, keys[2])
        writes, found = read_back(journal, {EAST: pair.primary.dsn})
        assert ledger.check(writes, found.complete).duplicated == ()  # it is not committed
        connection.commit()
        writes, found = read_back(journal, {EAST: pair.primary.dsn})
        result = ledger.check(writes, found.complete)
        connection.execute("DELETE FROM orders")
        connection.execute("ALTER TABLE orders ADD UNIQUE (key)")
    assert [each.key for each in result.duplicated] == [keys[2]]
    assert (result.by, result.found, result.lost, result.checks) == (EAST, 5, (), 2)
    assert [each.key for each in result.out_of_order] == [keys[2]]


def test_copies_and_places_are_as_the_statement_gives_them(pair, journal):
    with psycopg.connect(pair.primary.dsn) as connection:
        keys = write(journal, connection, 4)
    sql = "SELECT key, -id AS place, item + 1 AS copies FROM orders WHERE starts_with(key, %(prefix)s)"
    writes, found = read_back(journal, {EAST: pair.primary.dsn}, sql)
    result = ledger.check(writes, found.complete)
    assert [each.key for each in result.duplicated] == keys
    assert [each.key for each in result.out_of_order] == keys[:-1]


@pytest.mark.parametrize("where", ["connecting", "asking"])
def test_one_that_hangs_is_cut_off_and_named(pair, journal, where):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address, sql = pair.primary.dsn, f"{READ_BACK} AND pg_sleep(60) IS NULL"
        if where == "connecting":
            address, sql = f"host=127.0.0.1 port={silent.getsockname()[1]} dbname=shop user=shop", READ_BACK
        else:
            with psycopg.connect(address) as connection:
                write(journal, connection, 1)
        _, found = read_back(journal, {EAST: address}, sql, seconds=0.5)
    assert found.complete == ()
    assert [(each.number, each.source) for each in found.unread] == [(1, EAST)]
    assert ("timeout" if where == "connecting" else "no answer within 0.5 s") in found.unread[0].problem


def test_a_statement_without_a_key_is_refused(pair, journal):
    with pytest.raises(ConfigInvalid, match="gives no column key, but place"):
        read_back(journal, {EAST: pair.primary.dsn}, "SELECT 1 AS place WHERE %(prefix)s <> ''")
    with pytest.raises(ConfigInvalid, match=r"service\.ledger_path"):
        readback.record_check(journal.folder, SERVICE, SystemClock())


def test_what_was_acknowledged_while_replication_stood_still_is_exactly_what_is_lost(pair, journal):
    import postgres_pair

    with psycopg.connect(pair.primary.dsn) as connection:
        kept = write(journal, connection, BEFORE)
        postgres_pair.until(lambda: postgres_pair.rows(pair.standby.dsn, "SELECT count(*) FROM orders") == [(BEFORE,)])
        _, found = read_back(journal, pair.addresses)
        assert [(each.source, each.state, len(each.keys)) for each in found.complete] == [
            (EAST, WRITER, BEFORE), (WEST, READER, BEFORE),
        ]  # fmt: skip
        postgres_pair.rows(pair.standby.dsn, "ALTER SYSTEM SET primary_conninfo = ''")
        postgres_pair.rows(pair.standby.dsn, "SELECT pg_reload_conf()")
        postgres_pair.until(lambda: postgres_pair.rows(pair.primary.dsn, "SELECT FROM pg_stat_replication") == [])
        gone = write(journal, connection, PAUSED)
        unknown = write(journal, connection, BROKEN, answered=False)
        writes, found = read_back(journal, pair.addresses)
        before = ledger.check(writes, found.complete)
        assert (before.lost, before.divergent) == ((), ())
        assert before.replicas == (Replica(EAST, WRITER, BEFORE + PAUSED, 0), Replica(WEST, READER, BEFORE, PAUSED))
        fault_at = journal.now()
        pair.primary.kill()
    asyncio.run(pair.standby.promote())

    writes, found = read_back(journal, pair.addresses)
    result = ledger.check(writes, [read for read in found.complete if read.began > fault_at])
    assert [each.write.key for each in result.lost] == gone
    assert [each.key for each in result.unknown] == unknown
    assert (result.found, result.by, result.duplicated, result.unexpected) == (len(kept), WEST, (), ())
    assert result.out_of_order == ()
    assert [(each.number, each.source) for each in found.unread] == [(3, EAST)]
    loss = ledger.data_loss(result, fault_at)
    oldest = next(each for each in writes if each.key == gone[0])
    assert (loss.writes, loss.seconds) == (PAUSED, pytest.approx(fault_at - oldest.at))

    asyncio.run(pair.primary.start())  # nobody has told it that it was replaced
    writes, found = read_back(journal, pair.addresses)
    late = [read for read in found.complete if read.number == 4]
    with pytest.raises(NotMeasured, match="us-east-1 and us-west-2 both take writes"):
        ledger.check(writes, late)
    users = ReadBack(4, journal.now(), journal.now(), frozenset(kept))
    result = ledger.check(writes, [*late, users])
    assert [each.write.key for each in result.lost] == gone
    assert {each.held_by for each in result.lost} == {(EAST,)}
    assert [(each.key, each.has, each.lacks) for each in result.divergent] == [(k, (EAST,), ("", WEST)) for k in gone]

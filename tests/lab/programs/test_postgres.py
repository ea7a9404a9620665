"""Real PostgreSQL servers: what a fail-over loses and keeps, and how the old primary comes back."""

import asyncio
import socket
import subprocess
import sys
import time

import psutil
import psycopg
import pytest
from postgres_harness import DELAY, ZONE, Writers, alone, ask, link, pair, server, until

from blackstart.errors import LabError
from blackstart.lab.binaries import postgres_bin
from blackstart.lab.postgres import dsn

__all__ = ["server"]


@pytest.mark.parametrize("synchronous", [False, True], ids=["async", "sync"])
def test_losing_the_primarys_region_loses_what_was_under_way_unless_commits_wait_for_the_standby(
    server, cache, synchronous
):
    async def story():
        primary, standby = await pair(server, cache)
        async with link(primary.spec.address, DELAY) as (source, cut):
            await standby.start(standby_of=source)
            await standby.wait_streaming()
            await primary.set_synchronous("standby" if synchronous else "")
            writers = Writers(primary.dsn)
            tasks = [asyncio.create_task(writers.write()) for _ in range(12)]
            await asyncio.sleep(4 * DELAY)
            acknowledged, fault = dict(writers.acknowledged), time.monotonic()
            await cut(ZONE)
            primary.kill()
            await asyncio.gather(*tasks)
            await standby.promote()
            assert await standby.is_writer()
            kept = set(await ask(standby, "SELECT number FROM orders"))
            lost = acknowledged.keys() - kept
            print(f"acknowledged {len(acknowledged)}, lost {len(lost)}")
            assert acknowledged
            if synchronous:
                assert not lost
                return
            ages = sorted(fault - acknowledged[number] for number in lost)
            print(f"oldest {ages[-1]:.3f} s")
            assert DELAY / 2 < ages[-1] < DELAY + 0.25
            await cut()
            await primary.rejoin(standby.spec.address)
            await ask(standby, "INSERT INTO orders VALUES (-1)")

            async def follows():
                return set(await ask(primary, "SELECT number FROM orders")) == kept | {-1}

            await until(follows)
            assert not await primary.is_writer()

    asyncio.run(story())


def test_a_standby_refuses_writes_and_goes_on_after_a_cut_has_healed(server, cache):
    async def story():
        primary, standby = await alone(server, cache), server("standby")
        async with link(primary.spec.address, 0.02) as (source, cut):
            await standby.base_backup(primary.spec.address)
            await standby.start(standby_of=source)
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                await ask(standby, "INSERT INTO orders VALUES (1)")
            await standby.wait_streaming()
            await cut(ZONE)
            await ask(primary, "INSERT INTO orders VALUES (2)")
            await asyncio.sleep(0.3)
            assert await ask(standby, "SELECT number FROM orders") == []
            await cut()

            async def arrived():
                return await ask(standby, "SELECT number FROM orders") == [2]

            await until(arrived)

    asyncio.run(story())


def test_a_server_whose_data_cannot_be_rewound_is_copied_anew(server, cache):
    async def story():
        primary, standby = await pair(server, cache)
        await ask(primary, "INSERT INTO orders VALUES (7)")
        (standby.spec.folder / "data" / "global" / "pg_control").unlink()
        await standby.rejoin(primary.spec.address)
        assert await ask(standby, "SELECT number FROM orders") == [7]
        assert (await primary.is_writer(), await standby.is_writer()) == (True, False)

    asyncio.run(story())


def test_a_standby_that_crashed_with_its_primary_follows_it_again(server, cache):
    async def story():
        primary, standby = await pair(server, cache)
        await standby.start(standby_of=primary.spec.address)
        await standby.wait_streaming()
        await ask(primary, "INSERT INTO orders VALUES (1)")
        primary.kill()
        await primary.start()
        await standby.rejoin(primary.spec.address)
        await ask(primary, "INSERT INTO orders VALUES (2)")

        async def follows():
            return await ask(standby, "SELECT number FROM orders") == [1, 2]

        await until(follows)

    asyncio.run(story())


def test_a_killed_primary_starts_again_with_every_commit(server, cache):
    async def story():
        primary = await alone(server, cache)
        await ask(primary, "INSERT INTO orders VALUES (1)")
        primary.kill()
        primary.kill()
        assert not await primary.is_writer()
        await primary.start()
        assert await ask(primary, "SELECT number FROM orders") == [1]

    asyncio.run(story())


def test_promoting_twice_is_promoting_once(server, cache):
    async def story():
        primary, standby = await pair(server, cache)
        await standby.start(standby_of=primary.spec.address)
        await standby.promote()
        await standby.promote()
        assert await standby.is_writer()

    asyncio.run(story())


def test_the_superuser_cannot_connect(server, cache):
    async def story():
        primary = await alone(server, cache)
        with pytest.raises(psycopg.OperationalError, match="pg_hba"):
            await psycopg.AsyncConnection.connect(primary.dsn.replace("user=shop", "user=postgres"))

    asyncio.run(story())


def test_a_start_that_fails_says_what_was_wanted_and_where_to_look(server, cache):
    async def story():
        primary, standby = server("home"), server("standby")
        await standby.init_standby(cache)
        (standby.spec.folder / "data" / "PG_VERSION").unlink()
        with pytest.raises(LabError, match="could not start standby: it has ended; see the log of standby"):
            await standby.start()
        await primary.init_primary(cache)
        with socket.socket() as taken:
            taken.bind(primary.spec.address)
            taken.listen()
            with pytest.raises(LabError, match="it has ended"):
                await primary.start()
        await primary.start()
        with pytest.raises(LabError, match="running already"):
            await primary.start()
        with pytest.raises(LabError, match=r"could not run pg_basebackup for standby: .*refused"):
            await standby.base_backup(("127.0.0.1", 1))

    asyncio.run(story())


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's list of segments as Linux gives it")
def test_nothing_of_a_killed_server_stays_in_memory(server, cache):
    old = segments_of()

    async def story():
        primary = await alone(server, cache)
        creator = primary.process.pid
        assert segments_of(creator) - old
        tree = psutil.Process(creator).children(recursive=True)
        assert tree
        primary.kill()
        assert segments_of(creator) - old == set()
        assert not [process for process in tree if process.is_running() and process.status() != "zombie"]

    asyncio.run(story())


def segments_of(creator=None):
    """Other servers of this machine have theirs, and some of long ago had the same process id."""
    with open("/proc/sysvipc/shm", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return {row[1] for row in rows if creator in (None, int(row[4]))}


def test_clients_are_told_one_address():
    assert dsn(("127.0.0.1", 5432)) == "host=127.0.0.1 port=5432 dbname=shop user=shop"
    assert subprocess.run([postgres_bin() / "postgres", "--version"], capture_output=True, check=True).stdout

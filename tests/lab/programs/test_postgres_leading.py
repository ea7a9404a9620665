"""Who leads, with real PostgreSQL servers: heirs inside a region, primaries that end in peace, others to follow."""

import asyncio
import time

import pytest
from postgres_harness import DELAY, ZONE, Writers, ask, link, pair, server, until

from blackstart.lab.postgres import data_of

__all__ = ["server"]


def test_an_heir_takes_over_from_the_disk_of_the_dead_what_it_never_received(server, cache):
    async def story():
        primary, reader = await pair(server, cache)
        async with link(primary.spec.address) as (source, cut):
            await reader.start(standby_of=source)
            await reader.wait_streaming()
            await cut(ZONE)
            await ask(primary, "INSERT INTO orders SELECT generate_series(1, 50000)")
            primary.kill()
            await reader.promote(data_of(primary.spec.folder))
            assert await ask(reader, "SELECT count(*) FROM orders") == [50000]
            await primary.rejoin(reader.spec.address)
            await ask(reader, "INSERT INTO orders VALUES (0)")

            async def follows():
                return await ask(primary, "SELECT count(*) FROM orders") == [50001]

            await until(follows)

    asyncio.run(story())


def test_a_primary_that_is_stopped_leaves_nothing_behind_that_its_standby_lacks(server, cache):
    async def story():
        primary, standby = await pair(server, cache)
        async with link(primary.spec.address, DELAY) as (source, _):
            await standby.start(standby_of=source)
            await standby.wait_streaming()
            writers = Writers(primary.dsn)
            tasks = [asyncio.create_task(writers.write()) for _ in range(4)]
            await asyncio.sleep(3 * DELAY)
            await primary.stop(8.0)
            await asyncio.gather(*tasks)
            await standby.promote()
            kept = set(await ask(standby, "SELECT number FROM orders"))
            assert writers.acknowledged
            assert writers.acknowledged.keys() <= kept
            await primary.rejoin(standby.spec.address)
            assert not await primary.is_writer()

    asyncio.run(story())


@pytest.mark.sweep
def test_a_stop_that_takes_too_long_is_a_kill(server, cache):
    async def story():
        primary, standby = await pair(server, cache)
        async with link(primary.spec.address, 0.02) as (source, cut):
            await standby.start(standby_of=source)
            await standby.wait_streaming()
            await cut(ZONE)
            await ask(primary, "INSERT INTO orders VALUES (1)")
            began = time.monotonic()
            await primary.stop(0.5)
            assert 0.4 < time.monotonic() - began < 3
            assert primary.process is None

    asyncio.run(story())


@pytest.mark.sweep
def test_a_running_standby_can_be_told_to_follow_another(server, cache):
    async def story():
        primary, reader = await pair(server, cache)
        far = server("far")
        await far.init_standby(cache)
        for one in (reader, far):
            await one.start(standby_of=primary.spec.address)
            await one.wait_streaming()
        primary.kill()
        await reader.promote(data_of(primary.spec.folder))
        await far.follow(reader.spec.address)
        await ask(reader, "INSERT INTO orders VALUES (3)")

        async def follows():
            return await ask(far, "SELECT number FROM orders") == [3]

        await until(follows)

    asyncio.run(story())

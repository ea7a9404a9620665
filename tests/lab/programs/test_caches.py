"""Real Redis servers: what a replica has after a fail-over, and how servers change their roles."""

import asyncio
import socket
from contextlib import asynccontextmanager

import aiohttp
import pytest
import redis.asyncio
from redis.exceptions import ReadOnlyError

from blackstart.errors import LabError
from blackstart.lab.binaries import redis_server, within_reach
from blackstart.lab.caches import Cache, CacheSpec
from blackstart.lab.links import LinkSpec, carrying
from blackstart.lab.parts import account

ZONE = "us-east-1a"


@pytest.fixture
def server(folder, spawn, port):
    """Make a server by its name."""
    user = account()
    program = within_reach(redis_server(), user, folder)

    def made(name):
        return Cache(CacheSpec(name, folder / name, ("127.0.0.1", port()), program, user), spawn)

    return made


@asynccontextmanager
async def client(server):
    host, port = server.spec.address
    made = redis.asyncio.Redis(host=host, port=port, socket_timeout=5)
    try:
        yield made
    finally:
        await made.aclose()


async def pair(server):
    primary, replica = server("primary"), server("replica")
    await primary.start()
    await replica.start(replica_of=primary.spec.address)
    await replica.wait_following()
    return primary, replica


async def until(holds, seconds=10.0):
    async with asyncio.timeout(seconds):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.02)


def test_a_replica_has_its_primarys_data_and_takes_writes_once_promoted(server):
    async def story():
        primary, replica = await pair(server)
        assert (await primary.is_primary(), await replica.is_primary()) == (True, False)
        async with client(primary) as there, client(replica) as here:
            await there.set("a", "1")
            assert await there.wait(1, 5000) == 1
            with pytest.raises(ReadOnlyError):
                await here.set("b", "2")
            primary.kill()
            await replica.promote()
            await here.set("b", "2")
            assert await here.mget("a", "b") == [b"1", b"2"]
        assert (await primary.is_primary(), await replica.is_primary()) == (False, True)

    asyncio.run(story())


def test_the_old_primary_comes_back_empty_and_follows_the_new_one(server):
    async def story():
        old, new = await pair(server)
        old.kill()
        await new.promote()
        async with client(new) as there, client(old) as here:
            await there.set("a", "new")
            await old.start()
            assert await here.get("a") is None
            await here.set("only here", "1")
            await old.follow(new.spec.address)
            await old.wait_following()
            assert await here.mget("a", "only here") == [b"new", None]

    asyncio.run(story())


def test_what_is_under_way_to_a_replica_is_lost_with_the_primarys_region(server):
    async def story():
        primary, replica = server("primary"), server("replica")
        await primary.start()
        async with (
            carrying(LinkSpec("127.0.0.1", 0)) as admin,
            aiohttp.ClientSession(f"http://127.0.0.1:{admin}") as http,
        ):
            target = {"target_host": primary.spec.address[0], "target_port": primary.spec.address[1]}
            link = {"name": "ocean", "delay_seconds": 0.2, "crosses": [[ZONE]], **target}
            async with http.post("/links", json=link) as answer:
                await replica.start(replica_of=("127.0.0.1", (await answer.json())["port"]))
            await replica.wait_following()
            async with client(primary) as there, client(replica) as here:
                await there.set("before", "1")
                await until(lambda: here.get("before"))
                await there.set("under way", "1")
                async with http.put("/cuts", json={"zones": [ZONE]}) as answer:
                    assert answer.status == 200
                primary.kill()
                await asyncio.sleep(0.3)
                await replica.promote()
                assert await here.mget("before", "under way") == [b"1", None]

    asyncio.run(story())


def test_nobody_may_change_the_settings_of_a_server(server):
    async def story():
        alone = server("alone")
        await alone.start()
        async with client(alone) as here:
            with pytest.raises(redis.exceptions.ResponseError, match="unknown command"):
                await here.config_set("dir", "/")

    asyncio.run(story())


def test_a_start_that_fails_says_what_was_wanted_and_where_to_look(server):
    async def story():
        alone = server("alone")
        with socket.socket() as taken:
            taken.bind(alone.spec.address)
            taken.listen()
            with pytest.raises(LabError, match="could not start alone: "):
                await asyncio.wait_for(alone.start(), 15)
        await alone.start()
        with pytest.raises(LabError, match="running already"):
            await alone.start()
        alone.kill()
        with pytest.raises(LabError, match="could not ask alone for REPLICAOF"):
            await alone.promote()

    asyncio.run(story())

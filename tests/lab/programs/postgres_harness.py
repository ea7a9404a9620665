"""PostgreSQL servers for tests, a link between them, and clients that write."""

import asyncio
import time
from contextlib import asynccontextmanager

import aiohttp
import psycopg
import pytest

from blackstart.lab.binaries import postgres_bin, within_reach
from blackstart.lab.links import LinkSpec, carrying
from blackstart.lab.parts import account
from blackstart.lab.postgres import Postgres, PostgresSpec

DELAY, ZONE = 0.3, "us-east-1a"


@pytest.fixture
def server(folder, spawn, port):
    """Make a server by its name."""
    user = account()
    programs = within_reach(postgres_bin(), user, folder)

    servers = []

    def made(name):
        servers.append(Postgres(PostgresSpec(name, folder / name, ("127.0.0.1", port()), programs, user), spawn))
        return servers[-1]

    yield made
    for one in servers:
        one.kill()


@asynccontextmanager
async def link(target, delay=0.0):
    """The address of a link to ``target`` that starts in ZONE, and a way to cut zones."""
    async with carrying(LinkSpec("127.0.0.1", 0)) as admin, aiohttp.ClientSession(f"http://127.0.0.1:{admin}") as http:
        wanted = {"target_host": target[0], "target_port": target[1], "delay_seconds": delay, "crosses": [[ZONE]]}
        async with http.post("/links", json={"name": "wal", **wanted}) as answer:
            address = ("127.0.0.1", (await answer.json())["port"])

        async def cut(*zones):
            async with http.put("/cuts", json={"zones": zones}) as answer:
                assert answer.status == 200

        yield address, cut


async def ask(server, query):
    async with await psycopg.AsyncConnection.connect(server.dsn, autocommit=True) as connection:
        cursor = await connection.execute(query)
        return [row[0] for row in await cursor.fetchall()] if cursor.description else []


async def until(holds, seconds=10.0):
    async with asyncio.timeout(seconds):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.02)


class Writers:
    """Clients that commit numbers as fast as they are acknowledged; ``acknowledged`` maps number → when."""

    def __init__(self, target):
        self.acknowledged = {}
        self._numbers = iter(range(10**9))
        self._target = target

    async def write(self):
        try:
            async with await psycopg.AsyncConnection.connect(self._target, autocommit=True) as connection:
                for number in self._numbers:
                    await connection.execute("INSERT INTO orders VALUES (%s)", (number,))
                    self.acknowledged[number] = time.monotonic()
        except psycopg.OperationalError:
            return


async def alone(server, cache):
    """A primary with an empty table ``orders``."""
    primary = server("home")
    await primary.init_primary(cache)
    await primary.start()
    await ask(primary, "CREATE TABLE orders (number int PRIMARY KEY)")
    return primary


async def pair(server, cache):
    """Such a primary, and a server that can follow it."""
    standby = server("standby")
    primary, _ = await asyncio.gather(alone(server, cache), standby.init_standby(cache))
    return primary, standby

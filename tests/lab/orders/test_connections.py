"""Connections to a real PostgreSQL that goes silent, dies, or is promoted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from blackstart.errors import ServiceUnreachable
from blackstart.lab.orders.connections import Connections
from blackstart.lab.orders.store import Store, prepare

TIMEOUT = 0.5
# What "in time" may cost on a busy machine.
ROOM = 0.6


@asynccontextmanager
async def connected(dsn: str, size: int = 4) -> Any:
    connections = Connections(dsn, size=size, timeout_seconds=TIMEOUT)
    try:
        yield connections
    finally:
        await connections.close()


async def refused_in_time(act: Awaitable[Any]) -> str:
    began = time.monotonic()
    with pytest.raises(ServiceUnreachable) as caught:
        await act
    assert time.monotonic() - began < TIMEOUT + ROOM
    return str(caught.value)


async def works_within(act: Callable[[], Awaitable[Any]], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(ServiceUnreachable):
            await act()
            return
        await asyncio.sleep(0.02)
    await act()


def test_a_silent_network_costs_the_timeout_and_no_more_and_then_all_is_well_again(postgres: Any, relay: Any) -> None:
    async def scenario() -> None:
        link = relay(postgres.port)
        await link.start()
        async with connected(postgres.dsn(port=link.port)) as connections:
            await asyncio.gather(*(connections.run("SELECT pg_sleep(0.05)") for _ in range(4)))
            link.hold()
            # the first ones on connections that were open, the others while connecting
            for _ in range(2):
                await asyncio.gather(*(refused_in_time(connections.run("SELECT 1")) for _ in range(4)))
            link.heal()
            await works_within(lambda: connections.run("SELECT 1"), 1.0)
        await link.stop()

    asyncio.run(scenario())


def test_nobody_notices_a_restart_between_two_statements(postgres: Any) -> None:
    async def scenario() -> None:
        async with connected(postgres.dsn()) as connections:
            await asyncio.gather(*(connections.run("SELECT pg_sleep(0.05)") for _ in range(3)))
            await asyncio.to_thread(postgres.stop)
            await asyncio.to_thread(postgres.start)
            assert await connections.run("SELECT 1") == [(1,)]

    asyncio.run(scenario())


def test_a_dead_database_is_told_at_once(postgres: Any, a_port: Callable[[], int]) -> None:
    async def scenario() -> None:
        async with connected(postgres.dsn(port=a_port())) as connections:
            assert "refused" in await refused_in_time(connections.run("SELECT 1"))

    asyncio.run(scenario())


def test_waiting_for_a_free_connection_is_inside_the_time(postgres: Any) -> None:
    async def scenario() -> None:
        async with connected(postgres.dsn(), size=1) as connections:
            slow = asyncio.create_task(connections.run("SELECT pg_sleep(1)", timeout_seconds=2.0))
            await asyncio.sleep(0.1)
            assert "no connection free" in await refused_in_time(connections.run("SELECT 1"))
            await slow

    asyncio.run(scenario())


def test_no_more_connections_than_said(postgres: Any) -> None:
    async def scenario() -> None:
        async with connected(postgres.dsn(), size=2) as connections:
            backends = await asyncio.gather(
                *(connections.run("SELECT pg_backend_pid(), pg_sleep(0.03)") for _ in range(8))
            )
            assert len({rows[0][0] for rows in backends}) == 2

    asyncio.run(scenario())


def test_a_standby_refuses_orders_until_it_is_promoted(postgres: Any, database: str, standby: Any) -> None:
    async def scenario() -> None:
        await prepare(postgres.dsn(database))
        async with connected(standby.dsn(database)) as connections:
            store = Store(connections)
            await works_within(lambda: store.product(1, TIMEOUT), 5.0)
            assert await store.is_writer() is False
            assert "read-only" in await refused_in_time(store.place("k", 1, 1))
            assert await store.keys("", "", 10) is None
            standby.execute("SELECT pg_promote()")
            await works_within(lambda: store.place("k", 1, 1), 1.0)
            assert await store.keys("", "", 10) == ["k"]

    asyncio.run(scenario())


def test_an_order_is_not_promised_again_before_the_replica_has_it(postgres: Any, database: str) -> None:
    def want_replica(name: str) -> None:
        postgres.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
        postgres.execute("SELECT pg_reload_conf()")

    async def scenario() -> None:
        await prepare(postgres.dsn(database))
        async with connected(postgres.dsn(database)) as connections:
            store = Store(connections)
            try:
                want_replica("absent")
                await refused_in_time(store.place("k", 1, 1))
                # The restart makes the order visible, which no replica has.
                await asyncio.to_thread(postgres.stop)
                await asyncio.to_thread(postgres.start)
                assert postgres.execute("SELECT key FROM orders", database) == [("k",)]
                # A sequence waits for replicas too, but only when it logs, which it has done now for a while ahead.
                postgres.execute("SET synchronous_commit = local; SELECT nextval('orders_id_seq')", database)
                await refused_in_time(store.place("k", 1, 1))
            finally:
                want_replica("")

    asyncio.run(scenario())

"""Orders on their way to a real queue, which may be away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from blackstart.lab.orders import outbox as outbox_module
from blackstart.lab.orders.aws import AwsAccess, SignedClient
from blackstart.lab.orders.connections import Connections
from blackstart.lab.orders.outbox import Outbox
from blackstart.lab.orders.store import Store, prepare


@asynccontextmanager
async def pod(dsn: str, aws_url: str, queue_url: str, *, writer: bool = True) -> AsyncIterator[tuple[Store, Outbox]]:
    """A store and an outbox at work."""
    connections = Connections(dsn, size=2, timeout_seconds=1.0)
    store = Store(connections)
    async with SignedClient(AwsAccess(aws_url, "us-east-1"), timeout_seconds=2.0) as aws:
        outbox = Outbox(store, aws, queue_url)
        jobs = [asyncio.create_task(job) for job in (outbox.send_forever(), outbox.sweep_forever(lambda: writer))]
        try:
            yield store, outbox
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            await connections.close()


async def drained(unsent: Callable[[], int], seconds: float = 6.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if not unsent():
                return
            await asyncio.sleep(0.05)


def received(sqs: Any, queue_url: str) -> list[str]:
    """Keys of all messages in the queue."""
    keys: list[str] = []
    while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages"):
        keys += [json.loads(message["Body"])["key"] for message in messages]
    return sorted(keys)


def unsent_in(postgres: Any, database: str) -> Callable[[], int]:
    return lambda: int(postgres.execute("SELECT count(*) FROM orders WHERE NOT sent", database)[0][0])


def test_a_committed_order_is_queued_once_and_marked(
    postgres: Any, database: str, aws: Any, aws_url: str, queue_url: str
) -> None:
    async def scenario() -> None:
        await prepare(postgres.dsn(database))
        async with pod(postgres.dsn(database), aws_url, queue_url) as (store, outbox):
            for number in range(25):
                outbox.offer(await store.place(f"k-{number:02}", 1, 1))
            await drained(unsent_in(postgres, database))

    asyncio.run(scenario())
    assert received(aws("sqs"), queue_url) == [f"k-{number:02}" for number in range(25)]


def test_orders_of_a_pod_that_died_are_sent_by_another(
    postgres: Any, database: str, aws: Any, aws_url: str, queue_url: str
) -> None:
    async def scenario() -> None:
        await prepare(postgres.dsn(database))
        postgres.execute(
            "INSERT INTO orders (key, item, quantity) SELECT 'k-' || n, 1, 1 FROM generate_series(1, 12) n", database
        )
        async with pod(postgres.dsn(database), aws_url, queue_url):
            await drained(unsent_in(postgres, database))

    asyncio.run(scenario())
    assert len(received(aws("sqs"), queue_url)) == 12


def test_while_the_queue_is_away_orders_wait_and_then_go(
    postgres: Any, database: str, aws_url: str, queue_url: str, relay: Any
) -> None:
    async def scenario() -> None:
        link = relay(int(aws_url.rsplit(":", 1)[1]))
        await link.start()
        link.hold()
        await prepare(postgres.dsn(database))
        async with pod(postgres.dsn(database), f"http://127.0.0.1:{link.port}", queue_url) as (store, outbox):
            outbox.offer(await store.place("k-1", 1, 1))
            await asyncio.sleep(0.5)
            assert unsent_in(postgres, database)() == 1
            link.heal()
            await drained(unsent_in(postgres, database), 10.0)
        await link.stop()

    asyncio.run(scenario())


def test_too_many_waiting_orders_never_make_the_service_wait(
    postgres: Any, database: str, aws_url: str, monkeypatch: Any
) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(outbox_module, "WAITING_MOST", 2)
        await prepare(postgres.dsn(database))
        connections = Connections(postgres.dsn(database), size=1, timeout_seconds=1.0)
        order = await Store(connections).place("k", 1, 1)
        await connections.close()
        async with SignedClient(AwsAccess(aws_url, "us-east-1"), timeout_seconds=1.0) as aws:
            outbox = Outbox(Store(connections), aws, "unused")
            for _ in range(5):
                outbox.offer(order)

    asyncio.run(scenario())


def test_a_claimed_order_is_left_to_its_claimer_for_a_while(postgres: Any, database: str) -> None:
    async def scenario() -> None:
        await prepare(postgres.dsn(database))
        postgres.execute(
            "INSERT INTO orders (key, item, quantity, created)"
            " VALUES ('old', 1, 1, now() - interval '1 hour'), ('new', 1, 1, now())",
            database,
        )
        connections = Connections(postgres.dsn(database), size=1, timeout_seconds=1.0)
        store = Store(connections)
        assert [order.key for order in await store.claim_unsent(10)] == ["old"]
        assert await store.claim_unsent(10) == []
        await asyncio.sleep(2.1)
        assert sorted(order.key for order in await store.claim_unsent(10)) == ["new", "old"]
        await connections.close()

    asyncio.run(scenario())


def test_only_the_writer_sweeps(postgres: Any, database: str, aws_url: str, queue_url: str) -> None:
    async def scenario() -> None:
        await prepare(postgres.dsn(database))
        postgres.execute(
            "INSERT INTO orders (key, item, quantity, created) VALUES ('old', 1, 1, now() - interval '1 hour')",
            database,
        )
        async with pod(postgres.dsn(database), aws_url, queue_url, writer=False):
            await asyncio.sleep(1.3)
        assert postgres.execute("SELECT claimed FROM orders", database) == [(None,)]

    asyncio.run(scenario())

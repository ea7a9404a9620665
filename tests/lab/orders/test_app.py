"""The order service on real PostgreSQL and Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from blackstart.lab.orders import app, store
from blackstart.lab.orders.app import OrdersSpec

ORDER = {"key": "k-1", "item": 7, "quantity": 2}
# What a request may take when a backend is silent: its own time-out, and some room for a busy machine.
NEVER_LONGER = 1.5


@pytest.fixture
def spec(postgres: Any, database: str, redis_port: int, a_port: Callable[[], int]) -> OrdersSpec:
    """A pod in us-east-1a whose queue is out of reach."""
    return OrdersSpec(
        host="127.0.0.1",
        port=a_port(),
        pod="orders-1",
        node="i-1",
        region="us-east-1",
        zone="us-east-1a",
        database=postgres.dsn(database),
        cache=("127.0.0.1", redis_port),
        aws_url="http://127.0.0.1:9",
        queue_url="http://127.0.0.1:9/123456789012/orders",
    )


class Pod:
    def __init__(self, spec: OrdersSpec, session: aiohttp.ClientSession) -> None:
        self.url = f"http://{spec.host}:{spec.port}"
        self.session = session

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any], Any]:
        async with self.session.request(method, self.url + path, json=body) as answer:
            return answer.status, await answer.json(), answer.headers

    async def order(self, key: str) -> int:
        return (await self.ask("POST", "/orders", {**ORDER, "key": key}))[0]

    async def status(self, path: str) -> int:
        return (await self.ask("GET", path))[0]

    async def until(self, path: str, status: int, seconds: float = 5.0) -> None:
        async with asyncio.timeout(seconds):
            while True:
                if await self.status(path) == status:
                    return
                await asyncio.sleep(0.02)


@asynccontextmanager
async def running(spec: OrdersSpec) -> AsyncIterator[Pod]:
    task = asyncio.create_task(app.serve(spec))
    async with aiohttp.ClientSession() as session:
        pod = Pod(spec, session)
        async with asyncio.timeout(5):
            while True:
                try:
                    await pod.status("/readyz")
                    break
                except aiohttp.ClientConnectionError:
                    assert not task.done(), task.exception()
                    await asyncio.sleep(0.02)
        try:
            yield pod
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def play(spec: OrdersSpec, scene: Callable[[Pod], Awaitable[None]]) -> None:
    async def scenario() -> None:
        await store.prepare(spec.database)
        async with running(spec) as pod:
            await pod.until("/readyz", 200)
            await scene(pod)

    asyncio.run(scenario())


def test_an_order_is_committed_and_says_who_did_it(spec: OrdersSpec, postgres: Any, database: str) -> None:
    async def scene(pod: Pod) -> None:
        status, answer, headers = await pod.ask("POST", "/orders", ORDER)
        assert status == 201
        assert answer == {"key": "k-1", "id": 1, "region": "us-east-1", "zone": "us-east-1a", "pod": "orders-1"}
        assert (headers["x-region"], headers["x-zone"], headers["x-pod"]) == ("us-east-1", "us-east-1a", "orders-1")

    play(spec, scene)
    assert postgres.execute("SELECT key, item, quantity FROM orders", database) == [("k-1", 7, 2)]


def test_the_same_key_again_is_the_same_order(spec: OrdersSpec, postgres: Any, database: str) -> None:
    async def scene(pod: Pod) -> None:
        answers = await asyncio.gather(*(pod.ask("POST", "/orders", ORDER) for _ in range(8)))
        assert {answer["id"] for _, answer, _ in answers} == {answers[0][1]["id"]}
        assert {status for status, _, _ in answers} == {201}

    play(spec, scene)
    assert postgres.execute("SELECT count(*) FROM orders", database) == [(1,)]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {**ORDER, "key": ""},
        {**ORDER, "key": "a b"},
        {**ORDER, "key": "k" * 201},
        {**ORDER, "item": 0},
        {**ORDER, "item": True},
        {**ORDER, "quantity": 2**31},
        {**ORDER, "quantity": "2"},
    ],
)
def test_a_malformed_order_is_refused(body: Any) -> None:
    assert app._problem(body)


def test_bad_requests_are_400_and_signed_too(spec: OrdersSpec) -> None:
    async def scene(pod: Pod) -> None:
        status, answer, headers = await pod.ask("POST", "/orders", {})
        assert (status, headers["x-pod"]) == (400, "orders-1")
        assert "key" in answer["error"]
        async with pod.session.post(pod.url + "/orders", data=b"\xff{") as raw:
            assert raw.status == 400
        assert await pod.status("/orders?limit=many") == 400
        assert await pod.status("/orders?prefix=%00") == 400
        assert await pod.status("/products/100000") == 404

    play(spec, scene)


def test_keys_are_listed_in_order_page_by_page(spec: OrdersSpec) -> None:
    async def scene(pod: Pod) -> None:
        for key in ("b-3", "a-1", "b-1", "b-10", "c-1"):
            assert await pod.order(key) == 201
        _, first, _ = await pod.ask("GET", "/orders?prefix=b-&limit=2")
        assert first == {"keys": ["b-1", "b-10"], "next": "b-10"}
        _, second, _ = await pod.ask("GET", f"/orders?prefix=b-&limit=2&after={first['next']}")
        assert second == {"keys": ["b-3"], "next": None}
        _, everything, _ = await pod.ask("GET", "/orders")
        assert everything["keys"] == ["a-1", "b-1", "b-10", "b-3", "c-1"]

    play(spec, scene)


def test_a_product_is_a_miss_once_and_then_a_hit(spec: OrdersSpec) -> None:
    async def scene(pod: Pod) -> None:
        status, product, headers = await pod.ask("GET", "/products/7")
        assert (status, product["number"], headers["x-cache"]) == (200, 7, "miss")
        _, again, headers = await pod.ask("GET", "/products/7")
        assert (again, headers["x-cache"]) == (product, "hit")

    play(spec, scene)


def test_products_come_from_the_database_when_redis_is_away_or_silent(spec: OrdersSpec, relay: Any) -> None:
    async def scenario() -> None:
        silent = relay(spec.port)
        await silent.start()
        silent.hold()
        await store.prepare(spec.database)
        for cache_port in (9, silent.port):
            async with running(replace(spec, cache=("127.0.0.1", cache_port))) as pod:
                began = time.monotonic()
                for number in range(1, 20):
                    status, _, headers = await pod.ask("GET", f"/products/{number}")
                    assert (status, headers["x-cache"]) == (200, "miss")
                assert time.monotonic() - began < NEVER_LONGER
        await silent.stop()

    asyncio.run(scenario())


def test_while_the_database_is_silent_nothing_hangs_and_afterwards_the_pod_recovers_by_itself(
    spec: OrdersSpec, postgres: Any, relay: Any
) -> None:
    async def scenario() -> None:
        link = relay(postgres.port)
        await link.start()
        await store.prepare(spec.database)
        silent = spec.database.replace(f"port={postgres.port}", f"port={link.port}")
        async with running(replace(spec, database=silent)) as pod:
            await pod.until("/healthz", 200)
            assert await pod.order("before") == 201
            link.hold()
            began = time.monotonic()
            assert await asyncio.gather(*(pod.order(f"during-{n}") for n in range(12))) == [503] * 12
            assert await pod.status("/readyz") == 503
            assert await pod.status("/orders") == 503
            assert time.monotonic() - began < 2 * NEVER_LONGER
            link.heal()
            began = time.monotonic()
            while await pod.order("after") != 201:
                assert time.monotonic() - began < 1.0
            await pod.until("/healthz", 200, 1.0)
        await link.stop()

    asyncio.run(scenario())

"""The order service: what a pod of the platform's API runs.

POST /orders {"key", "item", "quantity"} commits an order, idempotent by ``key`` (1-200 visible ASCII characters) → 201
{"key", "id", "region", "zone", "pod"}. GET /orders?prefix=&after=&limit= lists keys in order → {"keys", "next"}, only
from the writer. GET /products/<n> reads through Redis (header ``x-cache``: hit or miss). GET /readyz: the database
answers; GET /healthz: and it takes writes. 400 says what is wrong with the request, 503 what is away; nothing hangs.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from json import JSONDecodeError
from typing import Any

from aiohttp import web

from blackstart.errors import ServiceUnreachable
from blackstart.lab.orders.aws import AwsAccess, SignedClient
from blackstart.lab.orders.cache import CACHE_SECONDS, ProductCache
from blackstart.lab.orders.connections import Connections
from blackstart.lab.orders.outbox import Outbox
from blackstart.lab.orders.readiness import Readiness
from blackstart.lab.orders.store import Store
from blackstart.lab.serving import answering

BACKEND_SECONDS = 0.7
PROBE_TIMEOUT_SECONDS = 0.3
QUEUE_SECONDS = 2.0
CONNECTIONS = 6
LIST_MOST = 1000
_KEY = re.compile(r"[!-~]{1,200}")
_INTEGER_MOST = 2**31 - 1


@dataclass(frozen=True)
class OrdersSpec:
    """One pod: where it listens, who it is, and what stands behind it. ``database`` is a libpq connection string."""

    host: str
    port: int
    pod: str
    node: str
    region: str
    zone: str
    database: str
    cache: tuple[str, int]
    aws_url: str
    queue_url: str


async def serve(spec: OrdersSpec) -> None:
    """Answer until cancelled. OSError if the port is taken."""
    async with _service(spec) as app, answering(app, spec.host, spec.port):
        await asyncio.Event().wait()


@asynccontextmanager
async def _service(spec: OrdersSpec) -> AsyncIterator[web.Application]:
    database = Connections(spec.database, size=CONNECTIONS, timeout_seconds=BACKEND_SECONDS)
    watched = Connections(spec.database, size=1, timeout_seconds=PROBE_TIMEOUT_SECONDS)
    cache = ProductCache(*spec.cache)
    readiness = Readiness(Store(watched))
    async with SignedClient(AwsAccess(spec.aws_url, spec.region, agent=f"orders/{spec.region}"), QUEUE_SECONDS) as aws:
        outbox = Outbox(Store(database), aws, spec.queue_url)
        try:
            async with asyncio.TaskGroup() as group:
                jobs = [
                    group.create_task(job)
                    for job in (
                        readiness.probe_forever(),
                        outbox.send_forever(),
                        outbox.sweep_forever(readiness.is_writer),
                    )
                ]
                try:
                    yield _Handlers(spec, Store(database), cache, readiness, outbox).application()
                finally:
                    for job in jobs:
                        job.cancel()
        finally:
            await cache.close()
            await database.close()
            await watched.close()


class _Handlers:
    def __init__(
        self, spec: OrdersSpec, store: Store, cache: ProductCache, readiness: Readiness, outbox: Outbox
    ) -> None:
        self._spec = spec
        self._store = store
        self._cache = cache
        self._readiness = readiness
        self._outbox = outbox

    def application(self) -> web.Application:
        app = web.Application(middlewares=[_away_is_503])
        app.on_response_prepare.append(self._sign)
        app.router.add_post("/orders", self._place)
        app.router.add_get("/orders", self._list)
        app.router.add_get("/products/{number:[0-9]{1,9}}", self._product)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/healthz", self._healthz)
        return app

    async def _sign(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers["x-region"] = self._spec.region
        response.headers["x-zone"] = self._spec.zone
        response.headers["x-pod"] = self._spec.pod

    async def _place(self, request: web.Request) -> web.Response:
        try:
            asked = await request.json()
        except (JSONDecodeError, UnicodeDecodeError):
            return _bad_request("the body must be a JSON object")
        problem = _problem(asked)
        if problem:
            return _bad_request(problem)
        order = await self._store.place(asked["key"], asked["item"], asked["quantity"])
        self._outbox.offer(order)
        who = {"region": self._spec.region, "zone": self._spec.zone, "pod": self._spec.pod}
        return web.json_response({"key": order.key, "id": order.id, **who}, status=201)

    async def _list(self, request: web.Request) -> web.Response:
        try:
            limit = min(max(int(request.query.get("limit", LIST_MOST)), 1), LIST_MOST)
        except ValueError:
            return _bad_request("limit must be a number")
        prefix, after = request.query.get("prefix", ""), request.query.get("after", "")
        if any(given and not _KEY.fullmatch(given) for given in (prefix, after)):
            return _bad_request("prefix and after must be parts of keys: up to 200 visible ASCII characters")
        keys = await self._store.keys(prefix, after, limit)
        if keys is None:
            return _unavailable("the database is a read replica and may lag; only the writer lists orders")
        return web.json_response({"keys": keys, "next": keys[-1] if len(keys) == limit else None})

    async def _product(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        product = await self._cache.get(number)
        headers = {"x-cache": "hit" if product else "miss"}
        if product is None:
            product = await self._store.product(number, BACKEND_SECONDS - CACHE_SECONDS)
            if product is None:
                return web.json_response({"error": f"no product {number}"}, status=404, headers=headers)
            await self._cache.put(product)
        return web.json_response(asdict(product), headers=headers)

    async def _readyz(self, _: web.Request) -> web.Response:
        return _told(self._readiness.objection(deep=False))

    async def _healthz(self, _: web.Request) -> web.Response:
        return _told(self._readiness.objection(deep=True))


def _problem(asked: Any) -> str:
    if not isinstance(asked, dict):
        return "the body must be a JSON object"
    if not isinstance(asked.get("key"), str) or not _KEY.fullmatch(asked["key"]):
        return "key must be 1-200 visible ASCII characters"
    for name in ("item", "quantity"):
        value = asked.get(name)
        if type(value) is not int or not 1 <= value <= _INTEGER_MOST:
            return f"{name} must be a whole number from 1 to {_INTEGER_MOST}"
    return ""


@web.middleware
async def _away_is_503(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        response: web.StreamResponse = await handler(request)
    except ServiceUnreachable as error:
        return _unavailable(str(error))
    return response


def _told(objection: str | None) -> web.Response:
    return _unavailable(objection) if objection else web.json_response({"ok": True})


def _unavailable(problem: str) -> web.Response:
    return web.json_response({"error": problem}, status=503)


def _bad_request(problem: str) -> web.Response:
    return web.json_response({"error": problem}, status=400)

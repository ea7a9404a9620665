"""Products in Redis. A cache that is away makes the service slower, never wrong: every question has a short time."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from blackstart.lab.orders.store import Product

CACHE_SECONDS = 0.15
# How long the cache is left alone after a failure, so that only few requests pay for finding out that it is still away.
REST_SECONDS = 0.5
KEEP_SECONDS = 3600


class ProductCache:
    """The products that Redis at ``host:port`` holds, under ``product:<number>`` as JSON."""

    def __init__(self, host: str, port: int) -> None:
        self._redis = redis.asyncio.Redis(
            host=host,
            port=port,
            protocol=2,
            socket_timeout=CACHE_SECONDS,
            socket_connect_timeout=CACHE_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._resting_until = 0.0

    async def get(self, number: int) -> Product | None:
        """The product, or None when Redis does not have it or is away."""
        if self._resting():
            return None
        try:
            held = await self._redis.get(_name(number))
        except (RedisError, OSError):
            self._rest()
            return None
        return Product(**json.loads(held)) if held else None

    async def put(self, product: Product) -> None:
        """Keep ``product`` for later; silently not, when Redis is away or a replica."""
        if self._resting():
            return
        try:
            await self._redis.set(_name(product.number), json.dumps(asdict(product)), ex=KEEP_SECONDS)
        except redis.exceptions.ReadOnlyError:
            return
        except (RedisError, OSError):
            self._rest()

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _resting(self) -> bool:
        return asyncio.get_running_loop().time() < self._resting_until

    def _rest(self) -> None:
        self._resting_until = asyncio.get_running_loop().time() + REST_SECONDS


def _name(number: int) -> str:
    return f"product:{number}"

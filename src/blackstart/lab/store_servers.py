"""PostgreSQL and Redis as servers of a store set: how each leads, follows and gives way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from blackstart.lab.caches import Cache
from blackstart.lab.parts import Address
from blackstart.lab.postgres import Postgres

STOP_SECONDS = 8.0


@dataclass(frozen=True)
class Source:
    """Another server: its own ``address``, the way to it (``via``, a link), and where it keeps its data."""

    address: Address
    via: Address
    folder: Path


class Database:
    """A PostgreSQL server. ``waits_for``: the one that has to have each commit, wherever we are the primary ("": none).

    All servers of one region share their storage in Aurora; so does a promoted one here take over what lies on the
    disk of the dead one, and an acknowledged write survives any fail-over inside a region.
    """

    def __init__(self, region: str, postgres: Postgres, sources: Mapping[str, Source], waits_for: str = "") -> None:
        self.region = region
        self.postgres = postgres
        self._sources = sources
        self._waits_for = waits_for

    def alive(self) -> bool:
        return self.postgres.process is not None and self.postgres.process.alive()

    async def lead(self) -> None:
        await self.postgres.start()

    async def follow(self, primary: str, diverged: bool) -> None:
        source = self._sources[primary]
        if diverged:
            await self.postgres.rejoin(source.address, source.via)
        elif self.alive():
            await self.postgres.follow(source.via)
        else:
            await self.postgres.start(source.via)

    async def streams(self) -> bool:
        return await self.postgres.is_streaming()

    async def promote(self, shares: str) -> None:
        await self.postgres.promote(self._sources[shares].folder if shares else None)
        await self.hold_back()

    async def hold_back(self) -> None:
        """As the primary, acknowledge nothing from now on that the one we wait for does not have."""
        if self._waits_for:
            await self.postgres.set_synchronous(self._waits_for)

    async def stop(self) -> None:
        await self.postgres.stop(STOP_SECONDS)

    async def kill(self) -> None:
        self.postgres.kill()


class CacheNode:
    """A Redis server. It keeps nothing over its end, so what it has can contradict nobody."""

    def __init__(self, region: str, cache: Cache, sources: Mapping[str, Source]) -> None:
        self.region = region
        self.cache = cache
        self._sources = sources

    def alive(self) -> bool:
        return self.cache.process is not None and self.cache.process.alive()

    async def lead(self) -> None:
        await self.cache.start()

    async def follow(self, primary: str, diverged: bool) -> None:
        via = self._sources[primary].via
        if self.alive():
            await self.cache.follow(via)
        else:
            await self.cache.start(via)

    async def streams(self) -> bool:
        return await self.cache.is_following()

    async def promote(self, shares: str) -> None:
        await self.cache.promote()

    async def stop(self) -> None:
        await self.kill()

    async def kill(self) -> None:
        self.cache.kill()

"""The databases and caches of both regions: started, followed, and told of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import replace

from blackstart.lab import binaries
from blackstart.lab import status as labs
from blackstart.lab.base import Base
from blackstart.lab.builds import dsn
from blackstart.lab.caches import Cache, CacheSpec
from blackstart.lab.catalog import Catalog, Entry
from blackstart.lab.linking import Linking
from blackstart.lab.orders.store import prepare
from blackstart.lab.parts import Address, account
from blackstart.lab.postgres import Postgres, PostgresSpec
from blackstart.lab.status import Part
from blackstart.lab.stores import Pair, Role
from blackstart.lab.topology import RegionParts, Topology


class Database:
    """The PostgreSQL server of one region, as one of a pair. ``source`` is the other one, ``via`` the way to it."""

    def __init__(self, postgres: Postgres, source: Address, via: Address) -> None:
        self.postgres = postgres
        self._source, self._via = source, via

    def alive(self) -> bool:
        return self.postgres.process is not None and self.postgres.process.alive()

    async def lead(self) -> None:
        await self.postgres.start()

    async def follow(self, diverged: bool) -> None:
        if diverged:
            await self.postgres.rejoin(self._source, self._via)
        else:
            await self.postgres.start(self._via)

    async def promote(self) -> None:
        await self.postgres.promote()

    async def kill(self) -> None:
        self.postgres.kill()


class CacheGroup:
    """The Redis servers of one region, as one of a pair: the first leads, the others replicate from it."""

    def __init__(self, servers: list[tuple[Cache, Address | None]], via: Address) -> None:
        """Each server with the way by which it reaches the first one (None: it is the first)."""
        self._servers = servers
        self._via = via

    def alive(self) -> bool:
        return all(cache.process is not None and cache.process.alive() for cache, _ in self._servers)

    async def lead(self) -> None:
        await self._start(None)

    async def follow(self, diverged: bool) -> None:
        await self._start(self._via)

    async def promote(self) -> None:
        await self._servers[0][0].promote()

    async def kill(self) -> None:
        for cache, _ in self._servers:
            cache.kill()

    async def _start(self, source: Address | None) -> None:
        await asyncio.gather(*(cache.start(way or source) for cache, way in self._servers))


class DataStores:
    """All data stores of a lab."""

    def __init__(self, laid: Topology, base: Base, catalog: Catalog) -> None:
        self._laid = laid
        self._base = base
        for store in laid.stores():
            catalog.add(store.name, Entry(store.kind, store.address, store.region, store.zone))
        self._cache = labs.cache()
        self._replicas = {store.name for parts in laid.regions() for store in parts.caches[1:]}
        self._account = account()
        home = laid.home.region
        self._servers = {parts.region: self._database(parts) for parts in laid.regions()}
        self._groups = {parts.region: self._caches(parts) for parts in laid.regions()}
        self.databases = Pair("database", self._servers, home)
        self.caches = Pair("cache", self._groups, home)

    def _other(self, parts: RegionParts) -> RegionParts:
        return self._laid.standby if parts is self._laid.home else self._laid.home

    def _database(self, parts: RegionParts) -> Database:
        store, other = parts.postgres, self._other(parts).postgres
        programs = binaries.within_reach(binaries.postgres_bin(), self._account, self._cache)
        spec = PostgresSpec(store.name, self._base.folder / store.name, store.address, programs, self._account)
        return Database(Postgres(spec, self._base.processes), other.address, self._laid.route(store, other))

    def _caches(self, parts: RegionParts) -> CacheGroup:
        first, program = parts.caches[0], binaries.redis_server()
        program = binaries.within_reach(program, self._account, self._cache)
        servers: list[tuple[Cache, Address | None]] = []
        for store in parts.caches:
            folder = self._base.folder / store.name
            spec = CacheSpec(store.name, folder, store.address, program, self._account)
            way = None if store is first else self._laid.route(store, first)
            servers.append((Cache(spec, self._base.processes), way))
        return CacheGroup(servers, self._laid.route(first, self._other(parts).caches[0]))

    async def start(self, links: Awaitable[Linking]) -> None:
        """Both databases and all caches, with the standby region following, and the service's tables."""
        home, standby = (self._servers[parts.region] for parts in self._laid.regions())
        async with asyncio.TaskGroup() as group:
            group.create_task(self._start_caches(links))
            await home.postgres.init_primary(self._cache)
            await standby.postgres.init_standby(self._cache)
            synchronous = self._laid.config.replication == "sync"
            await home.postgres.start()
            tables = group.create_task(prepare(dsn(self._laid.home.postgres.address)))
            await links
            await standby.follow(diverged=False)
            await standby.postgres.wait_streaming()
            await tables
            if synchronous:
                await home.postgres.set_synchronous(True)
        for pair in (self.databases, self.caches):
            pair.started(self._laid.home.region, Role.PRIMARY)
            pair.started(self._laid.standby.region, Role.STANDBY)

    async def _start_caches(self, links: Awaitable[Linking]) -> None:
        await links
        await self._groups[self._laid.home.region].lead()
        await self._groups[self._laid.standby.region].follow(diverged=False)

    async def run(self) -> None:
        """Keep who writes as it should be, until cancelled."""
        await asyncio.gather(self.databases.run(), self.caches.run())

    async def lose(self, regions: frozenset[str]) -> None:
        """The stores of exactly ``regions`` are gone when this returns; the others come back."""
        await asyncio.gather(self.databases.lose(regions), self.caches.lose(regions))

    def told(self, parts: Iterable[Part]) -> list[Part]:
        """``parts``, with the roles of data stores as their states."""
        found = []
        for part in parts:
            pair = {"postgres": self.databases, "redis": self.caches}.get(part.kind)
            if part.name in self._replicas and part.pid:
                found.append(replace(part, state="replica"))
            elif pair is not None and part.pid:
                found.append(replace(part, state=str(pair.roles[part.region])))
            else:
                found.append(part)
        return found

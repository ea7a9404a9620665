"""The databases and caches of both regions: started, followed, and told of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import replace
from functools import partial

from blackstart.lab import binaries
from blackstart.lab import status as labs
from blackstart.lab.base import Base
from blackstart.lab.caches import Cache, CacheSpec
from blackstart.lab.catalog import Catalog, Entry
from blackstart.lab.linking import Linking
from blackstart.lab.orders.store import prepare
from blackstart.lab.parts import account
from blackstart.lab.postgres import Postgres, PostgresSpec, data_of
from blackstart.lab.status import Part
from blackstart.lab.store_servers import CacheNode, Database, Source
from blackstart.lab.stores import StoreSet
from blackstart.lab.synchronization import Synchronization
from blackstart.lab.topology import Store, Topology, crossing, url, way


class DataStores:
    """All data stores of a lab. ``databases`` and ``caches`` name a server as the AWS API does."""

    def __init__(self, laid: Topology, base: Base, catalog: Catalog) -> None:
        self._laid = laid
        self._base = base
        for store in laid.stores():
            catalog.add(store.name, Entry(store.kind, store.address, store.region, store.zone))
        self._stores = {store.name: store for store in laid.stores()}
        self._cache = labs.cache()
        self._account = account()
        self._linking: Linking | None = None
        self._servers = {store.id: self._database(store) for parts in laid.regions() for store in parts.databases}
        self._nodes = {store.id: self._node(store) for parts in laid.regions() for store in parts.caches}
        self.databases = StoreSet("database", self._servers, partial(self._lead, "postgres"), base.clock)
        self.caches = StoreSet("cache", self._nodes, partial(self._lead, "redis"), base.clock)

    def _database(self, store: Store) -> Database:
        programs = binaries.within_reach(binaries.postgres_bin(), self._account, self._cache)
        spec = PostgresSpec(store.name, self._base.folder / store.name, store.address, programs, self._account)
        sources = self._sources(store, [other for parts in self._laid.regions() for other in parts.databases])
        return Database(store.region, Postgres(spec, self._base.processes), sources, self._waited_for(store))

    def _waited_for(self, store: Store) -> str:
        synchronous = self._laid.config.replication == "sync" and store.region == self._laid.home.region
        return self._laid.standby.databases[0].name if synchronous else ""

    def _node(self, store: Store) -> CacheNode:
        program = binaries.within_reach(binaries.redis_server(), self._account, self._cache)
        spec = CacheSpec(store.name, self._base.folder / store.name, store.address, program, self._account)
        sources = self._sources(store, [other for parts in self._laid.regions() for other in parts.caches])
        return CacheNode(store.region, Cache(spec, self._base.processes), sources)

    def _sources(self, store: Store, others: Iterable[Store]) -> dict[str, Source]:
        return {
            other.id: Source(other.address, self._laid.route(store, other), data_of(self._base.folder / other.name))
            for other in others
            if other is not store
        }

    async def start(self, links: Awaitable[Linking]) -> None:
        """All databases and caches, with all others following the first at home, and the service's tables."""
        home, *others = self._servers.values()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._start_caches(links))
            await home.postgres.init_primary(self._cache)
            copied = [group.create_task(other.postgres.init_standby(self._cache)) for other in others]
            await home.postgres.start()
            tables = group.create_task(prepare(home.postgres.dsn))
            self._linking = await links
            await asyncio.gather(*copied)
            await asyncio.gather(*map(self._start_following, others))
            await tables
            await home.hold_back()
        for stores in (self.databases, self.caches):
            stores.started()

    async def _start_following(self, database: Database) -> None:
        await database.follow(self.databases.primary(), diverged=False)
        await database.postgres.wait_streaming()

    async def _start_caches(self, links: Awaitable[Linking]) -> None:
        await links
        first, *others = self._nodes.values()
        await first.lead()
        await asyncio.gather(*(node.follow(self.caches.primary(), diverged=False) for node in others))

    async def _lead(self, kind: str, region: str, server: str) -> None:
        """Let the ways to the stores of ``kind`` in ``region`` lead to ``server``."""
        (store,) = (store for store in self._laid.stores() if (store.kind, store.id) == (kind, server))
        name = f"{kind}-{region}"
        if self._linking is not None:
            await self._linking.turn(name, store.address, ())
            for zone in self._laid.region(region).zones:
                await self._linking.turn(way(zone, name), store.address, crossing(zone, store))

    async def run(self) -> None:
        """Keep who writes as it should be, and the AWS API told of it, until cancelled."""
        base, laid = self._base, self._laid
        told = Synchronization(self.databases, self._servers, base.session, f"{url(laid.aws_admin)}/facts", base.clock)
        await asyncio.gather(self.databases.run(), self.caches.run(), told.run())

    async def lose(self, regions: frozenset[str]) -> None:
        """The stores of exactly ``regions`` are gone when this returns; the others come back."""
        await asyncio.gather(self.databases.lose(regions), self.caches.lose(regions))

    def told(self, parts: Iterable[Part]) -> list[Part]:
        """``parts``, with the roles of data stores as their states."""
        return [replace(part, state=self._role(part)) if part.pid else part for part in parts]

    def _role(self, part: Part) -> str:
        stores = {"postgres": self.databases, "redis": self.caches}.get(part.kind)
        return part.state if stores is None else str(stores.role(self._stores[part.name].id))

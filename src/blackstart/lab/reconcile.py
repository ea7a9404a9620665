"""Makes what the AWS API holds real: cut zones, instances, who writes. Driven by the API's changes, and a slow poll.

Level-triggered: what was changed tells only what to read again; the whole of that is read and handed on, so nothing
depends on having seen every change.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError

from blackstart.clock import Clock
from blackstart.errors import LabError, ServiceUnreachable
from blackstart.lab.linking import Linking
from blackstart.lab.manifests import NodeFacts
from blackstart.lab.topology import control_plane

_log = logging.getLogger("blackstart.lab.reconcile")
POLL_SECONDS, RETRY_SECONDS = 10.0, 0.5
NETWORK, NODES, DATABASE, CACHE = "ec2", frozenset({"ec2", "autoscaling", "eks"}), "rds", "elasticache"
EVERYTHING = NODES | {DATABASE, CACHE}
NodesByRegion = Mapping[str, Mapping[str, NodeFacts]]


class Reader(Protocol):
    """The AWS API's state. All block, and raise botocore's errors."""

    def cut_zones(self) -> frozenset[str]: ...

    def nodes(self) -> NodesByRegion:
        """Instances that exist, running or not, as nodes by name."""
        ...

    def writer_region(self) -> str: ...

    def cache_region(self) -> str: ...


class Placed(Protocol):
    """Whatever follows the nodes and the cuts of one region: kubelets, node objects."""

    def place(self, nodes: Mapping[str, NodeFacts], cut: frozenset[str]) -> None: ...


class Stores(Protocol):
    """Whatever follows who writes."""

    def want(self, writer: str) -> None: ...


@dataclass(frozen=True)
class Actors:
    """Who makes it so. ``placed`` by region; ``databases`` and ``caches`` follow the writer's region."""

    linking: Linking
    placed: Mapping[str, tuple[Placed, ...]]
    databases: Stores
    caches: Stores


@dataclass
class _Known:
    cut_zones: frozenset[str] = frozenset()
    nodes: NodesByRegion = field(default_factory=dict)
    unreachable: frozenset[str] = frozenset()
    in_force: frozenset[str] | None = None


class Reconciler:
    """Hands what ``reader`` sees to ``actors``; ``router_admin`` is the URL that tells of changes."""

    def __init__(
        self, reader: Reader, actors: Actors, session: aiohttp.ClientSession, router_admin: str, clock: Clock
    ) -> None:
        self._reader = reader
        self._actors = actors
        self._session = session
        self._changes = f"{router_admin}/changes"
        self._clock = clock
        self._known = _Known()
        self._cutting = asyncio.Lock()
        self._seq = 0

    async def run(self) -> None:
        """Reconcile until cancelled."""
        stale: frozenset[str] = EVERYTHING
        while True:
            try:
                await self.once(stale)
                stale = await self._changed_services()
            except (ServiceUnreachable, LabError, BotoCoreError, ClientError) as error:
                _log.warning("%s; trying again", error)
                stale = EVERYTHING
                await self._clock.pause(RETRY_SECONDS)

    async def once(self, stale: frozenset[str] = EVERYTHING) -> None:
        """Read what the services ``stale`` hold, and make it so. Cuts come first: they are what cannot wait."""
        known, reader = self._known, self._reader
        if NETWORK in stale:
            known.cut_zones = await asyncio.to_thread(reader.cut_zones)
            await self._cut()
        if stale & NODES:
            known.nodes = await asyncio.to_thread(reader.nodes)
        if stale & (NODES | {NETWORK}):
            for region, followers in self._actors.placed.items():
                for follower in followers:
                    follower.place(known.nodes.get(region, {}), known.cut_zones)
        if DATABASE in stale:
            self._actors.databases.want(await asyncio.to_thread(reader.writer_region))
        if CACHE in stale:
            self._actors.caches.want(await asyncio.to_thread(reader.cache_region))

    async def cut_control_planes(self, regions: frozenset[str]) -> None:
        """The Kubernetes APIs of exactly ``regions`` are unreachable when this returns."""
        self._known.unreachable = frozenset(control_plane(region) for region in regions)
        await self._cut()

    async def _cut(self) -> None:
        async with self._cutting:
            wanted = self._known.cut_zones | self._known.unreachable
            if wanted != self._known.in_force:
                await self._actors.linking.cut(wanted)
                _log.info("cut off: %s", ", ".join(sorted(wanted)) or "nothing")
                self._known.in_force = wanted

    async def _changed_services(self) -> frozenset[str]:
        """The services that were changed, after waiting for one that matters here; all of them now and then."""
        query = {"since": str(self._seq), "wait": str(POLL_SECONDS)}
        timeout = aiohttp.ClientTimeout(total=POLL_SECONDS + 5.0)
        try:
            async with self._session.get(self._changes, params=query, timeout=timeout) as answer:
                told: dict[str, Any] = await answer.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ServiceUnreachable("follow the AWS API's changes", self._changes, f"failed ({error!r})") from error
        self._seq = told["seq"]
        return frozenset(service for _, service, *_ in told["services"]) or EVERYTHING

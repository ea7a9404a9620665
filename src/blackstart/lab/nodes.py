"""Instances as Kubernetes nodes: registered, kept alive by heartbeats, and removed when their instance is gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC

from blackstart.clock import Clock
from blackstart.errors import ServiceUnreachable
from blackstart.lab import manifests
from blackstart.lab.cluster import Cluster
from blackstart.lab.manifests import NodeFacts

_log = logging.getLogger("blackstart.lab.kubelet")
HEARTBEAT_SECONDS, STATUS_EVERY = 1.0, 5
NODES = f"{manifests.CORE}/nodes"


class Nodes:
    """The nodes of one region, as their API server should know them."""

    def __init__(self, cluster: Cluster, clock: Clock, kubelet_port: int = 0) -> None:
        """``kubelet_port``: where the API server reaches the kubelets; 0 if it need not."""
        self._cluster = cluster
        self._clock = clock
        self._port = kubelet_port
        self._nodes: dict[str, NodeFacts] = {}
        self._cut: frozenset[str] = frozenset()
        self._registered: set[str] = set()
        self._beats: dict[str, int] = {}
        self._wake = asyncio.Event()

    def place(self, nodes: Mapping[str, NodeFacts], cut: frozenset[str]) -> None:
        """The nodes of this region, and the zones that are cut, from now on."""
        self._nodes, self._cut = dict(nodes), cut
        self._wake.set()

    def registered(self) -> bool:
        """Whether the API knows every node that runs, and there are some."""
        return bool(self._nodes) and {n.name for n in self._nodes.values() if n.running} <= self._registered

    async def run(self) -> None:
        """Keep the API told until cancelled."""
        while True:
            self._wake.clear()
            alive = [n for n in self._nodes.values() if n.running and n.kubelet and n.zone not in self._cut]
            for silent in self._beats.keys() - {node.name for node in alive}:
                del self._beats[silent]
            gone = self._registered - self._nodes.keys()
            await asyncio.gather(*(self._beat(node) for node in alive), *(self._remove(name) for name in gone))
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _beat(self, node: NodeFacts) -> None:
        now = self._clock.now().astimezone(UTC)
        beat = self._beats.get(node.name, 0)
        lease = manifests.lease(node.name, now.isoformat(timespec="microseconds").replace("+00:00", "Z"))
        try:
            if node.name not in self._registered:
                await self._cluster.create(NODES, node.manifest(self._port))
                await self._cluster.create(manifests.LEASES, lease)
                self._registered.add(node.name)
            elif not await self._cluster.merge(f"{manifests.LEASES}/{node.name}", {"spec": lease["spec"]}):
                self._registered.discard(node.name)
                return
            if beat % STATUS_EVERY == 0:
                status = node.status(now.isoformat(timespec="seconds").replace("+00:00", "Z"), self._port)
                await self._cluster.call(
                    "PATCH", f"{NODES}/{node.name}/status", status, content=manifests.STRATEGIC, accepts=(404,)
                )
        except ServiceUnreachable as error:
            _log.info("node %s: %s", node.name, error)
            return
        self._beats[node.name] = beat + 1

    async def _remove(self, name: str) -> None:
        try:
            await self._cluster.delete(f"{NODES}/{name}")
            await self._cluster.delete(f"{manifests.LEASES}/{name}")
        except ServiceUnreachable as error:
            _log.info("node %s: %s", name, error)
            return
        self._registered.discard(name)

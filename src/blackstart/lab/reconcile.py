"""Makes what the AWS API holds real: cut zones, instances, who writes. Driven by the API's changes, and a slow poll.

Level-triggered: what was changed tells only what to read again; the whole of that is read and handed on, so nothing
depends on having seen every change.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError

from blackstart.clock import Clock
from blackstart.errors import LabError, ServiceUnreachable
from blackstart.lab.linking import Linking
from blackstart.lab.manifests import NodeFacts
from blackstart.lab.stores import Led
from blackstart.lab.topology import control_plane

_log = logging.getLogger("blackstart.lab.reconcile")
POLL_SECONDS, RETRY_SECONDS = 10.0, 0.5
NODES, DATABASE, CACHE = frozenset({"ec2", "autoscaling", "eks"}), frozenset({"rds"}), frozenset({"elasticache"})
NETWORK, TRAFFIC = frozenset({"ec2"}), frozenset({"arc-zonal-shift", "elasticloadbalancing"})
KUBELETS = frozenset({"ssm"})
SWITCHOVER, FAILOVER = "SwitchoverGlobalCluster", "FailoverGlobalCluster"
MOVES = frozenset({SWITCHOVER, FAILOVER})
OF_NETWORKS = ("NetworkAcl", "Subnet", "Vpc")
"""In the names of EC2's operations that change networks; the others change instances."""

_Change = tuple[str, str, str]  # service, region, operation
NodesByRegion = Mapping[str, Mapping[str, NodeFacts]]


class Reader(Protocol):
    """The AWS API's state. All block, and raise botocore's errors."""

    def cut_zones(self, region: str) -> frozenset[str]: ...

    def closed_zones(self, region: str) -> frozenset[str]:
        """Zones that the region's load balancer sends nothing to."""
        ...

    def nodes(self) -> NodesByRegion:
        """Instances that exist, running or not, as nodes by name."""
        ...

    def silent_instances(self, region: str) -> frozenset[str]:
        """Ids of running instances whose kubelet does not run."""
        ...

    def databases(self) -> Led: ...

    def caches(self) -> Led: ...


class Placed(Protocol):
    """Whatever follows the nodes and the cuts of one region: kubelets, node objects."""

    def place(self, nodes: Mapping[str, NodeFacts], cut: frozenset[str]) -> None: ...


class Stores(Protocol):
    """Whatever follows who leads."""

    def want(self, led: Led, *, orderly: bool) -> None: ...


class Entrance(Protocol):
    """Whatever follows where traffic is let in."""

    def close(self, region: str, zones: frozenset[str]) -> None:
        """Exactly ``zones`` of ``region`` get no new requests from now on."""
        ...


@dataclass(frozen=True)
class Actors:
    """Who makes it so. ``placed`` by region; ``databases`` and ``caches`` follow who leads them."""

    linking: Linking
    placed: Mapping[str, tuple[Placed, ...]]
    databases: Stores
    caches: Stores
    entrance: Entrance


@dataclass
class _Known:
    cut_zones: dict[str, frozenset[str]] = field(default_factory=dict)  # by region
    nodes: NodesByRegion = field(default_factory=dict)
    silent: dict[str, frozenset[str]] = field(default_factory=dict)  # ids of instances, by region
    unreachable: frozenset[str] = frozenset()
    in_force: frozenset[str] | None = None
    writer: str = ""  # its region
    moves: frozenset[str] = frozenset()  # operations that may have moved it since it was read
    unexplained: str = ""  # a region that was seen to be the writer's, nobody said how


@dataclass(frozen=True)
class _Stale:
    """What has to be read again."""

    services: frozenset[str]
    regions: frozenset[str]
    operations: frozenset[str] = frozenset()


class Reconciler:
    """Hands what ``reader`` sees to ``actors``; ``router_admin`` is the URL that tells of changes.

    Each is followed on its own: nothing slower keeps it waiting.
    """

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
        self._regions = frozenset(actors.placed)

    async def run(self) -> None:
        """Reconcile until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(NETWORK, self.network))
            group.create_task(self._follow(TRAFFIC, self.traffic))
            group.create_task(self._follow(NODES, self.nodes))
            group.create_task(self._follow(DATABASE, self.databases))
            group.create_task(self._follow(CACHE, self.caches))
            group.create_task(self._follow(KUBELETS, self.kubelets))

    async def _follow(self, services: frozenset[str], work: Callable[[_Stale], Awaitable[None]]) -> None:
        everything = stale = _Stale(services, self._regions)
        seq = 0
        while True:
            try:
                if stale.services:
                    await work(stale)
                seq, changes = await self._changed(seq)
                stale = _stale(changes, services) if changes else everything
            except (ServiceUnreachable, LabError, BotoCoreError, ClientError) as error:
                _log.warning("%s; trying again", error)
                stale = everything
                await self._clock.pause(RETRY_SECONDS)

    async def network(self, stale: _Stale) -> None:
        """Cut off what is behind closed network ACLs in the regions that are stale."""
        known = self._known
        for region in sorted(stale.regions & self._regions):
            known.cut_zones[region] = await asyncio.to_thread(self._reader.cut_zones, region)
            await self._cut()
        if known.nodes:
            self._place()

    async def traffic(self, stale: _Stale) -> None:
        """Let traffic into the zones that the load balancers of stale regions send to, and no others."""
        for region in sorted(stale.regions & self._regions):
            self._actors.entrance.close(region, await asyncio.to_thread(self._reader.closed_zones, region))

    async def kubelets(self, stale: _Stale) -> None:
        """Let the nodes of stale regions speak and obey whose kubelets run, and no others."""
        for region in sorted(stale.regions & self._regions):
            self._known.silent[region] = await asyncio.to_thread(self._reader.silent_instances, region)
        if self._known.nodes:
            self._place()

    async def nodes(self, stale: _Stale) -> None:
        """Follow the nodes."""
        self._known.nodes = await asyncio.to_thread(self._reader.nodes)
        self._place()

    async def databases(self, stale: _Stale) -> None:
        """Follow who writes, and which servers are restarted."""
        self._known.moves |= stale.operations & MOVES
        self._follow_writer(await asyncio.to_thread(self._reader.databases))

    async def caches(self, stale: _Stale) -> None:
        """The same of the caches, which never wait for an heir."""
        self._actors.caches.want(await asyncio.to_thread(self._reader.caches), orderly=False)

    def _follow_writer(self, led: Led) -> None:
        """A writer may be seen to have moved just before we are told how; without the word of it, it stays for now."""
        known = self._known
        if known.moves or known.writer in ("", led.region) or known.unexplained == led.region:
            orderly = known.moves == {SWITCHOVER}
            known.writer, known.unexplained, known.moves = led.region, "", frozenset()
            self._actors.databases.want(led, orderly=orderly)
        else:
            known.unexplained = led.region

    def _place(self) -> None:
        known = self._known
        for region, followers in self._actors.placed.items():
            cut, silent = known.cut_zones.get(region, frozenset()), known.silent.get(region, frozenset())
            found = known.nodes.get(region, {})
            nodes = {name: replace(node, kubelet=node.instance not in silent) for name, node in found.items()}
            for follower in followers:
                follower.place(nodes, cut)

    async def cut_control_planes(self, regions: frozenset[str]) -> None:
        """The Kubernetes APIs of exactly ``regions`` are unreachable when this returns."""
        self._known.unreachable = frozenset(control_plane(region) for region in regions)
        await self._cut()

    async def _cut(self) -> None:
        async with self._cutting:
            wanted = frozenset().union(*self._known.cut_zones.values(), self._known.unreachable)
            if wanted != self._known.in_force:
                await self._actors.linking.cut(wanted)
                _log.info("cut off: %s", ", ".join(sorted(wanted)) or "nothing")
                self._known.in_force = wanted

    async def _changed(self, seq: int) -> tuple[int, list[_Change]]:
        """The changes after number ``seq``, and the last one's number; none after a while without any."""
        query = {"since": str(seq), "wait": str(POLL_SECONDS)}
        timeout = aiohttp.ClientTimeout(total=POLL_SECONDS + 5.0)
        try:
            async with self._session.get(self._changes, params=query, timeout=timeout) as answer:
                told: dict[str, Any] = await answer.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ServiceUnreachable("follow the AWS API's changes", self._changes, f"failed ({error!r})") from error
        return told["seq"], [(service, region, operation) for _, service, region, operation in told["services"]]


def _stale(changes: list[_Change], services: frozenset[str]) -> _Stale:
    """What ``changes`` make stale, of what a follower of ``services`` reads. Pure."""
    ours = [change for change in changes if change[0] in services and _matters(change, services)]
    return _Stale(*(frozenset(change[place] for change in ours) for place in range(3)))


def _matters(change: _Change, services: frozenset[str]) -> bool:
    service, _, operation = change
    if service != "ec2":
        return True
    return any(word in operation for word in OF_NETWORKS) == (services == NETWORK)

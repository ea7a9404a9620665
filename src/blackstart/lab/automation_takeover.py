"""What the fail-over automation does to the standby region: make it the primary, and give back what that took.

How large the region was before stands in annotations of the deployment, so that a later life of the process, which
finishes the fail-over, knows it as well.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable

from blackstart.errors import ServiceUnreachable
from blackstart.lab.automation_events import Events
from blackstart.lab.automation_region import Region
from blackstart.lab.automation_spec import AutomationSpec, State

WARM_HIT_RATIO = 0.9
LOOK_AGAIN_SECONDS = 0.2
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 2.0
REPLICAS, NODES = "blackstart.lab/replicas-before", "blackstart.lab/nodes-before-"

_log = logging.getLogger("blackstart.lab.automation")


class Takeover:
    """One fail-over and its end. ``promoted`` is set when the database's writer was first seen in this region."""

    def __init__(self, spec: AutomationSpec, region: Region, events: Events, state: State) -> None:
        self.promoted = asyncio.Event()
        self._spec = spec
        self._region = region
        self._events = events
        self._state = state

    async def fail_over(self) -> None:
        """Make this region the primary; returns when all of it is done."""
        self._state.state, self._state.steps = "failing-over", {}
        async with asyncio.TaskGroup() as group:
            for name, step in (("promote", self._promote), ("scale", self._scale), ("warm", self._warm)):
                group.create_task(self._persist(name, step))
        self._state.state = "done"
        _log.info("%s is the primary region", self._region.name)

    async def stand_down(self) -> None:
        """Give the deployment and the node groups their former sizes; returns when that is asked for."""
        self._state.steps = {}
        await self._persist("release", self._release)

    async def _persist(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        """Do ``step`` again, ever more slowly, until it works."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            self._state.steps.setdefault(name, "running")
            try:
                await step()
            except ServiceUnreachable as error:
                self._state.steps[name] = str(error)
                _log.warning("%s: %s", name, error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                self._state.steps[name] = "done"
                return

    async def _promote(self) -> None:
        spec, region = self._spec, self._region
        if not self.promoted.is_set():  # a later try must not take the writer back from home
            await region.fail_over_database(spec.global_cluster)
            await until(lambda: region.database_is_writer(spec.global_cluster))
            self.promoted.set()
        await until(region.takes_orders)
        self._events.tell("DatabasePromoted", f"the database in {region.name} is the writer of {spec.global_cluster}")

    async def _scale(self) -> None:
        spec, region = self._spec, self._region
        await asyncio.gather(
            *(self._grow_node_group(name, nodes) for name, nodes in spec.node_groups), self._grow_deployment()
        )

        async def enough() -> bool:
            return (await region.replicas(spec.deployment_path))[1] >= spec.replicas

        await until(enough)
        self._events.tell("CapacityScaled", f"{spec.replicas} replicas of {spec.deployment} are ready in {region.name}")

    async def _grow_node_group(self, name: str, nodes: int) -> None:
        cluster, region = self._spec.cluster, self._region
        sizes = await region.node_group(cluster, name)
        if sizes["desiredSize"] < nodes:
            await self._remember(NODES + name, json.dumps(sizes))
            wanted = {**sizes, "desiredSize": nodes, "maxSize": max(nodes, sizes["maxSize"])}
            await region.resize_node_group(cluster, name, wanted)

    async def _grow_deployment(self) -> None:
        path, region = self._spec.deployment_path, self._region
        wanted, _ = await region.replicas(path)
        if wanted < self._spec.replicas:
            await self._remember(REPLICAS, str(wanted))
            await region.scale_deployment(path, self._spec.replicas)

    async def _remember(self, name: str, value: str) -> None:
        """Keep how it was before, unless that is known already: then it is ours by now."""
        if name not in await self._region.annotations(self._spec.deployment_path):
            await self._region.annotate(self._spec.deployment_path, {name: value})

    async def _warm(self) -> None:
        spec, region = self._spec, self._region
        await region.fail_over_cache(spec.cache_global_id)
        await until(lambda: region.cache_is_primary(spec.cache_global_id))
        while (ratio := await region.hit_ratio(spec.products)) < WARM_HIT_RATIO:
            self._state.steps["warm"] = f"the cache has {ratio:.0%} of the products"
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        self._events.tell("CacheWarmed", f"the cache in {region.name} has {ratio:.0%} of the products")

    async def _release(self) -> None:
        """Pods first, so that those that stay are not on a node that goes, where that can be helped."""
        path, region = self._spec.deployment_path, self._region
        known = await region.annotations(path)
        if REPLICAS in known:
            await region.scale_deployment(path, int(known[REPLICAS]))
        groups = {name.removeprefix(NODES): json.loads(sizes) for name, sizes in known.items() if NODES in name}
        for name, sizes in groups.items():
            await region.resize_node_group(self._spec.cluster, name, sizes)
        await region.annotate(path, {name: None for name in known if name == REPLICAS or NODES in name})
        self._events.tell("CapacityReleased", f"{self._spec.deployment} in {region.name} has its former size again")


async def until(holds: Callable[[], Awaitable[bool]], pause_seconds: float = LOOK_AGAIN_SECONDS) -> None:
    """Return as soon as ``holds`` says so, asking every ``pause_seconds``."""
    while True:
        if await holds():
            return
        await asyncio.sleep(pause_seconds)

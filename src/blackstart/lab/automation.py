"""The platform's own fail-over automation, which drills put to the test. It lives in the standby region.

It asks the home region's gateway again and again whether the service is healthy. After enough failures in a row, and
only if it reaches its own region's APIs (else it may itself be what is cut off), it waits for the time that a decision
takes and then, once, makes this region the primary: promotes the database and the cache, scales nodes and pods up,
warms the cache. DNS moves by itself, by its health check. What it does it tells in Kubernetes Events: PrimaryUnhealthy,
FailoverDecided, DatabasePromoted, CapacityScaled, CacheWarmed (and PrimaryRecovered when it changes its mind in time).

GET /healthz; GET /state → {"state": watching | deciding | failing-over | done, "failures", "problem", "steps"}.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from blackstart.clock import Clock, SystemClock
from blackstart.errors import ServiceUnreachable
from blackstart.lab.automation_events import Events
from blackstart.lab.automation_region import Region
from blackstart.lab.cluster import Cluster
from blackstart.lab.serving import answering

WARM_HIT_RATIO = 0.9
LOOK_AGAIN_SECONDS = 0.2
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 2.0

_log = logging.getLogger("blackstart.lab.automation")


@dataclass(frozen=True)
class AutomationSpec:
    """Where it listens, what it watches and what it makes of the standby region. Times in seconds.

    ``health_url`` is the home region's, all other URLs are the standby region's. A check fails when it is not answered
    with 200 within ``check_timeout_seconds``; allow for the way between the regions. ``node_groups`` are the least
    sizes after a fail-over, ``replicas`` those of the deployment, ``products`` what the cache is warmed with.
    """

    host: str
    port: int
    home_region: str
    standby_region: str
    aws_url: str
    kube_url: str
    health_url: str
    gateway_url: str
    check_interval_seconds: float = 0.5
    check_timeout_seconds: float = 0.5
    failures_to_decide: int = 4
    decide_seconds: float = 1.0
    namespace: str = "shop"
    deployment: str = "orders"
    replicas: int = 6
    cluster: str = "shop-us-west-2"
    node_groups: tuple[tuple[str, int], ...] = (("on-demand", 3), ("spot", 2))
    global_cluster: str = "shop"
    cache_global_id: str = "ldgnf-shop"
    products: int = 500

    @property
    def deployment_path(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{self.deployment}"


@dataclass
class State:
    """What the automation is doing. ``steps`` maps a step to "running", "done" or its last problem."""

    state: str = "watching"
    failures: int = 0
    problem: str = ""
    steps: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        return {"state": self.state, "failures": self.failures, "problem": self.problem, "steps": self.steps}


async def serve(spec: AutomationSpec, clock: Clock | None = None) -> None:
    """Watch, and fail over when it comes to that, until cancelled. OSError if the port is taken."""
    async with aiohttp.ClientSession() as http:
        cluster = Cluster(http, spec.kube_url)
        region = Region(spec.standby_region, spec.aws_url, cluster, spec.gateway_url, http)
        events = Events(cluster, spec.namespace, spec.deployment, clock or SystemClock())
        automation = Automation(spec, region, events, http)
        await asyncio.to_thread(region.connect)
        try:
            async with answering(automation.application(), spec.host, spec.port), asyncio.TaskGroup() as group:
                group.create_task(events.write_forever())
                group.create_task(automation.run())
        finally:
            region.close()


class Automation:
    """Watches, decides, fails over once."""

    def __init__(self, spec: AutomationSpec, region: Region, events: Events, http: aiohttp.ClientSession) -> None:
        self.state = State()
        self._spec = spec
        self._region = region
        self._events = events
        self._http = http

    def application(self) -> web.Application:
        """What it answers about itself."""

        async def healthz(_: web.Request) -> web.Response:
            return web.json_response({"ok": True})

        async def state(_: web.Request) -> web.Response:
            return web.json_response(self.state.as_json())

        app = web.Application()
        app.router.add_get("/healthz", healthz)
        app.router.add_get("/state", state)
        return app

    async def run(self) -> None:
        """The whole life of it; returns when this region is the primary."""
        if not await self._took_over_already():
            while not await self._unhealthy_for_good():
                pass
            home, here = self._spec.home_region, self._spec.standby_region
            self._events.tell("FailoverDecided", f"{here} takes over from {home}", warning=True)
        self.state.state = "failing-over"
        await self._fail_over()
        self.state.state = "done"
        _log.info("%s is the primary region", self._spec.standby_region)

    async def _took_over_already(self) -> bool:
        """Whether an earlier life of this process began a fail-over, which then wants to be finished."""
        try:
            return await self._region.database_is_writer(self._spec.global_cluster)
        except ServiceUnreachable:
            return False

    async def _unhealthy_for_good(self) -> bool:
        """Wait until the primary is unhealthy; True if it still is after the pause for a decision."""
        self.state.state = "watching"
        reason = await self._unhealthy()
        home, count = self._spec.home_region, self.state.failures
        _log.warning("%s is unhealthy: %s", home, reason)
        self._events.tell("PrimaryUnhealthy", f"{home} failed {count} health checks: {reason}", warning=True)
        self.state.state = "deciding"
        if await self._recovers_within(self._spec.decide_seconds):
            self._events.tell("PrimaryRecovered", f"{home} is healthy again; nothing was done")
            return False
        return True

    async def _unhealthy(self) -> str:
        """Returns the last reason once there were enough failures in a row and our own side works."""
        loop = asyncio.get_running_loop()
        self.state.failures = 0
        while True:
            next_at = loop.time() + self._spec.check_interval_seconds
            reason = await self._check()
            self.state.failures = self.state.failures + 1 if reason else 0
            enough = self.state.failures >= self._spec.failures_to_decide
            ours = await self._own_problem() if enough else ""
            self.state.problem = f"{reason}; but not failing over: {ours}" if ours else reason
            if enough and not ours:
                return reason
            await asyncio.sleep(next_at - loop.time())

    async def _recovers_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await _until(self._healthy, self._spec.check_interval_seconds)
                return True
        except TimeoutError:
            return False

    async def _healthy(self) -> bool:
        return not await self._check()

    async def _check(self) -> str:
        """Why the home region is not healthy; "" if it is."""
        timeout = aiohttp.ClientTimeout(total=self._spec.check_timeout_seconds)
        try:
            async with self._http.get(self._spec.health_url, timeout=timeout) as answer:
                return "" if answer.status == 200 else f"HTTP status {answer.status}"
        except TimeoutError:
            return "no answer in time"
        except (aiohttp.ClientError, OSError) as error:
            return str(error)

    async def _own_problem(self) -> str:
        """Which of this region's APIs does not answer; "" if all do."""
        try:
            await self._region.replicas(self._spec.deployment_path)
            await self._region.database_is_writer(self._spec.global_cluster)
        except ServiceUnreachable as error:
            return str(error)
        return ""

    async def _fail_over(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._persist("promote", self._promote))
            group.create_task(self._persist("scale", self._scale))
            group.create_task(self._persist("warm", self._warm))

    async def _persist(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        """Do ``step`` again, ever more slowly, until it works."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            self.state.steps.setdefault(name, "running")
            try:
                await step()
            except ServiceUnreachable as error:
                self.state.steps[name] = str(error)
                _log.warning("%s: %s", name, error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                self.state.steps[name] = "done"
                return

    async def _promote(self) -> None:
        spec, region = self._spec, self._region
        await region.fail_over_database(spec.global_cluster)
        await _until(lambda: region.database_is_writer(spec.global_cluster))
        await _until(region.takes_orders)
        self._events.tell("DatabasePromoted", f"the database in {region.name} is the writer of {spec.global_cluster}")

    async def _scale(self) -> None:
        spec, region = self._spec, self._region
        await asyncio.gather(
            *(region.grow_node_group(spec.cluster, name, nodes) for name, nodes in spec.node_groups),
            region.grow_deployment(spec.deployment_path, spec.replicas),
        )

        async def enough() -> bool:
            return (await region.replicas(spec.deployment_path))[1] >= spec.replicas

        await _until(enough)
        self._events.tell("CapacityScaled", f"{spec.replicas} replicas of {spec.deployment} are ready in {region.name}")

    async def _warm(self) -> None:
        spec, region = self._spec, self._region
        await region.fail_over_cache(spec.cache_global_id)
        await _until(lambda: region.cache_is_primary(spec.cache_global_id))
        while (ratio := await region.hit_ratio(spec.products)) < WARM_HIT_RATIO:
            self.state.steps["warm"] = f"the cache has {ratio:.0%} of the products"
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        self._events.tell("CacheWarmed", f"the cache in {region.name} has {ratio:.0%} of the products")


async def _until(holds: Callable[[], Awaitable[bool]], pause_seconds: float = LOOK_AGAIN_SECONDS) -> None:
    """Return as soon as ``holds`` says so, asking every ``pause_seconds``."""
    while True:
        if await holds():
            return
        await asyncio.sleep(pause_seconds)

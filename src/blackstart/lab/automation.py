"""The platform's own fail-over automation, which drills put to the test. It lives in the standby region.

It asks the home region's gateway again and again whether the service is healthy. After enough failures in a row, and
only if it reaches its own region's APIs (else it may itself be what is cut off), it waits for the time that a decision
takes and then makes this region the primary: promotes the database and the cache, scales nodes and pods up, warms the
cache. DNS moves by itself, by its health check. Once the writer is back in a healthy home region, whoever moved it, it
watches again, and gives back the capacity when users have had the time to leave.

Where the ConfigMap ``failover`` of its namespace says ``mode: manual``, it tells what it sees and leaves the decision
to people. What it does it tells in Kubernetes Events: PrimaryUnhealthy, FailoverDecided, DatabasePromoted,
CapacityScaled, CacheWarmed, PrimaryRestored, CapacityReleased (and PrimaryRecovered when home is healthy again before
anything was done).

GET /healthz; GET /state → {"state": watching | deciding | left to people | failing-over | done, "failures",
"problem", "steps"}.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web

from blackstart.clock import Clock, SystemClock
from blackstart.errors import ServiceUnreachable
from blackstart.lab.automation_events import Events
from blackstart.lab.automation_region import Region
from blackstart.lab.automation_spec import AutomationSpec, State
from blackstart.lab.automation_takeover import Takeover, until
from blackstart.lab.cluster import Cluster
from blackstart.lab.serving import answering

__all__ = ["Automation", "AutomationSpec", "serve"]

_log = logging.getLogger("blackstart.lab.automation")


async def serve(spec: AutomationSpec, clock: Clock | None = None) -> None:
    """Watch, and fail over whenever it comes to that, until cancelled. OSError if the port is taken."""
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
    """Watches, decides, takes over, stands down, and watches again."""

    def __init__(self, spec: AutomationSpec, region: Region, events: Events, http: aiohttp.ClientSession) -> None:
        self.state = State()
        self._spec = spec
        self._region = region
        self._events = events
        self._http = http
        self._release: asyncio.Task[None] | None = None

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
        """The whole life of it; never returns."""
        under_way = await self._took_over_already()
        async with asyncio.TaskGroup() as group:
            while True:
                if not under_way:
                    while not await self._unhealthy_for_good():
                        pass
                    home, here = self._spec.home_region, self._spec.standby_region
                    self._events.tell("FailoverDecided", f"{here} takes over from {home}", warning=True)
                under_way = False
                if self._release:
                    self._release.cancel()  # what was to be given back is needed again
                takeover = await self._be_the_primary()
                self._release = group.create_task(self._stand_down(takeover))

    async def _took_over_already(self) -> bool:
        """Whether an earlier life of this process began a fail-over, which then wants to be finished."""
        try:
            here = await self._region.database_is_writer(self._spec.global_cluster)
            return here and not await self._left_to_people()
        except ServiceUnreachable:
            return False

    async def _be_the_primary(self) -> Takeover:
        """Take over, until the writer has gone home again, whatever was still to be done here."""
        takeover = Takeover(self._spec, self._region, self._events, self.state)
        async with asyncio.TaskGroup() as group:
            work = group.create_task(takeover.fail_over())
            await takeover.promoted.wait()
            await self._restored()
            work.cancel()
        self._events.tell("PrimaryRestored", f"{self._spec.home_region} is healthy and has the writer again")
        _log.info("%s is the primary region again", self._spec.home_region)
        return takeover

    async def _restored(self) -> None:
        """Wait until the writer is home, and home has been healthy as often in a row as it takes to be unhealthy."""
        healthy = 0
        while healthy < self._spec.failures_to_decide:
            await asyncio.sleep(self._spec.check_interval_seconds)
            healthy = healthy + 1 if await self._writer_is_home() and await self._healthy() else 0

    async def _writer_is_home(self) -> bool:
        try:
            return not await self._region.database_is_writer(self._spec.global_cluster)
        except ServiceUnreachable:
            return False

    async def _stand_down(self, takeover: Takeover) -> None:
        """Give the capacity back once users have had the time to leave; nobody tells us when they have."""
        await asyncio.sleep(self._spec.release_seconds)
        await takeover.stand_down()

    async def _unhealthy_for_good(self) -> bool:
        """Wait until the primary is unhealthy; True if it still is after the pause for a decision."""
        self.state.state = "watching"
        reason = await self._unhealthy()
        home, count = self._spec.home_region, self.state.failures
        _log.warning("%s is unhealthy: %s", home, reason)
        self._events.tell("PrimaryUnhealthy", f"{home} failed {count} health checks: {reason}", warning=True)
        self.state.state = "deciding"
        if not await self._recovers_within(self._spec.decide_seconds) and not await self._left_until_healthy():
            return True
        self._events.tell("PrimaryRecovered", f"{home} is healthy again; nothing was done")
        return False

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
                await until(self._healthy, self._spec.check_interval_seconds)
                return True
        except TimeoutError:
            return False

    async def _left_until_healthy(self) -> bool:
        """While people decide: wait until home is healthy again, then True; False as soon as we may decide."""
        while True:
            try:
                if not await self._left_to_people():
                    return False
            except ServiceUnreachable as error:
                self.state.problem = str(error)  # who cannot ask must not decide
            self.state.state = "left to people"
            if await self._healthy():
                return True
            await asyncio.sleep(self._spec.check_interval_seconds)

    async def _left_to_people(self) -> bool:
        return await self._region.config_value(self._spec.mode_path, "mode") == "manual"

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
        calls: tuple[Callable[[], Awaitable[object]], ...] = (
            lambda: self._region.replicas(self._spec.deployment_path),
            lambda: self._region.database_is_writer(self._spec.global_cluster),
        )
        try:
            for call in calls:
                await call()
        except ServiceUnreachable as error:
            return str(error)
        return ""

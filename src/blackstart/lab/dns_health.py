"""Route 53's health checks: real requests to real endpoints, and the verdict that DNS goes by.

An endpoint changes its state after FailureThreshold checks in a row that say otherwise, starting out healthy. One
checker here stands for all of Route 53's; they agree because they share one machine. Everything runs ``time_scale``
times faster than configured. Source: Route 53 developer guide, "How Amazon Route 53 determines whether a health check
is healthy".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from blackstart.clock import Clock, iso

CONNECT_SECONDS = 4.0
RESPONSE_SECONDS = 2.0
# Below this, a scaled-down time-out would measure how busy this machine is.
LEAST_TIMEOUT_SECONDS = 0.5
SEARCHED_BYTES = 5120

_log = logging.getLogger("blackstart.lab.dns")


@dataclass(frozen=True)
class Endpoint:
    """What is checked and how. ``type`` is Route 53's: HTTP, HTTPS, …_STR_MATCH, TCP; intervals in seconds."""

    type: str
    host: str
    port: int
    path: str
    host_header: str
    search: str
    interval_seconds: float
    threshold: int


@dataclass(frozen=True)
class Check:
    """One health check. CALCULATED ones have ``children`` and no endpoint, RECOVERY_CONTROL ones the ARN of a routing
    ``control``; others that we cannot make have none of them."""

    id: str
    endpoint: Endpoint | None
    inverted: bool
    disabled: bool
    children: tuple[str, ...] = ()
    least_children: int = 0
    control: str = ""


def from_api(found: Mapping[str, Any]) -> Check:
    """The check of one entry of ListHealthChecks."""
    config = found["HealthCheckConfig"]
    kind = config["Type"]
    host = config.get("IPAddress") or config.get("FullyQualifiedDomainName", "")
    endpoint = None
    if kind.removesuffix("_STR_MATCH") in {"HTTP", "HTTPS", "TCP"} and host:
        endpoint = Endpoint(
            type=kind,
            host=host,
            port=int(config.get("Port") or (443 if kind.startswith("HTTPS") else 80)),
            path=config.get("ResourcePath") or "/",
            host_header=config.get("FullyQualifiedDomainName", ""),
            search=config.get("SearchString", ""),
            interval_seconds=float(config.get("RequestInterval") or 30),
            threshold=int(config.get("FailureThreshold") or 3),
        )
    return Check(
        id=found["Id"],
        endpoint=endpoint,
        inverted=bool(config.get("Inverted", False)),
        disabled=bool(config.get("Disabled", False)),
        children=tuple(config.get("ChildHealthChecks") or ()),
        least_children=int(config.get("HealthThreshold") or 0),
        control=config.get("RoutingControlArn", ""),
    )


class Tally:
    """The state of one endpoint, from the results of its checks. Pure."""

    def __init__(self, threshold: int) -> None:
        self.healthy = True
        self._threshold = threshold
        self._against = 0

    def note(self, ok: bool) -> bool:
        """Count one result; True if the state changed with it."""
        self._against = 0 if ok == self.healthy else self._against + 1
        if self._against < self._threshold:
            return False
        self.healthy, self._against = ok, 0
        return True


class HealthChecks:
    """All health checks of the account. ``update`` starts and stops checkers in the running event loop."""

    def __init__(self, clock: Clock, time_scale: float) -> None:
        self._clock = clock
        self._time_scale = time_scale
        self._checks: dict[str, Check] = {}
        self._checkers: dict[str, _Checker] = {}
        self._controls: Mapping[str, bool] = {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0), auto_decompress=False
        )

    def update(self, checks: Iterable[Check]) -> None:
        """Go by these from now on. An endpoint that did not change keeps its state."""
        self._checks = {check.id: check for check in checks}
        for id_, checker in list(self._checkers.items()):
            if id_ not in self._checks or self._checks[id_].endpoint != checker.endpoint:
                checker.stop()
                del self._checkers[id_]
        for check in self._checks.values():
            if check.endpoint and check.id not in self._checkers:
                self._checkers[check.id] = _Checker(
                    check.id, check.endpoint, self._session, self._clock, self._time_scale
                )

    @property
    def follows_controls(self) -> bool:
        """Whether any check follows a routing control."""
        return any(check.control for check in self._checks.values())

    def switch(self, controls: Mapping[str, bool]) -> None:
        """Whether each routing control (ARN) is On, from now on."""
        self._controls = dict(controls)

    def healthy(self, id_: str) -> bool:
        """What DNS goes by: the endpoint's state, "healthy" if disabled, and the opposite if inverted.

        A check that does not exist counts as healthy.
        """
        check = self._checks.get(id_)
        if check is None:
            return True
        return (check.disabled or self._observed(check)) != check.inverted

    def report(self) -> dict[str, dict[str, object]]:
        """By id: ``healthy`` as checkers see it, ``effective`` as DNS goes by it, ``since`` (UTC) and ``reason``."""
        return {
            check.id: {
                "healthy": self._observed(check),
                "effective": self.healthy(check.id),
                "since": self._checkers[check.id].since if check.id in self._checkers else "",
                "reason": self._reason(check),
            }
            for check in self._checks.values()
        }

    async def close(self) -> None:
        """Stop checking."""
        for checker in self._checkers.values():
            checker.stop()
        await asyncio.gather(*(checker.task for checker in self._checkers.values()), return_exceptions=True)
        await self._session.close()

    def _reason(self, check: Check) -> str:
        if check.control:
            state = {True: "On", False: "Off", None: "in a state that is not known yet"}[
                self._controls.get(check.control)
            ]
            return f"its routing control is {state}"
        return self._checkers[check.id].reason if check.id in self._checkers else "no endpoint is checked"

    def _observed(self, check: Check) -> bool:
        if check.control:
            return self._controls.get(check.control, True)
        if check.children:
            # One level only, as a circle would never end.
            simple = [child for child in check.children if child in self._checks and not self._checks[child].children]
            return sum(map(self.healthy, simple)) >= check.least_children
        checker = self._checkers.get(check.id)
        return checker.tally.healthy if checker else True


class _Checker:
    def __init__(
        self, id_: str, endpoint: Endpoint, session: aiohttp.ClientSession, clock: Clock, time_scale: float
    ) -> None:
        self.endpoint = endpoint
        self.tally = Tally(endpoint.threshold)
        self.reason = "not checked yet"
        self.since = iso(clock.now())
        self._id = id_
        self._session = session
        self._clock = clock
        self._interval = endpoint.interval_seconds / time_scale
        self._connect_seconds = max(CONNECT_SECONDS / time_scale, LEAST_TIMEOUT_SECONDS)
        self._response_seconds = max(RESPONSE_SECONDS / time_scale, LEAST_TIMEOUT_SECONDS)
        self.task = asyncio.create_task(self._check_forever())

    def stop(self) -> None:
        self.task.cancel()

    async def _check_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            next_at = loop.time() + self._interval
            ok, self.reason = await self._check()
            if self.tally.note(ok):
                self.since = iso(self._clock.now())
                _log.info("health check %s is %s: %s", self._id, "healthy" if ok else "unhealthy", self.reason)
            await asyncio.sleep(next_at - loop.time())

    async def _check(self) -> tuple[bool, str]:
        try:
            return await (self._connect() if self.endpoint.type == "TCP" else self._request())
        except TimeoutError:
            return False, "no answer in time"
        except (OSError, aiohttp.ClientError) as error:
            return False, f"{type(error).__name__}: {error}"

    async def _connect(self) -> tuple[bool, str]:
        async with asyncio.timeout(self._connect_seconds):
            _, writer = await asyncio.open_connection(self.endpoint.host, self.endpoint.port)
        writer.close()
        return True, "connected"

    async def _request(self) -> tuple[bool, str]:
        kind, at = self.endpoint.type, self.endpoint
        scheme = "https" if kind.startswith("HTTPS") else "http"
        async with self._session.get(
            f"{scheme}://{at.host}:{at.port}{at.path}",
            headers={"Host": at.host_header} if at.host_header else None,
            allow_redirects=False,
            ssl=False,
            timeout=aiohttp.ClientTimeout(
                total=self._connect_seconds + self._response_seconds,
                sock_connect=self._connect_seconds,
                sock_read=self._response_seconds,
            ),
        ) as answer:
            if not 200 <= answer.status < 400:
                return False, f"HTTP status {answer.status}"
            if kind.endswith("_STR_MATCH") and at.search.encode() not in await answer.content.read(SEARCHED_BYTES):
                return False, f"HTTP status {answer.status}, without the search string"
            return True, f"HTTP status {answer.status}"

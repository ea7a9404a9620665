"""A load that a Locust master of yours carries: started and stopped by its web API, and watched through it.

It gets an end of its own in the very call that starts it, so that nothing goes on when nobody is left to stop it.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Protocol

from blackstart.clock import Clock
from blackstart.errors import Refused, ServiceUnreachable
from blackstart.load.plan import Plan

ASK_SECONDS = 5.0
MOST_SILENT_LOOKS = 20
NOT_ALLOWED = 405
IDLE = ("ready", "stopped")


class _MethodNotAllowed(ServiceUnreachable):
    """The path is there, but not for this HTTP method."""


class Recording(Protocol):
    """``record.Recorder``."""

    def point(self, at: float, users: int, held: int | None, requests: int, failures: int) -> None: ...

    def end(self, requests: int, failures: int, percentiles: list[float]) -> None: ...


class External:
    """The load of ``plan`` by the master at ``plan.master``. What it did is told to ``recorder``."""

    def __init__(self, plan: Plan, recorder: Recording) -> None:
        self._plan = plan
        self._recorder = recorder
        self._begun = False
        self._silent = ""
        self._looks_without = 0
        self._last: dict[str, Any] = {}

    def begin(self) -> None:
        """Start it; Refused if somebody's load is running there, ServiceUnreachable if the master does not obey."""
        plan = self._plan
        state = str(self._ask("/stats/requests").get("state"))
        if state not in IDLE:
            raise Refused("loading the service", f"the Locust master {plan.master} is {state}: somebody uses it")
        self._begun = True
        told = self._ask(
            "/swarm",
            {
                "user_count": plan.users,
                "spawn_rate": f"{plan.users_per_second:g}",
                "host": f"http://{plan.host}:{plan.port}",
                "run_time": f"{plan.limit_seconds:.0f}s",
            },
        )
        if told.get("success") is not True:
            raise ServiceUnreachable("load the service", plan.master, f"answered: {told.get('message', told)}")

    def look(self, clock: Clock) -> None:
        """Ask how it is, and write it down."""
        try:
            told = self._ask("/stats/requests")
        except ServiceUnreachable as error:
            self._looks_without += 1
            if self._looks_without >= MOST_SILENT_LOOKS:
                self._silent = str(error)
            return
        self._looks_without, self._last = 0, told
        requests, failures = _totals(told)
        self._recorder.point(clock.monotonic(), int(told.get("user_count", 0)), None, requests, failures)

    def problem(self) -> str:
        """Why it ended by itself; "" while it did not."""
        if self._last.get("state") in IDLE:
            return f"the Locust master {self._plan.master} is {self._last['state']}"
        return self._silent

    def end(self, clock: Clock, *, at_once: bool = False) -> None:
        """Stop it, if we started it; ServiceUnreachable if the master does not obey. How is its own business."""
        if not self._begun:
            return
        total = _aggregated(self._last)
        tail = [float(total.get(name) or 0) / 1000 for name in _PERCENTILES] if total.get("num_requests") else []
        self._recorder.end(*_totals(self._last), tail)
        try:
            self._ask("/stop", {})
        except _MethodNotAllowed:  # what stops it was a GET before it became a POST
            self._ask("/stop")

    def _ask(self, path: str, form: dict[str, Any] | None = None) -> dict[str, Any]:
        url = self._plan.master.rstrip("/") + path
        body = urllib.parse.urlencode(form).encode() if form is not None else None
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body), timeout=ASK_SECONDS) as answer:
                told = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            kind = _MethodNotAllowed if error.code == NOT_ALLOWED else ServiceUnreachable
            with error:
                raise kind("use the Locust master", url, f"did not obey ({error})") from error
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise ServiceUnreachable("use the Locust master", url, f"did not answer ({error})") from error
        return told if isinstance(told, dict) else {}


_PERCENTILES = ("median_response_time", "response_time_percentile_0.95", "response_time_percentile_0.99")


def _aggregated(told: dict[str, Any]) -> dict[str, Any]:
    return next((row for row in told.get("stats") or () if row.get("name") == "Aggregated"), {})


def _totals(told: dict[str, Any]) -> tuple[int, int]:
    row = _aggregated(told)
    return int(row.get("num_requests", 0)), int(row.get("num_failures", 0))

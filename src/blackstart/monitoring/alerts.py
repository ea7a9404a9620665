"""Looks at alerts while the client plays the users, and notes when each is seen to fire, and to end.

Polled, each source on its own: one that hangs delays nobody else. In ``events.jsonl``, of the kind ``alert``: name,
source (``alertmanager``, ``prometheus`` or ``cloudwatch`` and a region), state (``inactive``, ``pending``, ``firing``;
``suppressed``: it fires, and people are not told; ``resolved``: it has ceased to fire; ``unknown``: it could not be
asked), before (the state until then, "" for none), since (the source's own time of it, ISO 8601, where it tells one),
asked (when the look that saw it was asked), last (when the last look that could be answered before was asked), problem
(of unknown). With ``state`` as ``before``: it still is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from blackstart.clock import Clock, iso
from blackstart.errors import BlackstartError, ServiceUnreachable
from blackstart.monitoring import alertmanager, cloudwatch, web
from blackstart.monitoring.prometheus import Prometheus, alerts_query
from blackstart.monitoring.web import Endpoint
from blackstart.monitoring_settings import CLOUDWATCH_POLL_SECONDS, Monitoring, alarm_name
from blackstart.monitoring_settings import cloudwatch as source_of

KIND = "alert"
INACTIVE, PENDING, FIRING, SUPPRESSED = "inactive", "pending", "firing", "suppressed"
RESOLVED, UNKNOWN = "resolved", "unknown"
ACTIVE = (FIRING, SUPPRESSED)
REPEAT_SECONDS = 30.0


class Log(Protocol):
    """Where events go: `observer.events.EventLog`."""

    def now(self) -> float: ...

    def add(self, kind: str, **fields: Any) -> None: ...


@dataclass(frozen=True)
class Seen:
    """One look at one alert."""

    state: str
    since: datetime | None = None
    problem: str = ""


Look = Callable[[], Mapping[str, Seen]]
"""The alerts of a source that are not inactive, by name; blocks; ServiceUnreachable if it cannot be told."""


@dataclass(frozen=True)
class Source:
    """Who tells of the alerts ``names``."""

    name: str
    names: tuple[str, ...]
    look: Look
    pause_seconds: float
    prepare: Callable[[], None] = lambda: None


def sources(monitoring: Monitoring) -> list[Source]:
    """Everything that `Monitoring.expected` names. Asks nothing yet."""
    found: list[Source] = []
    if monitoring.alerts and monitoring.alertmanager:
        endpoint = endpoint_of(monitoring, "Alertmanager")
        held = lambda: of_alertmanager(alertmanager.alerts(endpoint, monitoring.alerts))  # noqa: E731
        found.append(Source("alertmanager", monitoring.alerts, held, monitoring.poll_seconds))
    if monitoring.alerts and monitoring.prometheus:
        prometheus, query = Prometheus(endpoint_of(monitoring, "Prometheus")), alerts_query(monitoring.alerts)
        active = lambda: of_prometheus(prometheus.labels(query, "look at its alerts"))  # noqa: E731
        found.append(Source("prometheus", monitoring.alerts, active, monitoring.poll_seconds))
    for region in sorted({alarm.region for alarm in monitoring.cloudwatch_alarms}):
        found.append(_of_region(monitoring, region))
    return found


def endpoint_of(monitoring: Monitoring, name: str) -> Endpoint:
    """The Endpoint called ``name``: Prometheus or Alertmanager."""
    url = monitoring.prometheus if name == "Prometheus" else monitoring.alertmanager
    return Endpoint(name, url, monitoring.token_file, monitoring.headers)


def of_alertmanager(held: Sequence[alertmanager.Held]) -> dict[str, Seen]:
    """One alert may be held for several sets of labels: it fires if people are told of one of them. Pure."""
    found: dict[str, Seen] = {}
    for alert in sorted(held, key=lambda alert: (alert.told, alert.since), reverse=True):
        known = found.get(alert.name)
        if known is None or (known.state == FIRING) == alert.told:
            found[alert.name] = Seen(FIRING if alert.told else SUPPRESSED, alert.since)  # the oldest comes last
    return found


def of_prometheus(labels: Sequence[Mapping[str, str]]) -> dict[str, Seen]:
    """From the labels of ``ALERTS``: firing, if it is for any set of labels, else pending. Pure."""
    found: dict[str, Seen] = {}
    for each in labels:
        name = each.get("alertname", "")
        if name not in found or each.get("alertstate") == FIRING:
            found[name] = Seen(FIRING if each.get("alertstate") == FIRING else PENDING)
    return found


def _of_region(monitoring: Monitoring, region: str) -> Source:
    alarms = {
        alarm.name: alarm_name(alarm, monitoring.cloudwatch_alarms)
        for alarm in monitoring.cloudwatch_alarms
        if alarm.region == region
    }
    clients: list[Any] = []

    def prepare() -> None:
        if not clients:
            clients.append(cloudwatch.client(region))

    def look() -> dict[str, Seen]:
        prepare()
        states = cloudwatch.alarms(clients[0], region, alarms)
        gone = sorted(set(alarms) - {alarm.name for alarm in states})
        if gone:
            raise ServiceUnreachable(f"look at alarm {gone[0]}", f"CloudWatch of {region}", "has no such alarm")
        firing = {True: FIRING, False: SUPPRESSED}
        return {alarms[a.name]: Seen(firing[a.acts], a.since) for a in states if a.state == cloudwatch.ALARM}

    name = source_of(next(alarm for alarm in monitoring.cloudwatch_alarms if alarm.region == region))
    return Source(name, tuple(alarms.values()), look, max(monitoring.poll_seconds, CLOUDWATCH_POLL_SECONDS), prepare)


class Alert:
    """What one source says of one alert, look by look."""

    def __init__(self, name: str, source: str, log: Log) -> None:
        self._name = name
        self._source = source
        self._log = log
        self._state = ""
        self._asked: float | None = None
        self._answered: float | None = None
        self._noted = 0.0

    def see(self, seen: Seen, asked: float) -> None:
        """One look, that was asked at ``asked``."""
        ended = seen.state == INACTIVE and self._state in (*ACTIVE, RESOLVED)
        state = RESOLVED if ended else seen.state
        if state != self._state or asked - self._noted >= REPEAT_SECONDS:
            self._note(state, asked, seen)
        self._state, self._asked = state, asked
        if state != UNKNOWN:
            self._answered = asked

    def close(self) -> None:
        """Say what it was to the last."""
        if self._asked is not None:
            self._note(self._state, self._asked, Seen(self._state))

    def _note(self, state: str, asked: float, seen: Seen) -> None:
        more = {"since": iso(seen.since)} if seen.since else {}
        why = {"problem": seen.problem} if seen.problem else {}
        self._log.add(
            KIND, name=self._name, source=self._source, state=state, before=self._state, asked=asked,
            last=self._answered, **more, **why,
        )  # fmt: skip
        self._noted = asked


class Alerts:
    """All alerts that ``monitoring`` names, each source at the same time."""

    def __init__(self, monitoring: Monitoring, log: Log, clock: Clock) -> None:
        self._sources = sources(monitoring)
        self._log = log
        self._clock = clock

    async def prepare(self) -> None:
        """What would disturb the client if it were done while it plays: load boto3 and the HTTP client."""
        await asyncio.gather(*(asyncio.to_thread(source.prepare) for source in self._sources))
        if self._sources:
            await asyncio.to_thread(web.load)

    async def run(self) -> None:
        """Look until cancelled; then say what each alert was to the last."""
        await asyncio.gather(*(self._poll(source) for source in self._sources))

    async def _poll(self, source: Source) -> None:
        alerts = {name: Alert(name, source.name, self._log) for name in source.names}
        try:
            while True:
                asked = self._log.now()
                try:
                    seen = await asyncio.to_thread(source.look)
                except BlackstartError as error:
                    seen = dict.fromkeys(alerts, Seen(UNKNOWN, problem=str(error)))
                for name, alert in alerts.items():
                    alert.see(seen.get(name, Seen(INACTIVE)), asked)
                await self._clock.pause(source.pause_seconds)
        finally:
            for alert in alerts.values():
                alert.close()

"""What monitoring saw of a drill beside what its users saw: asked for when the drill is over, and read ever after.

``monitoring.json`` holds everything that was asked for, so that a journal needs no server to be understood.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blackstart.clock import Clock
from blackstart.errors import JournalUnwritable
from blackstart.journals import folder as folders
from blackstart.journals.folder import Drill, write_json
from blackstart.journals.users import Users
from blackstart.monitoring import cloudwatch, model
from blackstart.monitoring.collect import Span, collect
from blackstart.monitoring.compare import Trouble, not_served, trouble
from blackstart.monitoring.detection import Detection, Outcome, detections, expected_in
from blackstart.monitoring.detection import Drill as Watched
from blackstart.monitoring.model import Point, Record, Signal
from blackstart.monitoring_settings import Monitoring
from blackstart.observer.events import Event
from blackstart.observer.samples import Samples

SHARES = ("served", "failed")
USERS_SECONDS = 1.0
"""What users saw is counted by the second, whatever monitoring can tell apart."""


@dataclass(frozen=True)
class Seen:
    """One signal that tells of users not served, and what it said of the time since the fault; None: nothing."""

    signal: Signal
    trouble: Trouble | None


@dataclass(frozen=True)
class Monitored:
    """``record`` is None where ``no_record`` says why. ``users`` is in the same terms as ``seen``; None if nobody knows
    what users saw, or without a fault. ``points``: the share of requests not served, by the second."""

    record: Record | None
    no_record: str
    users: Trouble | None = None
    points: tuple[Point, ...] = ()
    seen: tuple[Seen, ...] = ()
    alerts: tuple[Detection, ...] = ()

    @property
    def first(self) -> Seen | None:
        """The signal that sentences are about: the first that has a value after the fault, else the first."""
        told = (seen for seen in self.seen if seen.trouble is not None)
        return next(told, self.seen[0] if self.seen else None)

    @property
    def noticed(self) -> Detection | None:
        """The first alert that fired after the fault."""
        fired = [alert for alert in self.alerts if alert.outcome is Outcome.FIRED and alert.fired is not None]
        return min(fired, key=lambda alert: alert.fired or 0.0, default=None)


def record(journal: Path, monitoring: Monitoring, clock: Clock) -> None:
    """Ask monitoring for all of the drill up to now and keep what it says; nothing if nothing is configured.

    Neither a service that does not answer nor a journal that cannot be written ends in an error.
    """
    if not monitoring.asks:
        return
    drill = folders.read_drill(journal)

    def now() -> float:
        return clock.monotonic() - drill.origin_monotonic

    found = collect(monitoring, Span(drill.started, 0.0, now(), now), _kept_clients())
    with contextlib.suppress(JournalUnwritable):
        write_json(journal / folders.MONITORING, found.to_json())


def monitored(  # noqa: PLR0917
    kept: Mapping[str, Any] | None,
    events: Sequence[Event],
    users: Users | None,
    drill: Drill,
    span: tuple[float | None, float],
    damaged: list[str],
) -> Monitored | None:
    """``kept``: ``monitoring.json``; ``span``: the fault, and the end of what was watched. None: nobody asked."""
    found, why = _parsed(kept, damaged)
    expected = found.expected if found else expected_in(events)
    if found is None and not expected and not why:
        return None
    fault_at, end = span
    if fault_at is None:
        return Monitored(found, why)
    watched = Watched(drill.started, fault_at, end)
    points = users_points(users.samples, users.start, users.end) if users else ()
    signals = [signal for signal in (found.signals if found else ()) if signal.means in SHARES]
    return Monitored(
        record=found,
        no_record=why,
        users=trouble(points, fault_at, points[0].end - points[0].start if points else 0.0),
        points=points,
        seen=tuple(_seen(each, fault_at, end) for each in signals),
        alerts=detections(expected, events, found, watched),
    )


def _seen(signal: Signal, fault_at: float, end: float) -> Seen:
    """Until users were last watched: what comes later has nothing to be compared with."""
    watched = [point for point in not_served(signal) if point.start < end]
    return Seen(signal, trouble(watched, fault_at, signal.resolution_seconds))


def _parsed(kept: Mapping[str, Any] | None, damaged: list[str]) -> tuple[Record | None, str]:
    if kept is None:
        torn = next((each for each in damaged if each.startswith(folders.MONITORING)), "")
        return None, torn and "what it said cannot be read"
    try:
        return model.parse(kept), ""
    except ValueError as error:
        damaged.append(f"{folders.MONITORING}: {error}")
        return None, "what it said cannot be read"


def users_points(samples: Samples, start: float, end: float) -> tuple[Point, ...]:
    """The share of requests not served, by the second in which they were due, from ``start`` to ``end``.

    A second in which the observer itself sent too late, or nothing, has no value.
    """
    import numpy as np

    width = max(USERS_SECONDS, samples.gap)
    many = max(int((end - start) / width), 1)
    place = np.floor((samples.intended - start) / width)
    inside = samples.observed & (place >= 0) & (place < many)
    counted = place[inside].astype(np.intp)
    seen = np.bincount(counted, minlength=many)
    failed = np.bincount(counted, weights=~samples.ok[inside], minlength=many)
    return tuple(
        Point(start + width * index, start + width * (index + 1), float(bad / whole) if whole else None)
        for index, (bad, whole) in enumerate(zip(failed, seen, strict=True))
    )


def _kept_clients() -> Any:
    """CloudWatch's client of a region, made once."""
    made: dict[str, Any] = {}

    def client(region: str) -> Any:
        if region not in made:
            made[region] = cloudwatch.client(region)
        return made[region]

    return client

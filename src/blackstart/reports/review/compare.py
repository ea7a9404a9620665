"""What drills promised and measured, beside what happened. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from blackstart.journals import numbers
from blackstart.journals.index import Row
from blackstart.reports.review.cover import Covered, Drill
from blackstart.reports.review.incident import Incident

Json = Any
LEEWAY = 1.1  # what differs by less is "as in a drill": incidents are written down to the minute


@dataclass(frozen=True)
class Metric:
    """One number that drills and incidents share. ``unit`` is seconds, latency (also in seconds), share or writes.

    ``judged``: whether an incident's can be held against a drill's objective.
    """

    key: str
    title: str
    unit: str
    at_most: bool = True
    judged: bool = True

    def text(self, value: float) -> str:
        if math.isinf(value):
            return "did not recover"
        if self.unit == "writes":
            return numbers.count(round(value))
        if self.unit == "share":
            return numbers.share_percent(value)
        return numbers.latency(value) if self.unit == "latency" else numbers.seconds(value)

    def goal(self, value: float) -> str:
        """``≤ 60 s``."""
        sign = "≤" if self.at_most else "≥"
        if self.unit == "writes":
            return f"{sign}{numbers.NBSP}{numbers.count(round(value))}"
        shown = {"share": numbers.share_goal, "latency": numbers.latency_goal}.get(self.unit, numbers.seconds_goal)
        return f"{sign}{numbers.NBSP}{shown(value)}"

    def breaks(self, value: float, target: float) -> bool:
        return value > target if self.at_most else value < target


METRICS = (
    Metric("rto_seconds", "Recovery time", "seconds"),
    Metric("time_to_detect_seconds", "Time to detect", "seconds"),
    Metric("longest_outage_seconds", "Longest outage", "seconds"),
    Metric("error_budget_share", "Downtime", "seconds"),
    Metric("lost_writes", "Lost writes", "writes"),
    Metric("rpo_seconds", "Data age", "seconds"),
    Metric("availability", "Availability", "share", at_most=False, judged=False),  # a drill's has its calm time in it
    Metric("p95_seconds", "Latency p95", "latency"),
    Metric("p99_seconds", "Latency p99", "latency"),
)


@dataclass(frozen=True)
class Line:
    """One metric. None: not measured, not known, or no objective. ``worst_of`` is the drill with the worst value, of
    ``measured`` ones. ``reading`` is words."""

    metric: Metric
    promised: float | None
    newest: float | None
    newest_met: bool | None
    worst: float | None
    worst_of: Drill | None
    measured: int
    happened: float | None
    reading: str

    @property
    def broken(self) -> bool | None:
        """Whether what happened breaks what was promised; None: one of them is not known, or they do not compare."""
        if self.happened is None or self.promised is None or not self.metric.judged:
            return None
        return self.metric.breaks(self.happened, self.promised)


def compare(incident: Incident, covered: Covered) -> tuple[Line, ...]:
    """A line for each metric that the incident or a drill of this failure tells."""
    lines = (_line(metric, incident, covered) for metric in METRICS)
    return tuple(line for line in lines if line.happened is not None or line.measured or line.promised is not None)


def happened(incident: Incident, key: str) -> float | None:
    """The incident's own number for ``key``; None if it is not said."""
    lost = incident.data_loss.lost_writes
    told = {
        "rto_seconds": incident.hurt_seconds,
        "time_to_detect_seconds": incident.detected_seconds,
        "longest_outage_seconds": incident.longest_outage_seconds,
        "error_budget_share": _downtime(incident),
        "lost_writes": None if lost is None else float(lost),
        "rpo_seconds": 0.0 if lost == 0 else incident.data_loss.rpo_seconds,
        "availability": incident.availability,
        "p95_seconds": incident.p95_seconds,
        "p99_seconds": incident.p99_seconds,
    }
    return told[key]


def _downtime(incident: Incident) -> float | None:
    """Seconds, as if nobody had been served for so long."""
    if incident.availability is None or incident.hurt_seconds is None:
        return None
    return (1 - incident.availability) * incident.hurt_seconds


def measured(row: Row, key: str) -> float | None:
    """A drill's number for ``key``; infinite: it was proven not to recover."""
    objective = row.objectives.get(key, {})
    if key == "rto_seconds":
        gone = row.rto_seconds is None and objective.get("met") is False
        return math.inf if gone else row.rto_seconds
    if key == "time_to_detect_seconds":
        seen = number(objective.get("measured"))
        return seen if seen is not None else _detect_step(row)
    if key == "error_budget_share":
        return number(objective.get("measured"))
    return number(getattr(row, key))


def target(row: Row, key: str) -> float | None:
    """What a drill had to keep; None: it had no such objective."""
    return number(row.objectives.get(key, {}).get("target"))


def met(row: Row, key: str) -> bool | None:
    found = row.objectives.get(key, {}).get("met")
    return found if isinstance(found, bool) else None


def number(value: Json) -> float | None:
    """A finite number out of JSON that somebody else may have written; None for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def _detect_step(row: Row) -> float | None:
    for step in row.steps:
        if step.get("name") == "detect" and step.get("status") == "inside":
            return number(step.get("seconds"))
    return None


def _line(metric: Metric, incident: Incident, covered: Covered) -> Line:
    same = covered.same
    values = [(value, drill) for drill in same if (value := measured(drill.row, metric.key)) is not None]
    worst = (max if metric.at_most else min)(values, key=lambda each: each[0]) if values else (None, None)
    newest = covered.newest
    ours = happened(incident, metric.key)
    return Line(
        metric,
        promised=target(newest.row, metric.key) if newest else None,
        newest=measured(newest.row, metric.key) if newest else None,
        newest_met=met(newest.row, metric.key) if newest else None,
        worst=worst[0],
        worst_of=worst[1],
        measured=len(values),
        happened=ours,
        reading=_reading(metric, ours, [value for value, _ in values], bool(same)),
    )


def _reading(metric: Metric, ours: float | None, values: Sequence[float], drilled: bool) -> str:
    if ours is None:
        return "not said of the incident"
    if not values:
        return "never measured in a drill" if drilled else "never drilled"
    if not metric.judged:
        return "not comparable: a drill counts its calm time, too"
    worst = max(values) if metric.at_most else min(values)
    if ours <= worst * LEEWAY if worst else ours == 0:
        return "as in a drill" if ours * LEEWAY >= min(values) else "less than in any drill"
    if worst == 0:
        return "worse: none in any drill" if metric.unit == "writes" else "worse: there was none in any drill"
    return f"worse: {_times(ours / worst)} the worst drill"


def _times(ratio: float) -> str:
    return f"{ratio:.1f} ×" if ratio < 10 else f"{numbers.count(round(ratio))} ×"

"""Asks monitoring, once a drill is over, for what it saw of it. Blocks for as long as the services take.

What cannot be had is a problem in the record, never an error: a drill ends in order without its monitoring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from blackstart.errors import BlackstartError
from blackstart.monitoring import cloudwatch
from blackstart.monitoring.alerts import FIRING, endpoint_of
from blackstart.monitoring.model import Firing, Point, Record, Signal, points
from blackstart.monitoring.prometheus import MOST_POINTS, Prometheus, Series, alerts_query
from blackstart.monitoring_settings import CloudWatchMetric, Monitoring, alarm_name
from blackstart.monitoring_settings import cloudwatch as source_of

MEANS = {"availability": "served", "latency": "latency", "error_budget": "error_budget"}
SLACK = 1.5  # a share of rates may come out a little above 1; a percentage comes out far above it
ALERT_STEP_SECONDS = 1.0


@dataclass(frozen=True)
class Span:
    """What is asked for: seconds since the drill's origin, which was at ``origin``. ``now``: the present, likewise."""

    origin: datetime
    start: float
    end: float
    now: Callable[[], float]

    def wall(self, at: float) -> datetime:
        return self.origin + timedelta(seconds=at)


def collect(monitoring: Monitoring, span: Span, clients: Callable[[str], Any]) -> Record:
    """The record of a drill. ``clients`` gives CloudWatch's client of a region; ConfigInvalid is a problem as well."""
    signals: list[Signal] = []
    firings: list[Firing] = []
    problems: dict[str, str] = {}
    if monitoring.prometheus and (monitoring.signals or monitoring.alerts):
        _ask_prometheus(monitoring, span, signals, firings, problems)
    signals += (_metric(metric, span, clients) for metric in monitoring.cloudwatch)
    _ask_alarms(monitoring, span, clients, firings, problems)
    return Record(span.start, span.end, tuple(signals), tuple(firings), monitoring.expected, problems)


def _ask_prometheus(
    monitoring: Monitoring, span: Span, signals: list[Signal], firings: list[Firing], problems: dict[str, str]
) -> None:
    prometheus = Prometheus(endpoint_of(monitoring, "Prometheus"))
    try:
        shift, problem = clock_shift(prometheus, span), ""
    except BlackstartError as error:
        shift, problem = span.origin.timestamp(), str(error)
    for name, query in monitoring.signals.items():
        step = max(monitoring.step_seconds, (span.end - span.start) / MOST_POINTS)
        empty = Signal(name, str(prometheus.endpoint), MEANS[name], query, step, problem=problem)
        signals.append(empty if problem else _series(prometheus, empty, span, shift))
    if monitoring.alerts:
        problems["prometheus"] = problem or _firings(prometheus, monitoring, span, shift, firings)


def clock_shift(prometheus: Prometheus, span: Span) -> float:
    """What to add to a moment of the drill to get it on Prometheus' clock, in seconds; half a round trip exact."""
    before = span.now()
    told = prometheus.now()
    return told - (before + span.now()) / 2


def moments(span: Span, step: float) -> list[float]:
    """When to ask for a value: each speaks for the ``step`` seconds before. The last one is at the end."""
    many = max(int((span.end - span.start) / step), 1)
    return [span.end - step * (many - 1 - index) for index in range(many)]


def _series(prometheus: Prometheus, empty: Signal, span: Span, shift: float) -> Signal:
    step = empty.resolution_seconds
    asked = moments(span, step)
    try:
        found = prometheus.range(empty.query, [at + shift for at in asked], f"ask for {empty.name}")
    except BlackstartError as error:
        return _with(empty, problem=str(error))
    if len(found) != 1:
        what = "no series" if not found else f"{len(found)} series where one is needed, so aggregate it"
        return _with(empty, problem=f"the query gives {what}")
    return checked(_with(empty, points(asked, found[0].values, step)))


def checked(signal: Signal) -> Signal:
    """``signal``, or why it is no share where it should be one. Pure."""
    if signal.means == "latency":
        return signal
    known = [point.value for point in signal.points if point.value is not None]
    wrong = next((value for value in known if value > SLACK or (value < 0 and signal.means != "error_budget")), None)
    if wrong is not None:
        return _with(signal, problem=f"it gives {wrong:g}, which is no share between 0 and 1")
    return _with(
        signal, tuple(Point(p.start, p.end, None if p.value is None else min(p.value, 1.0)) for p in signal.points)
    )


def _firings(prometheus: Prometheus, monitoring: Monitoring, span: Span, shift: float, firings: list[Firing]) -> str:
    """Adds what Prometheus remembers of alerts; why it cannot be read, else ""."""
    step = max(ALERT_STEP_SECONDS, (span.end - span.start) / MOST_POINTS)
    asked = moments(span, step)
    try:
        found = prometheus.range(alerts_query(monitoring.alerts), [at + shift for at in asked], "read its alerts")
    except BlackstartError as error:
        return str(error)
    for name in monitoring.alerts:
        firings += _stretches(name, [each for each in found if _fires(each, name)], asked, step)
    return ""


def _fires(series: Series, name: str) -> bool:
    return series.labels.get("alertname") == name and series.labels.get("alertstate") == FIRING


def _stretches(name: str, found: list[Series], asked: list[float], step: float) -> Iterator[Firing]:
    """Where any of the series has a value."""
    began: float | None = None
    for index, at in enumerate(asked):
        fires = any(series.values[index] is not None for series in found)
        if fires and began is None:
            began = at
        elif not fires and began is not None:
            yield Firing(name, "prometheus", began, at, step)
            began = None
    if began is not None:
        yield Firing(name, "prometheus", began, None, step)


def _metric(metric: CloudWatchMetric, span: Span, clients: Callable[[str], Any]) -> Signal:
    of = f" / {metric.of}" if metric.of else ""
    query = f"{metric.statistic} of {metric.namespace} {metric.metric}{of}"
    width = float(metric.period_seconds)
    empty = Signal(metric.name, f"CloudWatch of {metric.region}", metric.means, query, width)
    try:
        found = cloudwatch.values(clients(metric.region), metric, (span.wall(span.start), span.wall(span.end)))
    except BlackstartError as error:
        return _with(empty, problem=str(error))
    if not found:
        return _with(empty, problem="CloudWatch has no value of it in this time (some come minutes later)")
    values = {(at - span.origin).total_seconds(): value for at, value in found.items()}
    first, last = min(values), max(values)
    starts = [first + width * index for index in range(round((last - first) / width) + 1)]
    return checked(_with(empty, tuple(Point(at, at + width, values.get(at)) for at in starts)))


def _ask_alarms(
    monitoring: Monitoring,
    span: Span,
    clients: Callable[[str], Any],
    firings: list[Firing],
    problems: dict[str, str],
) -> None:
    for alarm in monitoring.cloudwatch_alarms:
        source, name = source_of(alarm), alarm_name(alarm, monitoring.cloudwatch_alarms)
        try:
            within = (span.wall(span.start), span.wall(span.end))
            changes = cloudwatch.transitions(clients(alarm.region), alarm.region, alarm.name, within)
        except BlackstartError as error:
            problems[source] = str(error)
            continue
        problems.setdefault(source, "")
        told = [((at - span.origin).total_seconds(), state) for at, state in changes]
        for number, (at, state) in enumerate(told):
            if state == cloudwatch.ALARM:
                until = told[number + 1][0] if number + 1 < len(told) else None
                firings.append(Firing(name, source, at, until, 0.0))


def _with(signal: Signal, found: tuple[Point, ...] = (), problem: str = "") -> Signal:
    return Signal(signal.name, signal.source, signal.means, signal.query, signal.resolution_seconds, found, problem)

"""This drill beside the last one of the same experiment: better, worse or noise, and what changed between. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from blackstart.journals import close, numbers
from blackstart.journals.earlier import Earlier
from blackstart.journals.folder import Drill
from blackstart.journals.index import Row
from blackstart.journals.measure import Measured
from blackstart.journals.trend import Point, Reading, point, trend
from blackstart.journals.verdict import Verdict
from blackstart.reports import figure_spark, setting
from blackstart.reports.trust import Line

RUNS = 6
MOST_CHANGED = 20
_DAY = 86400


@dataclass(frozen=True)
class Metric:
    """A number that runs are compared by. ``unit`` is seconds, latency, share or writes."""

    key: str
    title: str
    unit: str


METRICS = (
    Metric("rto_seconds", "Recovery time", "seconds"),
    Metric("lost_writes", "Lost writes", "writes"),
    Metric("rpo_seconds", "Data age", "seconds"),
    Metric("availability", "Availability", "share"),
    Metric("longest_outage_seconds", "Longest outage", "seconds"),
    Metric("p95_seconds", "p95 latency", "latency"),
    Metric("p99_seconds", "p99 latency", "latency"),
)


@dataclass(frozen=True)
class ComparedRow:
    """``spark`` is markup made here; ``runs`` says the same in words, oldest first. ``word``: the bare reading."""

    title: str
    now: str
    last: str
    change: str
    reading: str
    spark: str
    runs: str
    word: str = ""


@dataclass(frozen=True)
class ComparedView:
    """``rows`` is empty where there is nothing to compare with; ``sentence`` says so then."""

    title: str
    sentence: str
    rows: Sequence[ComparedRow] = ()
    changed: Sequence[Line] = ()


def view(measured: Measured, verdict: Verdict, earlier: Earlier) -> ComparedView:
    """Earlier drills that were not judged, or changed nothing, count for nothing: their numbers mean something else."""
    judged = [row for row in earlier.rows if row.closed and row.changes]
    if not judged or measured.fault_at is None:
        return ComparedView("Compared with the last run", _nothing(measured, earlier))
    now = row_of(measured, verdict)
    runs = [*judged, now][-RUNS:]
    rows = [made for metric in METRICS if (made := _row(metric, runs)) is not None]
    changed = list(_changed(earlier.last, measured.drill)) if earlier.last else []
    return ComparedView("Compared with the last run", _sentence(judged[-1], now, rows), rows, changed)


def row_of(measured: Measured, verdict: Verdict) -> Row:
    """This drill as the history will have it."""
    told = close.to_json(measured, verdict)
    named = {each.name for each in fields(Row)} - {"folder", "started", "ended", "leftovers", "steps", "service"}
    return Row(
        folder=measured.folder.name,
        started=measured.drill.started,
        service=measured.service.name,
        **{key: value for key, value in told.items() if key in named},
    )


def _nothing(measured: Measured, earlier: Earlier) -> str:
    where = f"{measured.drill.experiment} in {measured.drill.environment}"
    if measured.fault_at is None:
        return "No fault was injected, so its numbers cannot be compared with those of a drill that had one."
    if not earlier.rows:
        return f"This is the first drill of {where} beside this journal, so there is nothing to compare it with."
    many = numbers.plural(len(earlier.rows), "earlier drill")
    return f"{many} of {where} never came to a fault or to an end, so there is nothing to compare this one with."


def _sentence(last: Row, now: Row, rows: Sequence[ComparedRow]) -> str:
    when = f" on {numbers.day(last.started)}" if last.started else ""
    age = _age(last, now)
    parts = [f"The last one was drill {last.drill}{when}{age}: {last.verdict}."]
    for word in ("worse", "better"):
        named = [row.title for row in rows if row.word == word]
        if named:
            parts.append(f"{word.capitalize()} since: {', '.join(named)}.")
    if rows and len(parts) == 1:
        parts.append("Nothing got better or worse beyond what the last runs differ by.")
    return " ".join(parts)


def _age(last: Row, now: Row) -> str:
    if last.started is None or now.started is None:
        return ""
    days = int((now.started - last.started).total_seconds() // _DAY)
    return f", {numbers.plural(days, 'day')} before" if days else ", the same day"


def _row(metric: Metric, runs: Sequence[Row]) -> ComparedRow | None:
    points = [point(row, metric.key) for row in runs]
    now, last = points[-1], points[-2]
    if now is None and last is None:
        return None
    reading = trend(runs, metric.key)
    objective = runs[-1].objectives.get(metric.key) or {}
    target = objective.get("target")
    words = ", ".join(_shown(metric, each) for each in points)
    goal = f"; objective {_value(metric, target)}" if target is not None else ""
    told = f"{metric.title} of the last {len(points)} runs, oldest first: {words}{goal}"
    values = [each.value if each else None for each in points]
    return ComparedRow(
        title=metric.title,
        now=_shown(metric, now),
        last=_shown(metric, last),
        change=_change(metric, reading.delta),
        reading=_reading(reading),
        spark=figure_spark.draw(values, target, objective.get("met") is False, told),
        runs=words,
        word=reading.word,
    )


def _reading(reading: Reading) -> str:
    glyph = {"better": "✓", "worse": "✕"}.get(reading.word, "")
    return f"{glyph} {reading.word}".strip()


def _shown(metric: Metric, found: Point | None) -> str:
    if found is None:
        return "not measured"
    return f">{numbers.NBSP}{_value(metric, found.low)}" if found.value is None else _value(metric, found.value)


def _value(metric: Metric, value: float) -> str:
    if metric.unit == "writes":
        return numbers.count(round(value))
    if metric.unit == "share":
        return numbers.share_percent(value)
    return numbers.latency(value) if metric.unit == "latency" else numbers.seconds(value)


def _change(metric: Metric, difference: float | None) -> str:
    if difference is None:
        return "–"
    size = numbers.points(difference) if metric.unit == "share" else _value(metric, abs(difference))
    return numbers.signed(size, difference < 0) if difference else "none"


def _changed(last: Drill, now: Drill) -> Iterator[Line]:
    """What somebody changed between the two: the experiment, what ran it, and its settings."""
    if last.sha256 != now.sha256:
        yield Line("Experiment file", f"changed: sha-256 {last.sha256[:12] or '?'}… → {now.sha256[:12] or '?'}…")
    else:
        yield Line("Experiment file", "the same")
    versions = list(_differences(dict(last.versions), dict(now.versions)))
    yield from _some("Versions", versions)
    settings = list(_differences(_settings(last), _settings(now)))
    yield from _some("Settings", settings)


def _settings(drill: Drill) -> dict[str, str]:
    """Without what a lab chooses anew each time it starts."""
    anew = ("service.port", "service.dns", "scope.cluster_ids.") if drill.environment == "lab" else ()
    return {name: value for name, value in setting.flat(drill).items() if not name.startswith(anew)}


def _differences(before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    for name in dict.fromkeys([*after, *before]):
        if before.get(name) != after.get(name):
            yield f"{name} {before.get(name, 'not set')} → {after.get(name, 'not set')}"


def _some(label: str, differences: Sequence[str]) -> Iterator[Line]:
    if not differences:
        yield Line(label, "the same")
    for number, words in enumerate(differences[:MOST_CHANGED]):
        yield Line("" if number else label, words)
    if len(differences) > MOST_CHANGED:
        yield Line("", f"and {numbers.count(len(differences) - MOST_CHANGED)} more")

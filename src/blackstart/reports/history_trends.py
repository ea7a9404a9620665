"""The numbers of drills that can be compared, over time: one line for each experiment and number, worst first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from blackstart.journals import numbers
from blackstart.journals.index import Row
from blackstart.journals.index_rows import finite
from blackstart.journals.trend import HIGHER_IS_BETTER, Reading, point, trend
from blackstart.reports.history_words import goal_text, value_text

ALWAYS = ("rto_seconds", "lost_writes", "rpo_seconds", "availability")
TITLES = {
    "rto_seconds": "recovery time", "lost_writes": "lost writes", "rpo_seconds": "data age",
    "availability": "availability", "longest_outage_seconds": "longest outage", "p99_seconds": "p99 latency",
    "p95_seconds": "p95 latency", "dns_failover_seconds": "DNS fail-over",
    "failback_downtime_seconds": "downtime of the way back", "time_to_detect_seconds": "time to detect",
}  # fmt: skip
LEFT_OUT = frozenset({"error_budget_share"})
"""Says the same as availability."""
MOST_MARKS = 24
Met = Literal["met", "missed", "unsure"]


@dataclass(frozen=True)
class Mark:
    """One drill in a line. ``at_least``: it is only known that the value is no less."""

    at: datetime
    value: float
    met: Met
    at_least: bool = False


@dataclass(frozen=True)
class Line:
    """One number of one experiment. ``marks``: of its last MOST_MARKS drills, oldest first; ``drills``: how many there
    are. ``target``
    and ``unit`` are those of the newest drill that had the objective; None and "" without one."""

    experiment: str
    service: str
    environment: str
    key: str
    marks: tuple[Mark, ...]
    drills: int
    reading: Reading
    target: float | None = None
    unit: str = ""
    at_most: bool = True

    @property
    def title(self) -> str:
        return TITLES.get(self.key, self.key.removesuffix("_seconds").replace("_", " "))

    @property
    def sign(self) -> str:
        return "≤" if self.at_most else "≥"

    @property
    def goal(self) -> str:
        return "" if self.target is None else f"{self.sign} {goal_text(self.key, self.target, self.unit)}"

    @property
    def newest(self) -> str:
        """The newest number in words."""
        return self.words(self.marks[-1])

    @property
    def worsened(self) -> bool:
        """Whether the newest drill of all, not one long before it, was worse beyond noise."""
        return self.reading.word == "worse"

    def words(self, mark: Mark) -> str:
        return f"{'more than ' if mark.at_least else ''}{value_text(self.key, mark.value, self.unit)}"


def lines(rows: Sequence[Row]) -> tuple[Line, ...]:
    """One for each experiment and number that was measured lately, the worst first. ``rows`` oldest first."""
    series: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        if row.experiment and row.started is not None and not row.problem:
            series.setdefault(row.series, []).append(row)
    found = [
        line for its in series.values() for key in _keys(its[-MOST_MARKS:]) if (line := _line(its, key)) is not None
    ]
    return tuple(sorted(found, key=_badness))


def _keys(rows: Sequence[Row]) -> Iterator[str]:
    asked = dict.fromkeys(key for row in rows for key in row.objectives)
    yield from ALWAYS
    yield from (key for key in TITLES if key in asked and key not in ALWAYS)
    yield from (key for key in asked if key not in TITLES and key not in LEFT_OUT)


def _line(rows: Sequence[Row], key: str) -> Line | None:
    marks = [mark for row in rows[-MOST_MARKS:] if (mark := _mark(row, key)) is not None]
    if not marks:
        return None
    objective: Mapping[str, Any] = next((row.objectives[key] for row in reversed(rows) if key in row.objectives), {})
    if key not in rows[-1].objectives and not any(mark.value for mark in marks):
        return None  # nobody asked for it, and it was nothing each time
    unit = objective.get("unit")
    return Line(
        experiment=rows[-1].experiment,
        service=rows[-1].service,
        environment=rows[-1].environment,
        key=key,
        marks=tuple(marks),
        drills=len(rows),
        reading=trend(rows, key),
        target=finite(objective.get("target")),
        unit=unit if isinstance(unit, str) else "",
        at_most="≥" not in str(objective.get("text", "")) and key not in HIGHER_IS_BETTER,
    )


def _mark(row: Row, key: str) -> Mark | None:
    found = point(row, key)
    if found is None or row.started is None:
        return None
    met = row.objectives.get(key, {}).get("met", row.verdict == "passed" or None)
    word: Met = "met" if met is True else "missed" if met is False else "unsure"
    return Mark(row.started, found.low if found.value is None else found.value, word, found.value is None)


def _badness(line: Line) -> tuple[int, float, str, str, str]:
    newest = line.marks[-1]
    rank = 0 if newest.met == "missed" else 1 if line.worsened else 2 if newest.met == "unsure" else 3
    return rank, -_used(line, newest.value), line.experiment, line.environment, line.key


def _used(line: Line, value: float) -> float:
    """How much of what the objective allows is used up: 1 is all of it; 0 without an objective."""
    if line.target is None:
        return 0.0
    spent, allowed = (value, line.target) if line.at_most else (1 - value, 1 - line.target)
    return spent / allowed if allowed > 0 else (0.0 if spent <= 0 else 1e9)


def called(line: Line, among: Sequence[Line]) -> str:
    """The experiment, with its service and environment where there are several of them."""
    service = line.service if len({each.service for each in among}) > 1 else ""
    environment = line.environment if len({each.environment for each in among}) > 1 else ""
    return ", ".join(each for each in (service, environment, line.experiment) if each)


def noise_words(line: Line) -> str:
    """``within noise of the last five``, or what it was compared with."""
    reading = line.reading
    if reading.band is None:
        return "the first drill that measured it"
    low, high = reading.band
    low = max(low, 0.0)
    if line.key in HIGHER_IS_BETTER:
        high = min(high, 1.0)
    many = len(reading.previous)
    of = "the last drill" if many == 1 else f"the last {numbers.count(many)}"
    shown = [value_text(line.key, value, line.unit) for value in (low, high)]
    return f"{of}, with noise: {shown[0] if shown[0] == shown[1] else ' to '.join(shown)}"

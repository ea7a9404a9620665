"""What monitoring was seen to say of one drill: ``monitoring.json`` in a journal. Pure.

Times are in seconds since the drill's origin, on the drill's clock, however the service's own clock went.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

FORMAT = 1


@dataclass(frozen=True)
class Point:
    """What monitoring says of the time from ``start`` to ``end``; None: it has no value."""

    start: float
    end: float
    value: float | None


@dataclass(frozen=True)
class Signal:
    """One number over time. ``means``: failed, served (shares of requests 0–1), latency (seconds) or error_budget (the
    share that is left). ``query``: how it was asked for. ``problem``: why there are no points; "" if there are."""

    name: str
    source: str
    means: str
    query: str
    resolution_seconds: float
    points: tuple[Point, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Firing:
    """One time that an alert fired, by the service's own records: since a moment in the ``resolution_seconds`` that end
    at ``since``; ``until`` None: to the end."""

    name: str
    source: str
    since: float
    until: float | None
    resolution_seconds: float


@dataclass(frozen=True)
class Record:
    """The whole file. ``expected``: (name, source) of alerts that should notice a fault. ``problems``: why a source's
    record of alerts could not be read; a source with "" was read, and had no more firings than are here."""

    start: float
    end: float
    signals: tuple[Signal, ...] = ()
    firings: tuple[Firing, ...] = ()
    expected: tuple[tuple[str, str], ...] = ()
    problems: Mapping[str, str] | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "start": _short(self.start),
            "end": _short(self.end),
            "expected": [list(pair) for pair in self.expected],
            "signals": [
                {**asdict(signal), "points": [[_short(p.start), _short(p.end), p.value] for p in signal.points]}
                for signal in self.signals
            ],
            "firings": [asdict(firing) for firing in self.firings],
            "problems": dict(self.problems or {}),
        }


def parse(data: Mapping[str, Any]) -> Record:
    """``data`` as `Record.to_json` gives it; ValueError if it is not."""
    try:
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']!r}, this version reads {FORMAT}")
        return Record(
            start=float(data["start"]),
            end=float(data["end"]),
            signals=tuple(_signal(each) for each in data["signals"]),
            firings=tuple(_firing(each) for each in data["firings"]),
            expected=tuple((str(name), str(source)) for name, source in data["expected"]),
            problems={str(source): str(problem) for source, problem in data["problems"].items()},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"is no record of monitoring ({error!r})") from error


def points(moments: Sequence[float], values: Sequence[float | None], step: float) -> tuple[Point, ...]:
    """Each of ``values`` speaks for the ``step`` seconds before its moment."""
    return tuple(Point(at - step, at, value) for at, value in zip(moments, values, strict=True))


def _signal(data: Mapping[str, Any]) -> Signal:
    found = tuple(Point(float(start), float(end), _value(value)) for start, end, value in data["points"])
    texts = {key: str(data[key]) for key in ("name", "source", "means", "query", "problem")}
    return Signal(**texts, resolution_seconds=float(data["resolution_seconds"]), points=found)


def _firing(data: Mapping[str, Any]) -> Firing:
    since, width = float(data["since"]), float(data["resolution_seconds"])
    return Firing(str(data["name"]), str(data["source"]), since, _value(data["until"]), width)


def _value(value: Any) -> float | None:
    return None if value is None else float(value)


def _short(seconds: float) -> float:
    return round(seconds, 3)

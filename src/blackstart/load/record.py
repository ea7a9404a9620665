"""What a load leaves in the journal: ``load.jsonl`` while it goes on, and ``load.json`` when it has ended.

``load.jsonl`` has a line a second: ``at`` (seconds since the drill's origin), ``users`` (running at all), ``open``
(connections that they hold; null where nobody can tell), ``requests`` and ``failures`` (so far, as Locust counts
them). A line with ``ended`` says that the load ended by itself and why; nothing after it is to be trusted.

``load.json``: ``users`` (asked for), ``requests``, ``failures``, ``p50_seconds``, ``p95_seconds``, ``p99_seconds`` of
the whole load (null without a request), and ``seconds``: rows of a second since the origin, requests that began in it
and were ok, those that failed, and connections that were made; empty where nobody can tell.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blackstart import redaction
from blackstart.errors import JournalUnreadable, JournalUnwritable

POINTS, SUMMARY = "load.jsonl", "load.json"
PERCENTILES = ("p50_seconds", "p95_seconds", "p99_seconds")


@dataclass(frozen=True)
class Point:
    """One line of ``load.jsonl``."""

    at: float
    users: int
    open: int | None
    requests: int
    failures: int


@dataclass(frozen=True)
class Second:
    """One second of all users: requests that began in it, and connections made in it."""

    at: int
    ok: int
    failed: int
    connected: int


@dataclass(frozen=True)
class Summary:
    """``load.json``."""

    users: int
    requests: int
    failures: int
    p50: float | None
    p95: float | None
    p99: float | None
    seconds: tuple[Second, ...]


@dataclass(frozen=True)
class Loaded:
    """What is known of the load of one drill. ``ended`` says why it ended by itself, "" if it did not; ``summary`` is
    None while it goes on, and if it was killed."""

    points: tuple[Point, ...]
    ended: str
    summary: Summary | None


class Recorder:
    """Writes both files into ``folder``; ``origin`` is the drill's, on the machine's monotonic clock."""

    def __init__(self, folder: Path, users: int, origin: float) -> None:
        self._folder = folder
        self._users = users
        self._origin = origin
        self._seconds: dict[int, list[int]] = {}

    def point(self, at: float, users: int, held: int | None, requests: int, failures: int) -> None:
        """How it is at ``at``, on the machine's monotonic clock."""
        line = {
            "at": round(at - self._origin, 3),
            "users": users,
            "open": held,
            "requests": requests,
            "failures": failures,
        }
        append(self._folder, line)

    def count(self, seconds: Mapping[str, Sequence[int]]) -> None:
        """Add what a worker counted, by second of the machine's monotonic clock."""
        for second, counts in seconds.items():
            row = self._seconds.setdefault(int(second), [0, 0, 0])
            for place, count in enumerate(counts):
                row[place] += count

    def end(self, requests: int, failures: int, percentiles: Sequence[float]) -> None:
        """The load has ended; ``percentiles`` are p50, p95 and p99 in seconds, or nothing."""
        rows = [[second - int(self._origin), *self._seconds[second]] for second in sorted(self._seconds)]
        whole = {
            "users": self._users,
            "requests": requests,
            "failures": failures,
            **dict(zip(PERCENTILES, percentiles or (None, None, None), strict=True)),
            "seconds": rows,
        }
        path = self._folder / SUMMARY
        partial = path.with_suffix(".partial")
        try:
            partial.write_text(json.dumps(whole), encoding="utf-8")
            os.replace(partial, path)
        except OSError as error:
            raise JournalUnwritable(str(self._folder), SUMMARY, str(error)) from error


def append(folder: Path, line: Mapping[str, Any]) -> None:
    """Add a line to ``load.jsonl``; JournalUnwritable."""
    try:
        with (folder / POINTS).open("ab") as file:
            file.write(json.dumps(redaction.of(folder).value(line)).encode() + b"\n")
    except OSError as error:
        raise JournalUnwritable(str(folder), POINTS, str(error)) from error


def read(folder: Path) -> Loaded | None:
    """The load of the drill whose journal is ``folder``; None if it had none. JournalUnreadable for what is no load.

    A last line that was cut off is passed over.
    """
    path = folder / POINTS
    if not path.is_file():
        return None
    points: list[Point] = []
    ended = ""
    for line in path.read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        try:
            told = json.loads(line)
            if "ended" in told:
                ended = str(told["ended"])
            else:
                points.append(Point(**{name: told[name] for name in Point.__dataclass_fields__}))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise JournalUnreadable(str(folder), POINTS, f"a line is no point of a load ({error!r})") from error
    return Loaded(tuple(points), ended, _summary(folder))


def _summary(folder: Path) -> Summary | None:
    path = folder / SUMMARY
    if not path.is_file():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        seconds = tuple(Second(*map(int, row)) for row in told["seconds"])
        p50, p95, p99 = (None if told[name] is None else float(told[name]) for name in PERCENTILES)
        return Summary(int(told["users"]), int(told["requests"]), int(told["failures"]), p50, p95, p99, seconds)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise JournalUnreadable(str(folder), SUMMARY, f"is no summary of a load ({error!r})") from error

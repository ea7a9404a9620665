"""What was seen to happen, beside the requests: ``events.jsonl``, one JSON object a line.

Every line has ``at`` (seconds since the origin at which it was *seen*) and ``kind``; the rest depends on the kind:

    dns      name, before [ip], after [ip], last_old (when the old answer was last given; null for the first
             answer of all), first_new, ttl (seconds, of the new answer)
    writer   region, before, source: the database's writer is now in ``region``
    ready    ready, desired, source: replicas of the deployment in the standby region
    detect   reason, message, object, source: the primary was found to be unhealthy
    decide   (same fields) the decision to fail over was taken
    cache    (same fields) the standby region's cache was found to be warm
    phase    name: what the drill is doing
    stop     reason: who or what ended the drill before its time, and why
    lapse    reason: why a fault was not kept up for as long as it was meant to be
    note     text, for people

``source`` tells where it was seen: ``rds``, ``deployment`` or ``kubernetes event``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blackstart.clock import Clock
from blackstart.errors import JournalUnreadable
from blackstart.observer import jsonl

EVENTS_FILE = "events.jsonl"
CHANGES_FILE = "changes.jsonl"


@dataclass(frozen=True)
class Event:
    """One line. ``at`` in seconds since the origin; ``fields`` is everything beside ``at`` and ``kind``."""

    at: float
    kind: str
    fields: Mapping[str, Any]


class EventLog:
    """Appends events to the journal in ``folder``; ``origin`` is the drill's, on the machine's monotonic clock."""

    def __init__(self, folder: Path, clock: Clock, origin: float) -> None:
        self._path = folder / EVENTS_FILE
        self._clock = clock
        self._origin = origin

    def add(self, kind: str, **fields: Any) -> None:
        """One event, seen now."""
        at = round(self._clock.monotonic() - self._origin, 6)
        jsonl.append(self._path, {"at": at, "kind": kind, **fields})


def read(folder: Path) -> tuple[Event, ...]:
    """All events in ``folder``, in the order of time; JournalUnreadable for a line that is none."""
    return tuple(sorted(_events(folder), key=lambda event: event.at))


def _events(folder: Path) -> Iterable[Event]:
    for line in jsonl.read(folder / EVENTS_FILE):
        try:
            at, kind = float(line.pop("at")), str(line.pop("kind"))
        except (KeyError, TypeError, ValueError) as error:
            raise JournalUnreadable(str(folder), EVENTS_FILE, f"a line lacks at or kind: {line}") from error
        yield Event(at, kind, line)


def fault_at(folder: Path) -> float | None:
    """When the first change that was applied began to be applied, in seconds since the origin; None before that."""
    began = [
        float(line.get("began", line["monotonic"]))
        for line in jsonl.read(folder / CHANGES_FILE)
        if line.get("state") == "applied"
    ]
    return min(began) - origin(folder) if began else None


def origin(folder: Path) -> float:
    """The drill's origin, in seconds of the machine's monotonic clock, from ``drill.json``, else ``observer.json``."""
    for name in ("drill.json", "observer.json"):
        path = folder / name
        if not path.is_file():
            continue
        try:
            return float(json.loads(path.read_text(encoding="utf-8"))["origin_monotonic"])
        except (ValueError, TypeError, KeyError) as error:
            raise JournalUnreadable(str(folder), name, f"has no origin_monotonic ({error!r})") from error
    raise JournalUnreadable(str(folder), "drill.json", "no such file, so times cannot be lined up")

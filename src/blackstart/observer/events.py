"""What was seen to happen, beside the requests: ``events.jsonl``, one JSON object a line.

Every line has ``at`` (seconds since the origin at which it was *seen*) and ``kind``; the rest depends on the kind:

    dns      name, before [ip], after [ip], last_old (when the old answer was last given; null for the first
             answer of all), first_new, ttl (seconds, of the new answer)
    address  the same fields as dns: of a journey's target that is not the service
    tls      journey, host, address, and what was shown there when it differs from before: version, cipher, protocol
             (ALPN), subject, issuer, not_after, sha256 (of the certificate); or problem, why it could not be agreed on
    observer pid, scheduling (real time, or nice and a number), processors, problem (what the system did not give)
    writer   region, before, source: the database's writer is now in ``region``
    ready    ready, desired, source: replicas of the deployment in the standby region
    detect   reason, message, object, source: the primary was found to be unhealthy
    decide   (same fields) the decision to fail over was taken
    cache    (same fields) the standby region's cache was found to be warm
    database region, state (writer, reader, or away: it could not be asked), before (the state until then, "" for none),
             asked (when the look that saw it was asked), last (when the last look that saw ``before`` was asked; null
             for the first), problem (of away). With ``state`` as ``before``: it still is
    alert    what monitoring says of one of its alerts: see `monitoring.alerts`
    lost     region: the drill has taken it away, as a whole or in part
    restored change, seconds, target: what that change restores was there, so long after its beginning
    standby  found: what the standby region had against what it would need
    load     state: begun (with users, and master: the URL of one that was there), there (all users have come), stopped
    phase    name: what the drill is doing
    stop     reason: who or what ended the drill before its time, and why
    lapse    reason: why a fault was not kept up for as long as it was meant to be
    note     text, for people; where a source cannot be seen, or can be again: watch (the kind of event that it gives),
             sees

``source`` tells where it was seen: ``rds``, ``deployment``, ``database`` or ``kubernetes event``; ``operator``: a
person, or an action that stands for one, said that a step is done. Such a line has a ``reason`` and needs no more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blackstart import redaction
from blackstart.clock import Clock
from blackstart.errors import JournalUnreadable
from blackstart.observer import jsonl
from blackstart.scope import NOTHING

EVENTS_FILE = "events.jsonl"
CHANGES_FILE = "changes.jsonl"
POLL_SECONDS = 0.15  # how often the platform is looked at: what is seen may have happened this much earlier


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
        self._redactor = redaction.of(folder)

    def now(self) -> float:
        """Seconds since the origin."""
        return round(self._clock.monotonic() - self._origin, 6)

    def add(self, kind: str, **fields: Any) -> None:
        """One event, seen now; secrets in its fields are not written."""
        jsonl.append(self._path, {"at": self.now(), "kind": kind, **self._redactor.value(fields)})


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
    """When the first change that was applied began to be applied, in seconds since the origin; None before that.

    Changes that take nothing away are no fault.
    """
    lines = list(jsonl.read(folder / CHANGES_FILE))
    harmless = {line.get("change") for line in lines if takes_nothing(line.get("record"))}
    began = [
        float(line.get("began", line["monotonic"]))
        for line in lines
        if line.get("state") == "applied" and line.get("change", "") not in harmless
    ]
    return min(began) - origin(folder) if began else None


def takes_nothing(record: Any) -> bool:
    """Whether the ``record`` of a planned change says that it takes nothing away. Pure."""
    share = record.get("share") if isinstance(record, dict) else None
    return isinstance(share, dict) and share.get("unit") == NOTHING


def origin(folder: Path) -> float:
    """The drill's origin, in seconds of the machine's monotonic clock, from ``drill.json``, else ``observer.json``."""
    for name in ("drill.json", "observer.json"):
        path = folder / name
        if not path.is_file():
            continue
        try:
            return float(json.loads(path.read_text(encoding="utf-8"))["origin_monotonic"])
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise JournalUnreadable(str(folder), name, f"has no origin_monotonic ({error!r})") from error
    raise JournalUnreadable(str(folder), "drill.json", "no such file, so times cannot be lined up")

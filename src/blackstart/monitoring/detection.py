"""Did the alerts fire, after how long, and did they end? From what the looks saw, and what the services remember. Pure.

A look that was not answered proves nothing: an alert is silent only if every look, or the service's own record, says
so. Times in seconds since the drill's origin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from blackstart.monitoring.alerts import ACTIVE, FIRING, KIND, REPEAT_SECONDS, SUPPRESSED, UNKNOWN
from blackstart.monitoring.model import Firing, Record

Stretch = tuple[float, float | None]
"""From when until when; None: to the end."""
LATE_SECONDS = 10.0  # of the last look, before it counts as too early to tell


class Event(Protocol):
    """`observer.events.Event`."""

    @property
    def at(self) -> float: ...
    @property
    def kind(self) -> str: ...
    @property
    def fields(self) -> Mapping[str, Any]: ...


class Outcome(StrEnum):
    """What became of an alert after the fault."""

    FIRED = "fired"
    SUPPRESSED = "suppressed"
    SILENT = "silent"
    BEFORE = "firing before the fault"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Detection:
    """One alert. It began to fire at ``fired``, and surely between ``low`` and ``high``; None unless it fired.

    ``resolved``: when it was first seen to have ended, None while it had not. ``again``: from when until when it fired
    later. ``why``: what limits this, or what else is known of it; "" otherwise.
    """

    name: str
    source: str
    outcome: Outcome
    fired: float | None = None
    low: float | None = None
    high: float | None = None
    resolved: float | None = None
    again: tuple[Stretch, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class _Look:
    at: float
    state: str
    asked: float
    last: float | None
    since: float | None
    problem: str


@dataclass(frozen=True)
class Drill:
    """What detection is judged by: the fault, and until when it was watched. ``origin``: the wall time of 0."""

    origin: datetime
    fault_at: float
    end: float

    @staticmethod
    def origin_of(wall: datetime, at: float) -> datetime:
        """The wall time of 0, of ``at`` being at ``wall``."""
        return wall - timedelta(seconds=at)


def detections(
    expected: Iterable[tuple[str, str]], events: Sequence[Event], record: Record | None, drill: Drill
) -> tuple[Detection, ...]:
    """One for each name, in the order of ``expected``: of Alertmanager, where it is asked: there people are told."""
    found: dict[str, list[Detection]] = {}
    for name, source in expected:
        looks = _looks(events, name, source, drill.origin)
        found.setdefault(name, []).append(_of_source(name, source, looks, record, drill))
    return tuple(_decisive(each) for each in found.values())


def expected_in(events: Iterable[Event]) -> tuple[tuple[str, str], ...]:
    """(name, source) of every alert that was looked at, where no record says what was expected."""
    pairs = ((str(e.fields.get("name")), str(e.fields.get("source"))) for e in events if e.kind == KIND)
    return tuple(dict.fromkeys(pairs))


def whole(fields: Mapping[str, Any]) -> bool:
    """Whether a line of ``events.jsonl`` of the kind alert has what is needed here."""
    named = all(isinstance(fields.get(key), str) for key in ("name", "source", "state"))
    last = fields.get("last")
    return named and isinstance(fields.get("asked"), int | float) and (last is None or isinstance(last, int | float))


def _decisive(found: list[Detection]) -> Detection:
    first, *others = found
    for other in others:
        if first.outcome is not Outcome.FIRED and other.outcome is Outcome.FIRED:
            word = "was not seen in" if first.outcome is Outcome.UNKNOWN else "never fired in"
            why = (
                "" if first.outcome is Outcome.SUPPRESSED else f"it fired in {other.source}, but {word} {first.source}"
            )
            first = replace(first, why="; ".join(filter(None, (why, first.why))))
    return first


def _looks(events: Iterable[Event], name: str, source: str, origin: datetime) -> list[_Look]:
    ours = [e for e in events if e.kind == KIND and (e.fields["name"], e.fields["source"]) == (name, source)]
    return [
        _Look(e.at, e.fields["state"], e.fields["asked"], e.fields.get("last"), _seconds(e, origin), _problem(e))
        for e in sorted(ours, key=lambda event: event.at)
    ]


def _seconds(event: Event, origin: datetime) -> float | None:
    try:
        return (datetime.fromisoformat(str(event.fields["since"])) - origin).total_seconds()
    except (KeyError, ValueError, TypeError):
        return None


def _problem(event: Event) -> str:
    return str(event.fields.get("problem") or "")


def _of_source(name: str, source: str, looks: list[_Look], record: Record | None, drill: Drill) -> Detection:
    known = ""
    for look in looks:
        if look.state == UNKNOWN:
            continue
        if look.state == FIRING and known != FIRING and look.at > drill.fault_at and look.last is not None:
            return _fired(name, source, look, looks, drill)
        known = look.state
    told = Detection(name, source, Outcome.UNKNOWN)
    remembered = _remembered(told, record, drill)
    if remembered is not None and remembered.outcome is Outcome.FIRED:
        return remembered
    if any(look.state == FIRING for look in looks):
        return replace(told, outcome=Outcome.BEFORE, why="it was firing already when the fault came")
    if any(look.state == SUPPRESSED and look.at > drill.fault_at for look in looks):
        return replace(told, outcome=Outcome.SUPPRESSED, why="it fired, and people were not told: it is silenced")
    blind = _blind(looks, drill, source)
    return remembered or (replace(told, why=blind) if blind else replace(told, outcome=Outcome.SILENT))


def _fired(name: str, source: str, look: _Look, looks: Sequence[_Look], drill: Drill) -> Detection:
    """``since`` is the service's own clock: it is believed only within what the looks prove."""
    low, high = max(look.last or drill.fault_at, drill.fault_at), look.at
    inside = look.since is not None and low <= look.since <= high
    fired = look.since if inside else (low + high) / 2
    (_, resolved), *again = _stretches([later for later in looks if later.at >= look.at])
    return Detection(name, source, Outcome.FIRED, fired, low, high, resolved, tuple(again))


def _stretches(looks: Sequence[_Look]) -> list[Stretch]:
    """From when until when it was seen to fire; a look that was not answered, or that it was silenced, ends nothing."""
    found: list[Stretch] = []
    for look in looks:
        fires = bool(found) and found[-1][1] is None
        if look.state == FIRING and not fires:
            found.append((look.at, None))
        elif fires and look.state not in (*ACTIVE, UNKNOWN):
            found[-1] = (found[-1][0], look.at)
    return found


def _remembered(told: Detection, record: Record | None, drill: Drill) -> Detection | None:
    """By the service's own record; None if it has none, or could not be asked for it."""
    if record is None or (record.problems or {}).get(told.source) != "":
        return None
    ours = [f for f in record.firings if (f.name, f.source) == (told.name, told.source)]
    after = sorted((each for each in ours if each.since > drill.fault_at), key=lambda firing: firing.since)
    if after:
        return _of_firings(told, after, drill)
    if any(firing.until is None or firing.until > drill.fault_at for firing in ours):
        return replace(told, outcome=Outcome.BEFORE, why="it was firing already when the fault came")
    return replace(told, outcome=Outcome.SILENT)


def _of_firings(told: Detection, firings: Sequence[Firing], drill: Drill) -> Detection:
    """``firings`` in the order of time."""
    first, *later = firings
    low = max(first.since - first.resolution_seconds, drill.fault_at)
    middle, again = (low + first.since) / 2, tuple((firing.since, firing.until) for firing in later)
    fired: Any = {"fired": middle, "low": low, "high": first.since, "resolved": first.until, "again": again}
    return replace(told, outcome=Outcome.FIRED, **fired)


def _blind(looks: Sequence[_Look], drill: Drill, source: str) -> str:
    """Why the looks cannot prove that nothing fired after the fault; "" if they can."""
    if not looks:
        return "nobody looked at it"
    unseen = [look for look in looks if look.state == UNKNOWN and look.at > drill.fault_at]
    before = [look for look in looks if look.at <= drill.fault_at]
    if before and before[-1].state == UNKNOWN:
        unseen.insert(0, before[-1])
    if unseen:
        return f"{source} could not be asked ({next((u.problem for u in unseen if u.problem), 'no reason was noted')})"
    if looks[-1].asked < drill.end - REPEAT_SECONDS - LATE_SECONDS:
        return "nobody looked at it to the end"
    return ""

"""Numbers from samples and events. Pure; times in seconds since the origin, shares 0–1.

Intervals are half open, [start, end), and hold the requests that were *due* in them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blackstart.errors import NotMeasured
from blackstart.observer.answers import answers
from blackstart.observer.events import Event
from blackstart.observer.outages import Outage, Outages, longest_outage, outages
from blackstart.observer.ranking import ranked, ranked_parts
from blackstart.observer.recovery import Recovery, recovery
from blackstart.observer.samples import Outcome, Samples
from blackstart.observer.steps import STEPS, Step, seen, split_steps
from blackstart.observer.table import chunks
from blackstart.observer.trust import Trust, trust

__all__ = [
    "STEPS",
    "Availability",
    "DnsFailover",
    "Outage",
    "Outages",
    "Percentiles",
    "Recovery",
    "Served",
    "Step",
    "Trust",
    "availability",
    "availability_by_time",
    "dns_failover",
    "latency",
    "longest_outage",
    "longest_silence",
    "outages",
    "percentile",
    "recovery",
    "seen",
    "served_by",
    "serving_region",
    "split_steps",
    "trust",
]


@dataclass(frozen=True)
class Availability:
    """Requests that were due in an interval. ``planned`` is what the schedule held; ``unobserved`` of them tell
    nothing about the service (the observer was late, or gone); ``unknown`` are writes whose fate is open: their
    users were not served either. ``share`` of planned ones that were ok; the truth lies in [lowest, highest]."""

    planned: int
    ok: int
    failed: int
    unknown: int
    unobserved: int

    @property
    def share(self) -> float:
        return self.ok / self.planned

    @property
    def lowest(self) -> float:
        return self.share

    @property
    def highest(self) -> float:
        return (self.ok + self.unobserved) / self.planned


@dataclass(frozen=True)
class Percentiles:
    """Seconds from when an ok request was due until its answer; ``count`` requests. Nearest rank: of a hundred, the
    99th is p99."""

    count: int
    p50: float
    p95: float
    p99: float
    maximum: float


@dataclass(frozen=True)
class Served:
    """Who served [start, end): ok answers by region ("" = it did not say), and requests that were not ok."""

    start: float
    end: float
    counts: Mapping[str, int]
    failed: int


@dataclass(frozen=True)
class DnsFailover:
    """``seconds`` from the fault until this client was first given other addresses, its TTL included.

    ``at`` is that moment; ``last_old_seconds`` from the fault until the old ones were last given. It is exact for
    this client (``error_seconds`` 0); others, whose TTL began at another time, are up to one ``ttl`` away.
    """

    seconds: float
    error_seconds: float
    last_old_seconds: float
    at: float
    before: tuple[str, ...]
    after: tuple[str, ...]
    ttl: float


def availability(samples: Samples, start: float, end: float) -> Availability:
    """Of the requests that were due in [start, end); NotMeasured when there were none, or none was seen."""
    inside = samples.between(start, end)
    planned = max(samples.planned(start, end), len(inside))
    if not len(inside):
        raise NotMeasured("availability", f"no request was observed between {start:.1f} s and {end:.1f} s")
    known = np.zeros(len(Outcome), np.int64)
    for part in chunks(len(inside)):
        known += np.bincount(inside.outcome[part][inside.observed[part]], minlength=len(Outcome))
    ok, failed, unknown = (int(known[outcome]) for outcome in (Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN))
    return Availability(planned, ok, failed, unknown, planned - ok - failed - unknown)


def availability_by_time(
    samples: Samples, start: float, end: float, step: float
) -> list[tuple[float, Availability | None]]:
    """Availability of each ``step`` of seconds from ``start``; None where nothing was observed."""
    inside = samples.between(start, end)
    return [(begin, _availability_or_none(inside, begin, stop)) for begin, stop in _steps(start, end, step)]


def _availability_or_none(samples: Samples, start: float, end: float) -> Availability | None:
    return availability(samples, start, end) if len(samples.between(start, end)) else None


def _steps(start: float, end: float, step: float) -> list[tuple[float, float]]:
    count = math.ceil((end - start) / step - 1e-9)
    return [(start + place * step, min(end, start + (place + 1) * step)) for place in range(count)]


def latency(samples: Samples, start: float, end: float, excluding: Sequence[tuple[float, float]] = ()) -> Percentiles:
    """Of the ok requests that were due in [start, end) and in none of ``excluding``; NotMeasured when none was."""
    found = latency_of(samples, start, end, excluding)
    if found is None:
        raise NotMeasured("latency", f"no request was served between {start:.1f} s and {end:.1f} s")
    return found


def latency_of(
    samples: Samples, start: float, end: float, excluding: Sequence[tuple[float, float]], journey: int | None = None
) -> Percentiles | None:
    """`latency` of one ``journey`` (its index), or of all; None when no request was served."""
    many, found = _ranked_latencies(samples.between(start, end), (0.5, 0.95, 0.99, 1.0), excluding, journey)
    return Percentiles(many, *found) if many else None


def percentile(samples: Samples, start: float, end: float, percent: float) -> float:
    """Any one percentile (0–100) of what `latency` counts, in seconds."""
    many, found = _ranked_latencies(samples.between(start, end), (percent / 100,))
    if not many:
        raise NotMeasured("latency", f"no request was served between {start:.1f} s and {end:.1f} s")
    return found[0]


def _ranked_latencies(
    inside: Samples,
    shares: Sequence[float],
    excluding: Sequence[tuple[float, float]] = (),
    journey: int | None = None,
) -> tuple[int, list[float]]:
    """How many requests were ok, and the percentiles of how long they took, in seconds."""
    table = inside.table
    out = np.zeros(table.size, np.bool_) if journey is None else table.journey != journey
    for begin, stop in excluding:
        out[table.place(begin) : max(table.place(begin), table.place(stop))] = True

    def parts() -> Iterator[NDArray[Any]]:
        waits = table.took if table.on_disk else table.took - table.due
        return (waits[part][(table.outcome[part] == Outcome.OK) & ~out[part]] for part in chunks(table.size))

    if table.on_disk:
        many, found = ranked_parts(parts, shares)
        return many, [each * 1e-6 for each in found]
    values = np.concatenate([np.empty(0), *parts()])
    return len(values), ranked(values, shares) if len(values) else []


def served_by(samples: Samples, start: float, end: float, step: float) -> list[Served]:
    """Who served each ``step`` of seconds from ``start``."""
    return [_served(samples.between(begin, stop), begin, stop) for begin, stop in _steps(start, end, step)]


def _served(samples: Samples, start: float, end: float) -> Served:
    counts = {region: each.requests for region, each in answers(samples, "region").items()}
    return Served(start, end, counts, len(samples) - sum(counts.values()))


def serving_region(samples: Samples, start: float, end: float) -> str | None:
    """The region that gave most ok answers to requests due in [start, end); None when nobody did."""
    found = answers(samples.between(start, end), "region")
    return max(found, key=lambda region: found[region].requests, default=None)


def longest_silence(samples: Samples, start: float, end: float) -> tuple[float, float]:
    """The longest stretch of [start, end) in which no request was due that was ok."""
    inside, last, longest = samples.between(start, end), start, (start, start)
    for part in chunks(len(inside)):
        due = inside.table.intended(part)[inside.outcome[part] == Outcome.OK]
        moments = np.concatenate(([last], due))
        gaps = np.diff(moments)
        if len(gaps) and gaps.max() > longest[1] - longest[0]:
            longest = float(moments[gaps.argmax()]), float(moments[gaps.argmax() + 1])
        last = float(moments[-1])
    return (last, end) if end - last > longest[1] - longest[0] else longest


def dns_failover(events: Sequence[Event], fault_at: float) -> DnsFailover | None:
    """The first change of the service's addresses after the fault; None when there was none."""
    for event in sorted(events, key=lambda each: each.at):
        fields = event.fields
        if event.kind != "dns" or fields.get("last_old") is None or fields["first_new"] <= fault_at:
            continue
        first_new, last_old = float(fields["first_new"]), float(fields["last_old"])
        return DnsFailover(
            seconds=first_new - fault_at,
            error_seconds=0.0,
            last_old_seconds=max(0.0, last_old - fault_at),
            at=first_new,
            before=tuple(fields["before"]),
            after=tuple(fields["after"]),
            ttl=float(fields["ttl"] or 0),
        )
    return None

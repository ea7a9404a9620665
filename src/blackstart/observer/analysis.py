"""Numbers from samples and events. Pure; times in seconds since the origin, shares 0–1.

Intervals are half open, [start, end), and hold the requests that were *due* in them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hdrh.histogram import HdrHistogram

from blackstart.errors import NotMeasured
from blackstart.observer.events import Event
from blackstart.observer.outages import Outage, longest_outage, observed, outages
from blackstart.observer.recovery import Recovery, recovery
from blackstart.observer.samples import Outcome, Sample, Samples
from blackstart.observer.steps import STEPS, Step, seen, split_steps

__all__ = [
    "STEPS",
    "Availability",
    "DnsFailover",
    "Outage",
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
    "outages",
    "recovery",
    "seen",
    "served_by",
    "serving_region",
    "split_steps",
    "trust",
]

HIGHEST_MICROSECONDS = 3_600_000_000
FIGURES = 3


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
    """Seconds from when an ok request was due until its answer, to three figures; ``count`` requests."""

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


@dataclass(frozen=True)
class Trust:
    """How well the observer itself kept its schedule. ``lateness``: from when a request was due until it was sent."""

    planned: int
    sent: int
    longest_gap_seconds: float
    worst_lateness_seconds: float
    p99_lateness_seconds: float


def availability(samples: Samples, start: float, end: float) -> Availability:
    """Of the requests that were due in [start, end); NotMeasured when there were none, or none was seen."""
    rows = samples.between(start, end).rows
    planned = max(samples.planned(start, end), len(rows))
    if not rows:
        raise NotMeasured("availability", f"no request was observed between {start:.1f} s and {end:.1f} s")
    timeout = samples.header.timeout_seconds
    known = Counter(row.outcome for row in rows if observed(row, timeout))
    ok, failed, unknown = (known[outcome] for outcome in (Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN))
    return Availability(planned, ok, failed, unknown, planned - ok - failed - unknown)


def availability_by_time(
    samples: Samples, start: float, end: float, step: float
) -> list[tuple[float, Availability | None]]:
    """Availability of each ``step`` of seconds from ``start``; None where nothing was observed."""
    return [(begin, _availability_or_none(samples, begin, stop)) for begin, stop in _steps(start, end, step)]


def _availability_or_none(samples: Samples, start: float, end: float) -> Availability | None:
    return availability(samples, start, end) if samples.between(start, end).rows else None


def _steps(start: float, end: float, step: float) -> list[tuple[float, float]]:
    count = math.ceil((end - start) / step - 1e-9)
    return [(start + place * step, min(end, start + (place + 1) * step)) for place in range(count)]


def latency(samples: Samples, start: float, end: float, excluding: Sequence[tuple[float, float]] = ()) -> Percentiles:
    """Of the ok requests that were due in [start, end) and in none of ``excluding``; NotMeasured when none was."""
    histogram = HdrHistogram(1, HIGHEST_MICROSECONDS, FIGURES)
    for row in samples.between(start, end).rows:
        if row.ok and not any(begin <= row.intended < stop for begin, stop in excluding):
            histogram.record_value(min(max(round(row.latency * 1e6), 1), HIGHEST_MICROSECONDS))
    if not histogram.get_total_count():
        raise NotMeasured("latency", f"no request was served between {start:.1f} s and {end:.1f} s")
    p50, p95, p99 = (_at(histogram, percent) for percent in (50, 95, 99))
    return Percentiles(histogram.get_total_count(), p50, p95, p99, histogram.get_max_value() / 1e6)


def _at(histogram: HdrHistogram, percent: float) -> float:
    """The histogram rounds a rank to the nearest, which flatters small counts; so it is asked for a whole rank."""
    count = histogram.get_total_count()
    rank = math.ceil(percent / 100 * count)
    return float(histogram.get_value_at_percentile(100 * rank / count)) / 1e6


def percentile(samples: Samples, start: float, end: float, percent: float) -> float:
    """Any one percentile (0–100) of what `latency` counts, in seconds."""
    values = sorted(row.latency for row in samples.between(start, end).rows if row.ok)
    if not values:
        raise NotMeasured("latency", f"no request was served between {start:.1f} s and {end:.1f} s")
    return values[max(0, math.ceil(percent / 100 * len(values)) - 1)]


def served_by(samples: Samples, start: float, end: float, step: float) -> list[Served]:
    """Who served each ``step`` of seconds from ``start``."""
    return [_served(samples.between(begin, stop).rows, begin, stop) for begin, stop in _steps(start, end, step)]


def _served(rows: Sequence[Sample], start: float, end: float) -> Served:
    counts = Counter(row.region for row in rows if row.ok)
    return Served(start, end, dict(counts), len(rows) - sum(counts.values()))


def serving_region(samples: Samples, start: float, end: float) -> str | None:
    """The region that gave most ok answers to requests due in [start, end); None when nobody did."""
    counts = Counter(row.region for row in samples.between(start, end).rows if row.ok)
    return counts.most_common(1)[0][0] if counts else None


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


def trust(samples: Samples, start: float | None = None, end: float | None = None) -> Trust:
    """How well the schedule of [start, end) was kept, by default of everything whose fate is known.

    NotMeasured when nothing was planned in it.
    """
    begin = samples.header.begin if start is None else start
    stop = samples.complete_until if end is None else end
    planned = samples.planned(begin, stop)
    if not planned:
        raise NotMeasured("the observer's own work", "nothing was planned in that time")
    rows = [row for row in samples.between(begin, stop).rows if not math.isnan(row.sent)]
    lateness = sorted(row.sent - row.intended for row in rows) or [0.0]
    moments = sorted((begin, *(row.sent for row in rows), stop))
    longest = max(later - earlier for earlier, later in pairwise(moments))
    return Trust(planned, len(rows), longest, lateness[-1], lateness[math.ceil(0.99 * len(lateness)) - 1])

"""When users were not served: the edges of outages, from the requests on either side of them. Pure.

An edge lies between two moments, ``earliest`` and ``latest``; the figure given is the middle, ± half of what lies
between. With a service that refuses, these are the last request of the one sort and the first of the other. With a
service that hangs and then answers everything at once, a request that was due long before the end may still be
answered in time; so the end of an outage is told by when answers *came*: not later than the first answer, less the
time that the fastest answer of all took.

Reads and writes are told apart, since one may work without the other: an outage of either is an outage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blackstart.observer.samples import Cause, Kind, Sample, Samples

LATE_SHARE = 0.25  # of the time-out: what the observer itself may be late by


@dataclass(frozen=True)
class Edge:
    """A moment known to lie in [earliest, latest], seconds since the origin."""

    earliest: float
    latest: float

    @property
    def at(self) -> float:
        return (self.earliest + self.latest) / 2

    @property
    def error_seconds(self) -> float:
        return (self.latest - self.earliest) / 2


@dataclass(frozen=True)
class Outage:
    """A stretch in which every request, of at least one kind, was not ok. ``began`` and ``ended`` in seconds since
    the origin, its length ± ``error_seconds``; ``requests`` were not ok in it. ``open``: the data ends before it does.
    """

    began: float
    ended: float
    error_seconds: float
    requests: int
    open: bool = False

    @property
    def seconds(self) -> float:
        return self.ended - self.began


def observed(row: Sample, timeout_seconds: float) -> bool:
    """Whether ``row`` says something about the service: not when the observer itself sent it late, or never, or was
    so late to notice the time-out that it may have been late to notice an answer."""
    if row.ok:
        return True
    slack = LATE_SHARE * timeout_seconds
    noticed = row.cause is not Cause.TIMEOUT or row.latency <= timeout_seconds + slack
    return row.cause is not Cause.UNSENT and row.sent - row.intended <= slack and noticed


def evidence(samples: Samples, kind: Kind) -> list[Sample]:
    """The requests of ``kind`` that say something about the service, in the order in which they were due."""
    timeout = samples.header.timeout_seconds
    return [row for row in samples.rows if row.kind is kind and observed(row, timeout)]


def fastest(rows: Sequence[Sample]) -> float:
    """Seconds from sending to the end of the quickest ok request; 0 when none was ok."""
    return min((row.ended - row.sent for row in rows if row.ok), default=0.0)


def runs(rows: Sequence[Sample]) -> list[tuple[int, int]]:
    """First and last index of each unbroken run of requests that were not ok."""
    found: list[tuple[int, int]] = []
    for index, row in enumerate(rows):
        if row.ok:
            continue
        if found and found[-1][1] == index - 1:
            found[-1] = (found[-1][0], index)
        else:
            found.append((index, index))
    return found


def went(rows: Sequence[Sample], first: int) -> Edge:
    """When the outage whose first request has index ``first`` began."""
    return Edge(rows[max(first - 1, 0)].sent, rows[first].sent)


def came_back(rows: Sequence[Sample], last: int, quickest: float) -> Edge | None:
    """When the outage whose last request has index ``last`` ended; None when nothing was ok after it.

    ``quickest`` is `fastest` of these requests.
    """
    known_up = None
    for row in rows[last + 1 :]:
        if known_up is not None and row.sent >= known_up:
            break
        if row.ok:
            moment = max(row.sent, row.ended - quickest)
            known_up = moment if known_up is None else min(known_up, moment)
    if known_up is None:
        return None
    gap = rows[last + 1].sent - rows[last].sent
    hung = [ended for ended in _unanswered(rows, last) if ended <= known_up]
    known_down = max(rows[last].sent, min(max(hung, default=rows[last].sent), known_up - gap))
    return Edge(min(known_down, known_up), known_up)


def _unanswered(rows: Sequence[Sample], last: int) -> list[float]:
    """Until when requests up to index ``last`` hung while nobody was answered: the service was down until then."""
    ended: list[float] = []
    answered = float("inf")
    for row in (rows[index] for index in range(last, -1, -1)):
        if not row.ok:
            ended.append(row.ended)
        elif row.ended <= rows[last].sent:
            break  # whatever hung from before this answer until after the last request hung while somebody was answered
        else:
            answered = min(answered, row.ended)
    return [moment for moment in ended if moment <= answered]


def first_of(one: Edge, other: Edge) -> Edge:
    """The earlier of two edges; what both allow when they may be the same moment."""
    if one.latest < other.earliest or other.latest < one.earliest:
        return min(one, other, key=lambda edge: edge.at)
    return Edge(max(one.earliest, other.earliest), min(one.latest, other.latest))


def last_of(one: Edge, other: Edge) -> Edge:
    """The later of two edges; what both allow when they may be the same moment."""
    if one.latest < other.earliest or other.latest < one.earliest:
        return max(one, other, key=lambda edge: edge.at)
    return Edge(max(one.earliest, other.earliest), min(one.latest, other.latest))


def outages(samples: Samples, start: float, end: float) -> list[Outage]:
    """All outages that touch [start, end), cut to it, in the order of time."""
    found = [each for kind in Kind for each in _of_kind(samples, kind, start, end)]
    merged = _merged(sorted(found, key=lambda each: each.began.at))
    return [_cut(each, start, end) for each in merged]


def longest_outage(samples: Samples, start: float, end: float) -> Outage | None:
    """The longest of `outages`; None when there was none."""
    return max(outages(samples, start, end), key=lambda each: each.seconds, default=None)


@dataclass(frozen=True)
class _Stretch:
    began: Edge
    ended: Edge
    requests: int
    open: bool


def _of_kind(samples: Samples, kind: Kind, start: float, end: float) -> list[_Stretch]:
    rows = evidence(samples, kind)
    quickest = fastest(rows)
    found = []
    for first, last in runs(rows):
        if rows[last].intended < start or rows[first].intended >= end:
            continue
        ended = came_back(rows, last, quickest)
        known = max(rows[last].sent, min(end, samples.complete_until))
        over = ended or Edge(known, known)
        found.append(_Stretch(went(rows, first), over, last - first + 1, open=ended is None))
    return found


def _merged(found: Sequence[_Stretch]) -> list[_Stretch]:
    """Stretches of the two kinds that overlap become one; ``found`` by when they began."""
    merged: list[_Stretch] = []
    for each in found:
        before = merged[-1] if merged else None
        if before is None or each.began.at > before.ended.at:
            merged.append(each)
            continue
        requests = before.requests + each.requests
        began, ended = first_of(before.began, each.began), last_of(before.ended, each.ended)
        merged[-1] = _Stretch(began, ended, requests, before.open or each.open)
    return merged


def _cut(stretch: _Stretch, start: float, end: float) -> Outage:
    began, ended = stretch.began, stretch.ended
    error = began.error_seconds + (0.0 if stretch.open else ended.error_seconds)
    return Outage(max(began.at, start), min(ended.at, end), error, stretch.requests, stretch.open)

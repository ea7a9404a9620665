"""What `analysis` says of samples, row by row: the plain definition that what is fast must agree with, to the last bit.

Slow on purpose: every function here is a loop over `Sample` rows.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise, takewhile
from statistics import median
from typing import NamedTuple

from blackstart.errors import NotMeasured
from blackstart.observer.analysis import Availability, Percentiles, Trust
from blackstart.observer.edges import HELD, TAIL, TOLD_SECONDS
from blackstart.observer.outages import Edge, Outage, last_of
from blackstart.observer.recovery import BLIND_GAPS, BLIND_SECONDS, CLOSE, Recovery
from blackstart.observer.samples import LATE_SHARE, Cache, Cause, Kind, Outcome, Sample, Samples


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


class Usual(NamedTuple):
    """How long ok requests take from sending to the end, in seconds: the quickest, and half of them at most."""

    quickest: float
    median: float

    @property
    def slow(self) -> float:
        return self.quickest + 4 * (self.median - self.quickest)


def usual(rows: Sequence[Sample]) -> Usual:
    took = [row.ended - row.sent for row in rows if row.ok]
    return Usual(min(took), median(took)) if took else Usual(0.0, 0.0)


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


def untold(row: Sample) -> bool:
    return row.cause in {Cause.TIMEOUT, Cause.NONE}


def went(rows: Sequence[Sample], first: int, usual: Usual) -> Edge:
    """When the outage whose first request has index ``first`` began: between the last answer and the first failure."""
    bad = list(takewhile(lambda row: not row.ok, rows[first:]))
    proofs = [min(row.ended, row.sent + usual.median) if untold(row) else row.ended for row in bad]
    failed = min(proofs)
    sent = rows[first].sent
    horizon = 2 * sent - failed - usual.slow
    before = [row for row in rows[:first] if row.ok]
    quick = [row.ended for row in before if row.ended - row.sent <= usual.slow]
    waited = [row for row in before if row.ended - row.sent > usual.slow and row.sent >= horizon]
    told = [row.ended for row in waited if row.ended <= failed + usual.slow]
    answered = max([rows[max(first - 1, 0)].sent, *quick, *told])
    latest, earliest = max(answered, failed), min(answered, failed)
    then = next((row.cause for row in bad if row.sent >= failed), None)
    if bad[proofs.index(failed)].cause is Cause.BROKEN and then is Cause.REFUSED:
        earliest = max(earliest, latest - TOLD_SECONDS)
    return Edge(earliest, latest)


def came_back(rows: Sequence[Sample], last: int, usual: Usual) -> Edge | None:
    """When the outage whose last request has index ``last`` ended: between the last failure and the first success;
    None when nothing was ok after it."""
    good = [row for row in rows[last + 1 :] if row.ok]
    if not good:
        return None
    bad = [row for row in rows[max(0, last - TAIL + 1) : last + 1] if not row.ok]
    down = max(row.sent if untold(row) else row.ended for row in bad)
    took = next((row.ended - row.sent for row in reversed(bad) if not untold(row)), 0.0)
    answered = min(row.ended for row in good)
    good = [row for row in good if row.sent < answered]
    waited = [r for r in good if r.sent < answered - 2 * usual.slow and r.ended <= answered + usual.slow]
    if len(waited) >= HELD:
        return Edge(answered - usual.quickest, answered)
    up = min(row.ended if took >= usual.quickest else arrived(row, took, usual) for row in good)
    return Edge(min(down, up), max(down, up))


def arrived(row: Sample, took: float, usual: Usual) -> float:
    return min(max(row.sent + took, row.ended - usual.median), row.ended)


def first_of(one: Edge, other: Edge) -> Edge:
    if one.latest < other.earliest or other.latest < one.earliest:
        return min(one, other, key=lambda edge: edge.at)
    return Edge(max(one.earliest, other.earliest), min(one.latest, other.latest))


def outages(samples: Samples, start: float, end: float) -> list[Outage]:
    """All outages that touch [start, end), cut to it, in the order of time."""
    found = [each for kind in Kind for each in _of_kind(samples, kind, start, end)]
    merged = _merged(sorted(found, key=lambda each: each.began.at))
    return [_cut(each, start, end) for each in merged]


def longest_outage(samples: Samples, start: float, end: float) -> Outage | None:
    """The longest of `outages`; None when there was none."""
    return max(outages(samples, start, end), key=lambda each: each.seconds, default=None)


class _Stretch(NamedTuple):
    began: Edge
    ended: Edge
    requests: int
    open: bool


def _of_kind(samples: Samples, kind: Kind, start: float, end: float) -> list[_Stretch]:
    rows = evidence(samples, kind)
    pace = usual(rows)
    found = []
    for first, last in runs(rows):
        if rows[last].intended < start or rows[first].intended >= end:
            continue
        ended = came_back(rows, last, pace)
        known = max(rows[last].sent, min(end, samples.complete_until))
        over = ended or Edge(known, known)
        found.append(_Stretch(went(rows, first, pace), over, last - first + 1, open=ended is None))
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


class _Rule(NamedTuple):
    fault_at: float
    share: float
    window: float
    end: float


def recovery(samples: Samples, fault_at: float, share: float, window: float, until: float | None = None) -> Recovery:
    """Recovery from the fault at ``fault_at``, judged by requests that were due before ``until``.

    ``share`` 0–1 of requests must be ok in every ``window`` of seconds from then on, and at least one whole window
    must have been watched. NotMeasured when no request was due after the fault.
    """
    end = samples.complete_until if until is None else min(until, samples.complete_until)
    rule = _Rule(fault_at, share, window, end)
    looked_at = [rows for kind in Kind if (rows := evidence(samples, kind))]
    after = [row for rows in looked_at for row in rows if fault_at <= row.intended < end]
    if not after:
        raise NotMeasured("recovery time", "no request was observed after the fault")
    hurt_at = min((row.intended for row in after if not row.ok), default=None)
    edges = [_edge(rows, rule) for rows in looked_at]
    known = [edge for edge in edges if edge is not None]
    if len(known) < len(edges):
        last = _last(after, window)
        reason = f"at the end {sum(not row.ok for row in last) / len(last):.0%} of requests still failed"
        return Recovery(None, 0.0, None, hurt_at, None, None, reason)
    return _result(reduce(last_of, known), rule, hurt_at, _blind(samples, rule))


def _last(rows: Sequence[Sample], window: float) -> list[Sample]:
    end = max(row.intended for row in rows)
    return [row for row in rows if row.intended > end - window]


def _result(edge: Edge, rule: _Rule, hurt_at: float | None, blind: float | None) -> Recovery:
    if blind is not None and blind > edge.latest:
        edge = Edge(edge.earliest, blind)
    if edge.latest + rule.window > rule.end + 1e-6:
        watched = max(0.0, rule.end - edge.latest)
        reason = f"it was watched for only {watched:.1f} s after that, of the {rule.window:g} s that it must last"
        return Recovery(None, 0.0, None, hurt_at, None, None, reason)
    lowest, highest = (max(0.0, moment - rule.fault_at) for moment in (edge.earliest, edge.latest))
    middle = round((lowest + highest) / 2, 6)  # whole microseconds, which the steps can add up to
    return Recovery(middle, max(highest - middle, middle - lowest), rule.fault_at + middle, hurt_at, lowest, highest)


def _edge(rows: Sequence[Sample], rule: _Rule) -> Edge | None:
    """When requests of one kind were served again; the fault itself when they always were; None when not."""
    failed = [index for index, row in enumerate(rows) if not row.ok and rule.fault_at <= row.intended < rule.end]
    last = _last_of_outage(rows, failed, rule)
    if last is None:
        return Edge(rule.fault_at, rule.fault_at)
    edge = came_back(rows, last, usual(rows))
    return edge if edge is not None and edge.latest < rule.end else None


def _last_of_outage(rows: Sequence[Sample], failed: Sequence[int], rule: _Rule) -> int | None:
    """Index of the last request of the last outage that broke ``rule``; without one, of the longest run of two or
    more; None when only single requests failed."""
    breach = _last_breach(rows, failed, rule)
    if breach is None:
        inside = [(first, last) for first, last in runs(rows) if last in set(failed) and last > first]
        return max(inside, key=lambda run: run[1] - run[0])[1] if inside else None
    last = failed[breach]
    for index in failed[breach + 1 :]:
        if index - last > CLOSE:
            break
        last = index
    return last


def _last_breach(rows: Sequence[Sample], failed: Sequence[int], rule: _Rule) -> int | None:
    """Place in ``failed`` of the last request from which on a window holds too few ok ones."""
    usual = len(rows) * rule.window / max(rows[-1].intended - rows[0].intended, rule.window)
    past = len(failed)  # the first place beyond the window
    stop = len(rows)  # the first row beyond the window
    for place in reversed(range(len(failed))):
        until = rows[failed[place]].intended + rule.window
        while past > 0 and rows[failed[past - 1]].intended >= until:
            past -= 1
        while stop > 0 and rows[stop - 1].intended >= until:
            stop -= 1
        if past - place > (1 - rule.share) * max(stop - failed[place], usual):
            return place
    return None


def _blind(samples: Samples, rule: _Rule) -> float | None:
    """The end of the last stretch after the fault in which so little was sent that an outage could hide in it."""
    limit = max(BLIND_GAPS * samples.gap, BLIND_SECONDS)
    sent = [row.sent for kind in Kind for row in evidence(samples, kind) if row.sent < rule.end]
    moments = sorted([*sent, rule.fault_at, rule.end])
    edges = [(max(a, rule.fault_at), b) for a, b in pairwise(moments) if b > rule.fault_at]
    return max((b for a, b in edges if b - a > limit), default=None)


def between(rows: Sequence[Sample], start: float, end: float) -> list[Sample]:
    return [row for row in rows if start <= row.intended < end]


def availability(samples: Samples, start: float, end: float) -> Availability:
    rows = between(samples.rows, start, end)
    planned = max(samples.planned(start, end), len(rows))
    if not rows:
        raise NotMeasured("availability", "")
    known = Counter(row.outcome for row in rows if observed(row, samples.header.timeout_seconds))
    ok, failed, unknown = (known[outcome] for outcome in (Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN))
    return Availability(planned, ok, failed, unknown, planned - ok - failed - unknown)


def latency(samples: Samples, start: float, end: float, excluding: Sequence[tuple[float, float]] = ()) -> Percentiles:
    values = sorted(
        row.latency
        for row in between(samples.rows, start, end)
        if row.ok and not any(begin <= row.intended < stop for begin, stop in excluding)
    )
    if not values:
        raise NotMeasured("latency", "")
    p50, p95, p99 = (values[max(0, math.ceil(share * len(values)) - 1)] for share in (0.5, 0.95, 0.99))
    return Percentiles(len(values), p50, p95, p99, values[-1])


def served_by(samples: Samples, start: float, end: float) -> tuple[dict[str, int], int]:
    rows = between(samples.rows, start, end)
    counts = Counter(row.region for row in rows if row.ok)
    return dict(counts), len(rows) - sum(counts.values())


def serving_region(samples: Samples, start: float, end: float) -> str | None:
    counts = Counter(row.region for row in between(samples.rows, start, end) if row.ok)
    return counts.most_common(1)[0][0] if counts else None


def trust(samples: Samples, begin: float, stop: float) -> Trust:
    rows = [row for row in between(samples.rows, begin, stop) if not math.isnan(row.sent)]
    late = sorted(row.sent - row.intended for row in rows) or [0.0]
    moments = sorted((begin, *(row.sent for row in rows), stop))
    p50, p99 = (late[max(0, math.ceil(share * len(late)) - 1)] for share in (0.5, 0.99))
    longest = max(later - earlier for earlier, later in pairwise(moments))
    return Trust(samples.planned(begin, stop), len(rows), longest, late[-1], p99, p50)


def longest_silence(samples: Samples, start: float, end: float) -> tuple[float, float]:
    moments = [start, *(row.intended for row in between(samples.rows, start, end) if row.ok), end]
    return max(pairwise(moments), key=lambda pair: pair[1] - pair[0])


def warm(samples: Samples, fault_at: float, home_region: str, reads: int, share: float) -> float | None:
    rows = [row for row in samples.rows if row.intended >= fault_at and row.region and row.region != home_region]
    last: deque[bool] = deque(maxlen=reads)
    for row in sorted((row for row in rows if row.ok and row.cache is not Cache.NONE), key=lambda row: row.ended):
        last.append(row.cache is Cache.HIT)
        if len(last) == reads and sum(last) >= share * reads:
            return row.ended
    return None

"""When users were served again for good. Pure.

The service counts as recovered from the moment after which every window of the given length, until the end of what
is looked at, holds at least the given share of ok requests: of reads and of writes each, so that reads from a cache
do not hide that nothing can be written. So an outage that comes back later, within what is looked at, belongs to
the recovery time. Failed requests that follow each other closely belong to one outage even when a few succeed
between them. What the observer did not watch makes the error bar longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

from blackstart.errors import NotMeasured
from blackstart.observer.outages import Edge, came_back, evidence, fastest, last_of, runs
from blackstart.observer.samples import Kind, Sample, Samples

CLOSE = 10  # a failed request within this many requests of the one before belongs to the same outage
BLIND_GAPS = 5  # this many sampling gaps (and at least BLIND_SECONDS) without a request may hide an outage
BLIND_SECONDS = 0.25


@dataclass(frozen=True)
class Recovery:
    """``seconds`` from the fault until users were served again, ± ``error_seconds``; None when they were not.

    ``at`` is that moment in seconds since the origin; ``lowest`` and ``highest`` are the ends of the error bar,
    seconds from the fault. ``hurt_at``: when the first request after the fault that was not ok was due; None when
    there was none, and then ``seconds`` is 0. ``reason``: why ``seconds`` is None, as the end of a sentence.
    """

    seconds: float | None
    error_seconds: float
    at: float | None
    hurt_at: float | None
    lowest: float | None
    highest: float | None
    reason: str = ""


@dataclass(frozen=True)
class _Rule:
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
    edge = came_back(rows, last, fastest(rows))
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

"""When users were served again for good. Pure.

The service counts as recovered from the moment after which every window of the given length, until the end of what
is looked at, holds at least the given share of ok requests: of reads and of writes of each journey, so that reads
from a cache do not hide that nothing can be written. Where a latency is asked for as well, a slower answer does not
count as ok. So an outage that comes back later, within what is looked at, belongs to the recovery time. Failed
requests that follow each other closely belong to one outage even when a few succeed between them. What the observer
did not watch makes the error bar longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from blackstart.errors import NotMeasured
from blackstart.observer.outages import Edge, last_of
from blackstart.observer.samples import Samples
from blackstart.observer.sending import in_order
from blackstart.observer.streams import Places, Stream, judged, streams
from blackstart.observer.table import chunks

CLOSE = 10  # a failed request within this many requests of the one before belongs to the same outage
BLIND_GAPS = 5  # this many sampling gaps (and at least BLIND_SECONDS) without a request may hide an outage
BLIND_SECONDS = 0.25


@dataclass(frozen=True)
class Recovery:
    """``seconds`` from the fault until users were served again, ± ``error_seconds``; None when they were not.

    ``at`` is that moment in seconds since the origin; ``lowest`` and ``highest`` are the ends of the error bar,
    seconds from the fault. ``hurt_at``: when the first request after the fault that was not ok was due; None when
    there was none, and then ``seconds`` is 0. ``reason``: why ``seconds`` is None, as the end of a sentence.
    ``doubt``: why ``seconds`` cannot be relied on, likewise.
    """

    seconds: float | None
    error_seconds: float
    at: float | None
    hurt_at: float | None
    lowest: float | None
    highest: float | None
    reason: str = ""
    doubt: str = ""


@dataclass(frozen=True)
class _Rule:
    fault_at: float
    share: float
    window: float
    end: float
    slowest: float | None

    def span(self, stream: Stream) -> tuple[int, int]:
        """The first place in ``stream`` that is judged, and the first after those."""
        first = stream.place(self.fault_at)
        return first, max(first, stream.place(self.end))


def recovery(  # noqa: PLR0917  # an objective has as many parts
    samples: Samples,
    fault_at: float,
    share: float,
    window: float,
    until: float | None = None,
    slowest: float | None = None,
    of: Sequence[Stream] | None = None,
) -> Recovery:
    """Recovery from the fault at ``fault_at``, judged by requests that were due before ``until``.

    ``share`` 0–1 of requests must be ok, within ``slowest`` seconds if that is given, in every ``window`` of seconds
    from then on, and at least one whole window must have been watched. ``of``: its streams, where they are known and
    no ``slowest`` is asked. NotMeasured when no request was due after the fault.
    """
    end = samples.complete_until if until is None else min(until, samples.complete_until)
    rule = _Rule(fault_at, share, window, end, slowest)
    looked_at = judged(streams(samples, slowest) if of is None or slowest is not None else of, window)
    spans = [rule.span(stream) for stream in looked_at]
    if all(first == last for first, last in spans):
        raise NotMeasured("recovery time", "no request was observed after the fault")
    hurt_at = _hurt_at(looked_at, spans)
    edges = [_edge(stream, rule) for stream in looked_at]
    known = [edge for edge in edges if edge is not None]
    if len(known) < len(edges):
        return Recovery(None, 0.0, None, hurt_at, None, None, _still_failing(looked_at, spans, rule))
    return _result(reduce(last_of, known), rule, hurt_at, _blind(samples, rule))


def _hurt_at(looked_at: Sequence[Stream], spans: Sequence[tuple[int, int]]) -> float | None:
    moments = []
    for stream, (first, last) in zip(looked_at, spans, strict=True):
        bad = ~stream.good[first:last]
        if bad.any():
            moments.append(float(stream.intended(np.array([first + int(bad.argmax())]))[0]))
    return min(moments, default=None)


def _still_failing(looked_at: Sequence[Stream], spans: Sequence[tuple[int, int]], rule: _Rule) -> str:
    """How much failed in the last window in which something was due."""
    inside = [(stream, first, last) for stream, (first, last) in zip(looked_at, spans, strict=True) if last > first]
    end = max(float(stream.intended(np.array([last - 1]))[0]) for stream, _, last in inside)
    after = np.nextafter(end - rule.window, np.inf)
    good = [stream.good[max(first, stream.place(float(after))) : last] for stream, first, last in inside]
    bad, count = sum(int((~each).sum()) for each in good), sum(map(len, good))
    failed = "failed" if rule.slowest is None else f"failed or took longer than {rule.slowest:g} s"
    return f"at the end {bad / count:.0%} of requests still {failed}"


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


def _edge(stream: Stream, rule: _Rule) -> Edge | None:
    """When requests of one stream were served again; the fault itself when they always were; None when not."""
    last = _last_of_outage(stream, rule)
    if last is None:
        return Edge(rule.fault_at, rule.fault_at)
    earliest, latest = (float(moment[0]) for moment in stream.came_back(np.array([last])))
    return Edge(earliest, latest) if latest < rule.end else None  # nan: it did not


def _last_of_outage(stream: Stream, rule: _Rule) -> int | None:
    """Place of the last request of the last outage that broke ``rule``; without one, of the longest run of two or
    more; None when only single requests failed."""
    first, last = rule.span(stream)
    failed = first + np.flatnonzero(~stream.good[first:last])
    breach = _last_breach(stream, failed, rule)
    if breach is not None:
        far = np.diff(failed[breach:]) > CLOSE
        return int(failed[breach + (int(far.argmax()) if far.any() else len(far))])
    firsts, lasts = stream.runs
    inside = (lasts >= first) & (lasts < last) & (lasts > firsts)
    if not inside.any():
        return None
    return int(lasts[inside][(lasts - firsts)[inside].argmax()])


def _last_breach(stream: Stream, failed: Places, rule: _Rule) -> int | None:
    """Place in ``failed`` of the last request from which on a window holds too few ok ones."""
    if not len(failed):
        return None
    usual = stream.in_window(rule.window)
    for part in reversed(list(chunks(len(failed)))):
        here = failed[part]
        stops = stream.places(stream.intended(here) + rule.window)  # the first beyond each window
        bad = np.searchsorted(failed, stops) - np.arange(part.start, part.stop)
        breaks = np.flatnonzero(bad > (1 - rule.share) * np.maximum(stops - here, usual))
        if len(breaks):
            return int(part.start + breaks[-1])
    return None


def _blind(samples: Samples, rule: _Rule) -> float | None:
    """The end of the last stretch after the fault in which so little was sent that an outage could hide in it."""
    limit, last, found = max(BLIND_GAPS * samples.gap, BLIND_SECONDS), rule.fault_at, None
    for part in in_order(samples.table, samples.observed):
        moments = part[(part > rule.fault_at) & (part < rule.end)]
        if not len(moments):
            continue
        wide = np.flatnonzero(np.diff(moments, prepend=last) > limit)
        found, last = float(moments[wide[-1]]) if len(wide) else found, float(moments[-1])
    return rule.end if rule.end - last > limit else found

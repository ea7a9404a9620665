"""Each journey of the users for itself: what all of them together may hide. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from blackstart.observer import analysis
from blackstart.observer.samples import Samples
from blackstart.observer.streams import Stream, streams


@dataclass(frozen=True)
class Apart:
    """What became of the requests of one journey: ``requests`` in all, of which ``failed`` were not served and
    ``unobserved`` tell nothing. ``latency`` of those that were ok outside the outage; None when there was none."""

    name: str
    protocol: str
    requests: int
    failed: int
    unobserved: int
    latency: analysis.Percentiles | None
    longest: analysis.Outage | None

    @property
    def availability(self) -> float:
        """The share (0–1) of its requests that were ok."""
        return (self.requests - self.failed - self.unobserved) / self.requests


def apart(samples: Samples, start: float, end: float, outage: Sequence[tuple[float, float]]) -> tuple[Apart, ...]:
    """The journeys of which a request was due in [start, end); none if there is only one."""
    inside = samples.between(start, end)
    codes = inside.journey
    if not len(codes) or codes.min() == codes.max():
        return ()
    every = streams(samples)
    return tuple(
        _apart(samples, inside, code, outage, [stream for stream in every if stream.journey == code])
        for code in range(int(codes.max()) + 1)
        if (codes == code).any()
    )


def _apart(
    samples: Samples, inside: Samples, code: int, outage: Sequence[tuple[float, float]], of: Sequence[Stream]
) -> Apart:
    start, end = inside.table.intended(np.array([0, -1])).tolist()
    its = inside.journey == code
    requests, known = int(np.count_nonzero(its)), inside.observed & its
    failed = int(np.count_nonzero(known & ~inside.ok))
    protocols = {journey.name: journey.protocol for journey in samples.header.journeys}
    name = samples.names("journey")[code]
    return Apart(
        name,
        protocols.get(name, ""),
        requests,
        failed,
        requests - int(np.count_nonzero(known)),
        analysis.latency_of(samples, start, end + samples.gap / 2, outage, code),
        analysis.outages(samples, start, end + samples.gap / 2, of).longest,
    )


def to_json(found: Sequence[Apart]) -> Mapping[str, Mapping[str, float | int | str | None]]:
    """By the journey's name, as the verdict has it."""
    return {
        each.name: {
            "protocol": each.protocol,
            "availability": round(each.availability, 6),
            "requests": each.requests,
            "failed": each.failed,
            "unobserved": each.unobserved,
            "p50": round(each.latency.p50, 6) if each.latency else None,
            "p95": round(each.latency.p95, 6) if each.latency else None,
            "p99": round(each.latency.p99, 6) if each.latency else None,
            "longest_outage_seconds": round(each.longest.seconds, 6) if each.longest else 0.0,
        }
        for each in found
    }

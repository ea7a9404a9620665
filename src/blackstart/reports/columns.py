"""Any number of samples as a few hundred columns. Pure; a million samples cost the bytes of a thousand.

Nothing that failed is averaged away: every column has its own count of failures, and they add up to the total.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

from blackstart.observer.outages import observed
from blackstart.observer.samples import Cause, Sample
from blackstart.reports.picture import Column

LEAST_FOR_PERCENTILES = 3


def edges(start: float, end: float, most: int, samples: int) -> list[float]:
    """Borders of at most ``most`` equal columns over [start, end], of at least four requests each on average."""
    wanted = max(min(most, samples // 4), 1)
    return [start + (end - start) * index / wanted for index in range(wanted + 1)]


def reduce(
    rows: Iterable[Sample], borders: Sequence[float], origin: float, regions: Sequence[str], timeout_seconds: float
) -> tuple[Column, ...]:
    """One Column between each two ``borders`` (seconds from ``origin``, which is in seconds since the drill's).

    Requests that the observer did not send in time tell nothing about the service and are left out, as they are from
    availability. Rows due outside the borders are left out too.
    """
    buckets = [_Bucket(len(regions) + 1) for _ in borders[1:]]
    places = {region: index for index, region in enumerate(regions)}
    for row in rows:
        at = row.intended - origin
        if at < borders[0] or at >= borders[-1] or not observed(row, timeout_seconds):
            continue
        bucket = buckets[bisect_right(borders, at) - 1]
        bucket.n += 1
        if row.ok:
            bucket.served[places.get(row.region, len(regions))] += 1
            bucket.latencies.append(row.latency)
        elif row.cause is Cause.TIMEOUT:
            bucket.timed_out += 1
    return tuple(bucket.column(*span) for bucket, span in zip(buckets, pairwise(borders), strict=True))


class _Bucket:
    """What has been counted of one column so far."""

    def __init__(self, regions: int) -> None:
        self.n = 0
        self.timed_out = 0
        self.served = [0] * regions
        self.latencies: list[float] = []

    def column(self, start: float, end: float) -> Column:
        values = sorted(self.latencies)
        enough = len(values) >= LEAST_FOR_PERCENTILES
        return Column(
            start,
            end,
            self.n,
            self.n - len(values),
            self.timed_out,
            tuple(self.served),
            _nearest(values, 0.05) if enough else None,
            _nearest(values, 0.50) if enough else None,
            _nearest(values, 0.95) if enough else None,
            values[-1] if values else None,
        )


def _nearest(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of sorted ``values``."""
    return values[max(math.ceil(share * len(values)) - 1, 0)]

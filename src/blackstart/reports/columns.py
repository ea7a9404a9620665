"""Any number of samples as a few hundred columns. Pure; a million samples cost the bytes of a thousand.

Nothing that failed is averaged away: every column has its own count of failures, and they add up to the total.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from blackstart.observer.samples import Cause, Outcome, Samples
from blackstart.observer.table import Table
from blackstart.reports.picture import Column

LEAST_FOR_PERCENTILES = 3


def edges(start: float, end: float, most: int, samples: int) -> list[float]:
    """Borders of at most ``most`` equal columns over [start, end], of at least four requests each on average."""
    wanted = max(min(most, samples // 4), 1)
    return [start + (end - start) * index / wanted for index in range(wanted + 1)]


def reduce(samples: Samples, borders: Sequence[float], origin: float, regions: Sequence[str]) -> tuple[Column, ...]:
    """One Column between each two ``borders`` (seconds from ``origin``, which is in seconds since the drill's).

    Requests that the observer did not send in time tell nothing about the service and are left out, as they are from
    availability. Those due outside the borders are left out too.
    """
    known = {region: index for index, region in enumerate(regions)}
    served = np.array([known.get(name, len(regions)) for name in samples.names("region")])
    made = _Reducer(samples.table, samples.observed, served, len(regions) + 1)
    places = samples.table.places(np.array(borders) + origin).tolist()
    edged = zip(pairwise(borders), pairwise(places), strict=True)
    return tuple(made.column(span, slice(first, last)) for span, (first, last) in edged)


@dataclass(frozen=True)
class _Reducer:
    """Works on the bare columns of the table: there are thousands of slices, most of them short."""

    table: Table
    observed: NDArray[np.bool_]
    served: NDArray[np.intp]
    regions: int

    def column(self, span: tuple[float, float], where: slice) -> Column:
        table = self.table
        observed, ok = self.observed[where], table.outcome[where] == Outcome.OK
        timed_out = (table.cause[where] == Cause.TIMEOUT) & observed & ~ok
        latencies, unit = (table.took[where][ok], 1e-6) if table.on_disk else (table.latency(where)[ok], 1.0)
        many, count = len(latencies), int(np.count_nonzero(observed))
        low, middle, high, most = _percentiles(latencies, unit)
        enough = many >= LEAST_FOR_PERCENTILES
        by_index = np.bincount(table.region[where][ok], minlength=len(self.served))
        return Column(
            *span,
            count,
            count - many,
            int(np.count_nonzero(timed_out)),
            tuple(np.bincount(self.served, by_index, self.regions).astype(int).tolist()),
            low if enough else None,
            middle if enough else None,
            high if enough else None,
            most,
        )


def _percentiles(latencies: NDArray[np.number], unit: float) -> list[float | None]:
    many = len(latencies)
    if not many:
        return [None] * 4
    ranks = [max(math.ceil(share * many) - 1, 0) for share in (0.05, 0.50, 0.95, 1.0)]
    latencies.partition(ranks)
    return [float(latencies[rank]) * unit for rank in ranks]

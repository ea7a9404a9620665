"""Any number of samples as a few hundred columns. Pure; a million samples cost the bytes of a thousand.

Nothing that failed is averaged away: every column has its own count of failures, and they add up to the total.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from blackstart.observer.samples import Cause, Samples
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
    places = {region: index for index, region in enumerate(regions)}
    served = np.array([places.get(name, len(regions)) for name in samples.names("region")])
    inside = samples.between(borders[0] + origin, borders[-1] + origin)
    return tuple(
        _column(inside.between(start + origin, end + origin), served, len(regions) + 1, (start, end))
        for start, end in pairwise(borders)
    )


def _column(samples: Samples, served: NDArray[np.intp], regions: int, span: tuple[float, float]) -> Column:
    observed, ok = samples.observed, samples.ok
    timed_out = observed & ~ok & (samples.cause == Cause.TIMEOUT)
    table = samples.table
    latencies, unit = (table.took[ok], 1e-6) if table.on_disk else (table.latency(ok), 1.0)
    ranks = [max(math.ceil(share * len(latencies)) - 1, 0) for share in (0.05, 0.50, 0.95, 1.0)]
    if len(latencies):
        latencies.partition(ranks)
    low, middle, high, most = (float(latencies[rank]) * unit if len(latencies) else None for rank in ranks)
    enough = len(latencies) >= LEAST_FOR_PERCENTILES
    count = int(np.count_nonzero(observed))
    by_index = np.bincount(samples.region[ok], minlength=len(served))
    return Column(
        *span,
        count,
        count - len(latencies),
        int(np.count_nonzero(timed_out)),
        tuple(np.bincount(served, by_index, regions).astype(int).tolist()),
        low if enough else None,
        middle if enough else None,
        high if enough else None,
        most,
    )

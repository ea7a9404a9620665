"""Percentiles by nearest rank: of what is in memory, and of many whole numbers without a copy of them. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

BINS = 13  # bits


def ranked(values: NDArray[np.number], shares: Sequence[float]) -> list[float]:
    """The nearest-rank percentiles of ``values``, which it puts into another order."""
    ranks = _ranks(len(values), shares)
    values.partition(ranks)
    return [float(values[rank]) for rank in ranks]


def ranked_parts(parts: Callable[[], Iterator[NDArray[np.uint32]]], shares: Sequence[float]) -> tuple[int, list[float]]:
    """How many values all ``parts`` hold, and their nearest-rank percentiles; none of no values.

    Counts them by their leading bits first, and looks only into the bins where a rank is: much cheaper than to put
    them all in order. ``parts`` is called three times.
    """
    most = max((int(part.max(initial=0)) for part in parts()), default=0)
    shift = max(0, most.bit_length() - BINS)
    counts = np.zeros((most >> shift) + 1, np.int64)
    for part in parts():
        counts += np.bincount(part >> shift, minlength=len(counts))
    upto = np.cumsum(counts)
    many = int(upto[-1])
    if not many:
        return 0, []
    ranks = np.array(_ranks(many, shares))
    bins = np.searchsorted(upto, ranks, side="right")
    wanted = np.zeros(len(counts), np.bool_)
    wanted[bins] = True
    inside = np.concatenate([part[wanted[part >> shift]] for part in parts()])
    less = upto - counts  # values in lesser bins …
    less_wanted = np.where(wanted, counts, 0).cumsum() - counts  # … and in lesser ones of those that are wanted
    places = (ranks - less[bins] + less_wanted[bins]).tolist()
    inside.partition(places)
    return many, [float(inside[place]) for place in places]


def _ranks(many: int, shares: Sequence[float]) -> list[int]:
    return [max(0, math.ceil(share * many) - 1) for share in shares]

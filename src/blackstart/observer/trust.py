"""How well the observer itself kept its schedule. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blackstart.errors import NotMeasured
from blackstart.observer.ranking import ranked, ranked_parts
from blackstart.observer.record import NEVER
from blackstart.observer.samples import Samples
from blackstart.observer.sending import in_order
from blackstart.observer.table import Table, chunks


@dataclass(frozen=True)
class Trust:
    """How well the observer itself kept its schedule. ``lateness``: from when a request was due until it was sent."""

    planned: int
    sent: int
    longest_gap_seconds: float
    worst_lateness_seconds: float
    p99_lateness_seconds: float
    p50_lateness_seconds: float = 0.0


def trust(samples: Samples, start: float | None = None, end: float | None = None) -> Trust:
    """How well the schedule of [start, end) was kept, by default of everything whose fate is known.

    NotMeasured when nothing was planned in it.
    """
    begin = samples.header.begin if start is None else start
    stop = samples.complete_until if end is None else end
    planned = samples.planned(begin, stop)
    if not planned:
        raise NotMeasured("the observer's own work", "nothing was planned in that time")
    table = samples.between(begin, stop).table
    longest = _longest_gap(table, begin, stop)
    sent, (p50, p99, worst) = _lateness(table, (0.5, 0.99, 1.0))
    return Trust(planned, sent, longest, worst, p99, p50)


def _lateness(table: Table, shares: Sequence[float]) -> tuple[int, list[float]]:
    """How many requests were sent, and percentiles of how late they left, in seconds; zeros of none."""
    if table.on_disk:
        late = table.late
        many, found = ranked_parts(lambda: (late[part][late[part] != NEVER] for part in chunks(table.size)), shares)
        return many, [each * 1e-6 for each in found] or [0.0] * len(shares)
    known = _known(table.late - table.due)
    return len(known), ranked(known, shares) if len(known) else [0.0] * len(shares)


def _longest_gap(table: Table, begin: float, stop: float) -> float:
    """Between each two moments at which something was sent, ``begin`` and ``stop``, in seconds."""
    longest, last = 0.0, begin
    for moments in in_order(table):
        if len(moments):
            among = np.insert(moments, np.searchsorted(moments, stop), stop) if last < stop < moments[-1] else moments
            longest, last = max(longest, float(np.diff(among, prepend=last).max())), float(moments[-1])
    return max(longest, stop - last)


def _known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[~np.isnan(values)]

"""How well the observer itself kept its schedule. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blackstart.errors import NotMeasured
from blackstart.observer.record import NEVER
from blackstart.observer.samples import Samples
from blackstart.observer.table import Table, chunks, collect, ranked


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
    late = _lateness(table)
    unit = 1e-6 if table.on_disk else 1.0
    p50, p99, worst = (rank * unit for rank in ranked(late, (0.5, 0.99, 1.0))) if len(late) else (0.0, 0.0, 0.0)
    return Trust(planned, len(late), longest, worst, p99, p50)


def _lateness(table: Table) -> NDArray[np.number]:
    """How late each request that was sent left, in microseconds if they were read from disk, else in seconds."""
    if table.on_disk:
        return collect(table.size, lambda part: table.late[part][table.late[part] != NEVER], np.uint32)
    return _known(table.late - table.due)


def _longest_gap(table: Table, begin: float, stop: float) -> float:
    """Between each two moments at which something was sent, ``begin`` and ``stop``, in seconds."""
    if table.on_disk:
        edges = [round(begin * 1e6), round(stop * 1e6)]
        first = min(*edges, *table.due[:1].tolist())
        last = max(*edges, *table.due[-1:].tolist()) + int(table.late.max(initial=0, where=table.late != NEVER))
        kind, unit = np.uint32 if last - first <= NEVER else np.int64, 1e-6  # of an hour, half the memory will do

        def sent(part: slice) -> NDArray[np.int64]:
            late = table.late[part]
            moments: NDArray[np.int64] = (table.due[part] - first + late)[late != NEVER]
            return moments

        moments = collect(table.size, sent, kind, [edge - first for edge in edges])
    else:
        moments, unit = collect(table.size, lambda part: _known(table.late[part]), np.float64, [begin, stop]), 1.0
    moments.sort()
    return unit * max(
        float(np.diff(moments[part.start : part.stop + 1]).max(initial=0)) for part in chunks(len(moments))
    )


def _known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[~np.isnan(values)]

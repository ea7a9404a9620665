"""What the big picture shows, as data. All times in seconds from the fault (or from the first sample without one)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Column:
    """The requests that were due in one slice of time, ``start`` to ``end``.

    ``failed`` counts every request that was not ok in time, ``timed_out`` those of them that got no answer at all.
    ``served`` counts ok answers by region (same order as Picture.regions; the last entry is "region not told").
    Latencies in seconds, of ok requests only; None from fewer than three of them (``slowest``: from none).
    """

    start: float
    end: float
    n: int
    failed: int
    timed_out: int
    served: tuple[int, ...]
    p5: float | None = None
    p50: float | None = None
    p95: float | None = None
    slowest: float | None = None


@dataclass(frozen=True)
class Span:
    """A named stretch of time."""

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class Picture:
    """Everything that is drawn, computed beforehand.

    ``origin`` is the wall time of 0. ``fault`` names what was done ("region us-east-1 lost"), None if nothing was.
    ``recovered`` and ``undone_from`` are None where that did not happen; ``fault_end`` is where the fault's bar ends.
    ``lost`` are the times at which lost writes were acknowledged; None if the ledger was never checked.
    ``before`` and ``after`` are the short latency sentences under the curve.
    """

    start: float
    end: float
    origin: datetime
    columns: Sequence[Column]
    regions: Sequence[str]
    home: str
    timeout_seconds: float
    fault: str | None = None
    fault_end: float = 0.0
    fault_text: str = ""
    recovered: float | None = None
    recovery_text: str = ""
    outage: Span | None = None
    steps: Sequence[Span] = ()
    undone_from: float | None = None
    lost: Sequence[float] | None = None
    lost_text: str = ""
    before: str = ""
    after: str = ""
    description: str = ""


@dataclass(frozen=True)
class Ribbon:
    """One stretch of the "served by" row: ``region`` is "" for nobody; ``whole`` if it answered (nearly) all."""

    region: str
    whole: bool
    start: float
    end: float


def ribbons(columns: Sequence[Column], regions: Sequence[str]) -> list[Ribbon]:
    """Neighbouring columns that were served alike, merged. Columns without requests end a stretch."""
    merged: list[Ribbon] = []
    for column in columns:
        if column.n == 0:
            continue
        region, whole = _served(column, regions)
        last = merged[-1] if merged else None
        if last and last.region == region and last.whole == whole and column.start - last.end < 1e-6:
            merged[-1] = Ribbon(region, whole, last.start, column.end)
        else:
            merged.append(Ribbon(region, whole, column.start, column.end))
    return merged


def _served(column: Column, regions: Sequence[str]) -> tuple[str, bool]:
    most = max(range(len(column.served)), key=lambda index: column.served[index])
    ok = column.served[most]
    if ok == 0:
        return "", True
    name = regions[most] if most < len(regions) else "?"
    # One failure in a column of a handful is a mark in the row below, not a change of who serves.
    return name, ok >= 0.8 * column.n or column.n - ok <= 1


@dataclass(frozen=True)
class Cluster:
    """Failures near each other outside the outage: ``failed`` of them between ``start`` and ``end``."""

    failed: int
    start: float
    end: float


def clusters(picture: Picture, gap: float) -> list[Cluster]:
    """Failures outside the outage, those less than ``gap`` seconds apart counted together."""
    found: list[Cluster] = []
    outage = picture.outage
    for column in picture.columns:
        if not column.failed or (outage and column.start < outage.end and column.end > outage.start):
            continue
        if found and column.start - found[-1].end < gap:
            found[-1] = Cluster(found[-1].failed + column.failed, found[-1].start, column.end)
        else:
            found.append(Cluster(column.failed, column.start, column.end))
    return found

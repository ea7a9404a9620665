"""Did a cache stop answering? What users see of it, when nothing fails: reads that the cache misses, in a row. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from blackstart.journals import numbers
from blackstart.observer.samples import Cache, Sample

LAST_READS = 50  # before the fault, to know what is usual: a cache may have had to fill when the drill began
# In a row: of a cache that misses one read in ten, chance makes such a run about once in 100,000 reads. And three times
# as many as was usual, for caches that miss more.
LEAST_MISSES, TIMES_USUAL = 5, 3


def colder(before: Sequence[Sample], after: Sequence[Sample], fault_at: float) -> Iterable[str]:
    """One sentence if users saw the cache miss many more reads in a row ``after`` the fault than ``before``."""
    usual, now = list(_told(before))[-LAST_READS:], list(_told(after))
    if len(usual) < LAST_READS:
        return
    worst = max(_misses(now), key=len, default=[])
    most = max(map(len, _misses(usual)), default=0)
    if len(worst) >= max(LEAST_MISSES, TIMES_USUAL * most):
        first = numbers.offset(worst[0].intended - fault_at)
        yield f"the cache missed {len(worst)} reads in a row from {first}, and at most {most} just before the fault"


def _told(rows: Sequence[Sample]) -> Iterator[Sample]:
    return (row for row in rows if row.ok and row.cache is not Cache.NONE)


def _misses(rows: Sequence[Sample]) -> Iterator[list[Sample]]:
    return (list(run) for missed, run in groupby(rows, key=lambda row: row.cache is Cache.MISS) if missed)

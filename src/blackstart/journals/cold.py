"""Did a cache stop answering? What users see of it, when nothing fails: reads that the cache misses, in a row. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from blackstart.journals import numbers
from blackstart.observer.samples import Cache, Outcome, Samples
from blackstart.observer.table import chunks, collect

LAST_READS = 50  # before the fault, to know what is usual: a cache may have had to fill when the drill began
# In a row: of a cache that misses one read in ten, chance makes such a run about once in 100,000 reads. And three times
# as many as was usual, for caches that miss more.
LEAST_MISSES, TIMES_USUAL = 5, 3


def colder(before: Samples, after: Samples, fault_at: float) -> Iterable[str]:
    """One sentence if users saw the cache miss many more reads in a row ``after`` the fault than ``before``."""
    usual, now = _last_told(before), _told(after)
    if len(usual) < LAST_READS:
        return
    most, _ = _longest_run(before.cache[usual] == Cache.MISS)
    worst, first = _longest_run(after.cache[now] == Cache.MISS)
    if worst >= max(LEAST_MISSES, TIMES_USUAL * most):
        since = numbers.offset(after.table.intended(now[first : first + 1])[0] - fault_at)
        yield f"the cache missed {worst} reads in a row from {since}, and at most {most} just before the fault"


def _told(samples: Samples) -> NDArray[np.uint32]:
    """The places of the answers that say whether the cache had it."""
    return collect(len(samples), lambda part: _told_in(samples, part), np.uint32)


def _last_told(samples: Samples) -> NDArray[np.intp]:
    """The last `LAST_READS` of them."""
    found = np.empty(0, np.intp)
    for part in reversed(list(chunks(len(samples)))):
        if len(found) >= LAST_READS:
            break
        found = np.concatenate((_told_in(samples, part), found))
    return found[-LAST_READS:]


def _told_in(samples: Samples, part: slice) -> NDArray[np.intp]:
    told = (samples.outcome[part] == Outcome.OK) & (samples.cache[part] != Cache.NONE)
    found: NDArray[np.intp] = np.flatnonzero(told) + part.start
    return found


def _longest_run(missed: NDArray[np.bool_]) -> tuple[int, int]:
    """How many True the longest unbroken run of them has, the first one if several are; and where it begins."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], missed, [False]))))
    if not len(edges):
        return 0, 0
    lengths = edges[1::2] - edges[::2]
    longest = int(lengths.argmax())
    return int(lengths[longest]), int(edges[2 * longest])

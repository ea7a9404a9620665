"""Requests that stand and fall together: the reads, or the writes, of one journey. Pure.

One stream may work without the others, so each is judged for itself. Only requests that say something about the
service are in it. Places count the requests of the stream, from 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from blackstart.observer import edges
from blackstart.observer.record import Outcome
from blackstart.observer.samples import Floats, Mask, Samples
from blackstart.observer.table import Table, Where, chunks

Places = NDArray[np.intp]
LEAST = 5  # requests in a window


@dataclass(frozen=True, eq=False)
class Stream:
    """``rows`` of ``table``, in the order in which they were due, and which of them were ``good``: ok, and quick enough
    where that is asked."""

    table: Table
    rows: NDArray[np.uint32]
    good: Mask

    def __len__(self) -> int:
        return len(self.rows)

    def intended(self, where: Where) -> Floats:
        """When these were due, in seconds since the origin; as are `sent` and `ended`."""
        return self.table.intended(self.rows[where])

    def sent(self, where: Where) -> Floats:
        return self.table.sent(self.rows[where])

    def ended(self, where: Where) -> Floats:
        return self.table.ended(self.rows[where])

    @property
    def journey(self) -> int:
        """Of its requests."""
        return int(self.table.journey[self.rows[0]])

    def in_window(self, seconds: float) -> float:
        """How many requests are due in so many seconds, on average."""
        first, last = self.intended(np.array([0, -1])).tolist()
        return float(len(self) * seconds / max(last - first, seconds))

    def place(self, moment: float) -> int:
        """The first that was due at ``moment`` or later."""
        return int(np.searchsorted(self.rows, np.uint32(self.table.place(moment))))

    def places(self, moments: Floats) -> Places:
        """`place` of each of many."""
        # Keys of another type would make numpy copy all rows to theirs, each time.
        found: Places = np.searchsorted(self.rows, self.table.places(moments).astype(np.uint32))
        return found

    @cached_property
    def usual(self) -> edges.Pace:
        """How long its good requests take."""
        return edges.pace(self)

    @cached_property
    def runs(self) -> tuple[Places, Places]:
        """The first and the last place of each unbroken run of requests that were not good."""
        turns = [np.flatnonzero(self.good[part.start + 1 : part.stop + 1] != self.good[part]) + part.start
                 for part in chunks(len(self) - 1)]  # fmt: skip
        before = np.concatenate([np.empty(0, np.intp), *turns])  # the last places before good becomes bad, or bad good
        firsts, lasts = before[self.good[before]] + 1, before[~self.good[before]]
        if len(self) and not self.good[0]:
            firsts = np.concatenate(([0], firsts))
        if len(self) and not self.good[-1]:
            lasts = np.append(lasts, len(self) - 1)
        return firsts, lasts

    def went(self, firsts: Places) -> tuple[Floats, Floats]:
        """When outages whose first requests have these places began: the earliest and latest moments."""
        return edges.went(self, firsts, self.usual)

    def came_back(self, lasts: Places) -> tuple[Floats, Floats]:
        """When outages whose last requests have these places ended: the earliest and latest moments; nan when nothing
        was good after them."""
        earliest, latest = np.full(len(lasts), np.nan), np.full(len(lasts), np.nan)
        after = self._next_good(lasts)
        over = after < len(self)
        if not over.any():
            return earliest, latest
        earliest[over], latest[over] = edges.came_back(self, lasts[over], after[over], self.usual)
        return earliest, latest

    def _next_good(self, lasts: Places) -> Places:
        """The first good request after each; the length of the stream if there is none."""
        _, ends = self.runs
        after = lasts + 1
        inside = after < len(self)
        inside[inside] = ~self.good[after[inside]]  # most runs end where they were said to
        after[inside] = ends[np.searchsorted(ends, after[inside])] + 1
        return after


def streams(samples: Samples, slowest: float | None = None) -> list[Stream]:
    """The streams of ``samples``, by journey and then reads before writes. Good is what was ok and, if asked, took at
    most ``slowest`` seconds from when it was due."""
    table = samples.table
    counts = np.zeros(1 << 9, np.int64)
    for part in chunks(table.size):
        counts += np.bincount(_keys(table.part(part))[samples.observed[part]], minlength=len(counts))
    return [_stream(samples, int(key), int(counts[key]), slowest) for key in np.flatnonzero(counts)]


def judged(found: Sequence[Stream], window: float) -> list[Stream]:
    """``found``, so that each has enough requests in a ``window`` of seconds for their share to mean something.

    Of several journeys, streams with less than `LEAST` are judged together; if that is still too little, together
    with the smallest other one. They always count, but never alone.
    """
    if len({stream.journey for stream in found}) < 2:
        return list(found)
    found = sorted(found, key=len)
    few = [stream for stream in found if stream.in_window(window) < LEAST]
    enough = found[len(few) :]
    while enough and few and sum(stream.in_window(window) for stream in few) < LEAST:
        few.append(enough.pop(0))
    return [*enough, *([_together(few)] if few else [])]


def _together(found: Sequence[Stream]) -> Stream:
    rows = np.concatenate([stream.rows for stream in found])
    order = np.argsort(rows)
    good = np.concatenate([stream.good for stream in found])
    return Stream(found[0].table, rows[order], good[order])


def _stream(samples: Samples, key: int, count: int, slowest: float | None) -> Stream:
    table, rows, good, done = samples.table, np.empty(count, np.uint32), np.empty(count, np.bool_), 0
    for part in chunks(table.size):
        here = table.part(part)
        which = np.flatnonzero(samples.observed[part] & (_keys(here) == key))
        now = slice(done, done + len(which))
        rows[now] = which + part.start
        good[now] = here.outcome[which] == Outcome.OK
        if slowest is not None:
            good[now] &= here.ended(which) - here.intended(which) <= slowest
        done = now.stop
    return Stream(table, rows, good)


def _keys(table: Table) -> NDArray[np.integer]:
    return table.journey * np.uint16(2) + table.kind if table.journey.any() else table.kind

"""When users were not served: the edges of outages, from the requests on either side of them. Pure.

An edge lies between two moments, ``earliest`` and ``latest``; the figure given is the middle, ± half of what lies
between. With a service that refuses, these are the last request of the one sort and the first of the other. With a
service that hangs and then answers everything at once, a request that was due long before the end may still be
answered in time; so the end of an outage is told by when answers *came*: not later than the first answer, less the
time that the fastest answer of all took.

Reads and writes are told apart, and so are journeys (see `streams`), since one may work without the other: an outage
of any is an outage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from blackstart.observer.samples import LATE_SHARE, Samples
from blackstart.observer.streams import Stream, streams
from blackstart.observer.table import chunks

__all__ = ["LATE_SHARE", "Edge", "Outage", "Outages", "last_of", "longest_outage", "outages"]


@dataclass(frozen=True)
class Edge:
    """A moment known to lie in [earliest, latest], seconds since the origin."""

    earliest: float
    latest: float

    @property
    def at(self) -> float:
        return (self.earliest + self.latest) / 2

    @property
    def error_seconds(self) -> float:
        return (self.latest - self.earliest) / 2


@dataclass(frozen=True)
class Outage:
    """A stretch in which every request, of at least one stream, was not ok. ``began`` and ``ended`` in seconds since
    the origin, its length ± ``error_seconds``; ``requests`` were not ok in it. ``open``: the data ends before it does.
    """

    began: float
    ended: float
    error_seconds: float
    requests: int
    open: bool = False

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class Outages(Sequence[Outage]):
    """Outages in the order of time, kept as columns: a service that flaps for long has hundreds of thousands."""

    def __init__(self, stretches: NDArray[np.void], start: float, end: float) -> None:
        middles = [(stretches[f"{edge}_0"] + stretches[f"{edge}_1"]) / 2 for edge in ("began", "ended")]
        halves = [(stretches[f"{edge}_1"] - stretches[f"{edge}_0"]) / 2 for edge in ("began", "ended")]
        self._began, self._ended = np.maximum(middles[0], start), np.minimum(middles[1], end)
        self._error = halves[0] + np.where(stretches["open"], 0.0, halves[1])
        self._requests, self._open = stretches["requests"], stretches["open"]

    def __len__(self) -> int:
        return len(self._began)

    @overload
    def __getitem__(self, place: int) -> Outage: ...
    @overload
    def __getitem__(self, place: slice) -> list[Outage]: ...
    def __getitem__(self, place: int | slice) -> Outage | list[Outage]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        began, ended, error = (float(column[place]) for column in (self._began, self._ended, self._error))
        return Outage(began, ended, error, int(self._requests[place]), bool(self._open[place]))

    def __iter__(self) -> Iterator[Outage]:
        return (self[place] for place in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as a list's

    @property
    def longest(self) -> Outage | None:
        """The first of the longest ones; None when there is none."""
        return self[int(np.argmax(self._ended - self._began))] if len(self) else None


def last_of(one: Edge, other: Edge) -> Edge:
    """The later of two edges; what both allow when they may be the same moment."""
    if one.latest < other.earliest or other.latest < one.earliest:
        return max(one, other, key=lambda edge: edge.at)
    return Edge(max(one.earliest, other.earliest), min(one.latest, other.latest))


def outages(samples: Samples, start: float, end: float, of: Sequence[Stream] | None = None) -> Outages:
    """All outages that touch [start, end), cut to it, in the order of time: ``of`` some of its streams, or all."""
    looked_at = streams(samples) if of is None else of
    found = [_of_stream(stream, start, end, samples.complete_until) for stream in looked_at]
    return Outages(_merged(np.concatenate([np.empty(0, _STRETCH), *found])), start, end)


def longest_outage(samples: Samples, start: float, end: float) -> Outage | None:
    """The longest of `outages`; None when there was none."""
    return outages(samples, start, end).longest


_STRETCH = np.dtype([
    ("began_0", "f8"), ("began_1", "f8"), ("ended_0", "f8"), ("ended_1", "f8"), ("requests", "i8"), ("open", "?"),
])  # fmt: skip
"""An outage of one stream, before it is cut: the earliest and latest moments of its edges."""


def _of_stream(stream: Stream, start: float, end: float, complete_until: float) -> NDArray[np.void]:
    firsts, lasts = stream.runs
    touches = slice(np.searchsorted(lasts, stream.place(start)), np.searchsorted(firsts, stream.place(end)))
    firsts, lasts = firsts[touches], lasts[touches]
    found = np.empty(len(firsts), _STRETCH)
    found["began_0"], found["began_1"] = stream.went(firsts)
    earliest, latest = stream.came_back(lasts)
    found["open"] = np.isnan(latest)
    known = np.maximum(stream.sent(lasts), min(end, complete_until))
    found["ended_0"] = np.where(found["open"], known, earliest)
    found["ended_1"] = np.where(found["open"], known, latest)
    found["requests"] = lasts - firsts + 1
    return found


def _merged(found: NDArray[np.void]) -> NDArray[np.void]:
    """Stretches of several streams that overlap become one."""
    began = (found["began_0"] + found["began_1"]) / 2
    order = np.argsort(began, kind="stable")
    found, began = found[order], began[order]
    if len(found) < 2:
        return found
    apart = np.concatenate(([True], began[1:] > np.maximum.accumulate(found["ended_1"])[:-1], [True]))
    alone = apart[:-1] & apart[1:]
    near = _chained(found[~alone])
    together = np.concatenate((found[alone], near))
    return together[np.argsort((together["began_0"] + together["began_1"]) / 2, kind="stable")]


def _chained(found: NDArray[np.void]) -> NDArray[np.void]:
    """Stretches near each other, by when they began: each that overlaps the one before becomes one with it.

    There may be hundreds of thousands, and each depends on the one before: so no objects, only numbers.
    """
    size = 0
    merged = np.empty(len(found), _STRETCH)
    for part in chunks(len(found), 1 << 12):
        here = found[part].tolist()
        if size:
            size -= 1
            here.insert(0, merged[size].item())
        done = [here[0]]
        for each in here[1:]:
            before = done[-1]
            if each[0] + each[1] > before[2] + before[3]:
                done.append(each)
            else:
                done[-1] = (*_first(before, each), *_last(before, each), before[4] + each[4], before[5] or each[5])
        merged[size : size + len(done)] = done
        size += len(done)
    return merged[:size]


_Row = tuple[float, float, float, float, int, bool]


def _first(one: _Row, other: _Row) -> tuple[float, float]:
    """When the earlier of two began; what both allow when they may have begun at the same moment."""
    if one[1] < other[0] or other[1] < one[0]:
        return (one[0], one[1]) if one[0] + one[1] <= other[0] + other[1] else (other[0], other[1])
    return one[0] if one[0] > other[0] else other[0], one[1] if one[1] < other[1] else other[1]


def _last(one: _Row, other: _Row) -> tuple[float, float]:
    """When the later of two ended; likewise."""
    if one[3] < other[2] or other[3] < one[2]:
        return (one[2], one[3]) if one[2] + one[3] >= other[2] + other[3] else (other[2], other[3])
    return one[2] if one[2] > other[2] else other[2], one[3] if one[3] < other[3] else other[3]

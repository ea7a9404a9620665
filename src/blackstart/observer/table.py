"""Requests as columns of numpy: what ten million of them are counted with. 32 bytes a request, as on disk.

The times of what was read from disk stay whole microseconds, as the record has them, and become seconds (float64)
only for the part that is asked for: three columns of seconds would be as long as everything else together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from blackstart.observer.record import NEVER, NO_NAME, NO_POD, Cache, Cause, Header, JourneyInfo, Outcome, Sample
from blackstart.observer.schedule import Kind

Column = NDArray[Any]
Where = slice | NDArray[Any]
"""Which rows: a slice, their places, or a mask."""

DTYPE = np.dtype([
    ("number", "<u4"), ("late", "<u4"), ("due", "<i8"), ("took", "<u4"), ("status", "<u2"), ("pod", "<u2"),
    ("kind", "u1"), ("outcome", "u1"), ("cause", "u1"), ("cache", "u1"), ("region", "u1"), ("zone", "u1"),
    ("address", "u1"), ("journey", "u1"),
])  # fmt: skip
"""One record on disk (see `record`)."""
MOST = {"kind": max(Kind), "outcome": max(Outcome), "cause": max(Cause), "cache": max(Cache)}
_WHOLE = np.dtype((np.void, DTYPE.itemsize))
CHUNK = 1 << 16  # rows; what is worked on at a time, so that what it takes in between stays a few megabytes


class Table(NamedTuple):
    """One column for each field of a record. Of a table that was made from rows, ``due``, ``late`` and ``took`` are
    when each was due, sent (nan: never) and known, in seconds, and hold what the rows hold to the last bit."""

    number: Column
    late: Column
    due: Column
    took: Column
    status: Column
    pod: Column
    kind: Column
    outcome: Column
    cause: Column
    cache: Column
    region: Column
    zone: Column
    address: Column
    journey: Column

    @property
    def size(self) -> int:
        return len(self.number)

    def part(self, where: Where) -> Table:
        """These rows; of a slice, without copying them."""
        return Table._make(column[where] for column in self)

    @property
    def on_disk(self) -> bool:
        """Whether times are those of a record."""
        return self.due.dtype.kind == "i"

    def intended(self, where: Where = slice(None)) -> NDArray[np.float64]:
        """When these rows were due, in seconds since the origin."""
        due = self.due[where]
        return due / 1e6 if self.on_disk else due

    def sent(self, where: Where = slice(None)) -> NDArray[np.float64]:
        """When they were sent, in seconds since the origin; nan: never."""
        late = self.late[where]
        if not self.on_disk:
            return late
        found: NDArray[np.float64] = (self.due[where] + late) / 1e6
        never = late == NEVER
        if never.any():
            found[never] = math.nan
        return found

    def ended(self, where: Where = slice(None)) -> NDArray[np.float64]:
        """When their fate was known, in seconds since the origin."""
        took = self.took[where]
        return (self.due[where] + took) / 1e6 if self.on_disk else took

    def place(self, moment: float) -> int:
        """The first row that was due at ``moment`` or later."""
        if not math.isfinite(moment):
            return self.size if moment > 0 else 0
        return int(self.places(np.array([moment]))[0])

    def places(self, moments: NDArray[np.float64]) -> NDArray[np.intp]:
        """`place` of each of many; all finite."""
        if not self.on_disk:
            return np.searchsorted(self.due, moments)
        keys = np.ceil(moments * 1e6).astype(np.int64)  # the first whole microsecond that, as seconds, is not before
        keys -= (keys - 1) / 1e6 >= moments
        keys += keys / 1e6 < moments
        return np.searchsorted(self.due, keys)

    def latency(self, where: Where = slice(None)) -> NDArray[np.float64]:
        """Seconds from when these were due until their fate was known."""
        took = self.took[where]
        return took / 1e6 if self.on_disk else took - self.due[where]

    @property
    def longest(self) -> float:
        """Seconds that no row took longer than, from when it was due until its fate was known."""
        if self.on_disk:
            return (int(self.took.max(initial=0)) + 1) / 1e6
        return float((self.took - self.due).max(initial=0.0)) + 1e-6


def chunks(size: int, step: int = CHUNK) -> Iterator[slice]:
    """0 … ``size`` in parts of ``step``."""
    return (slice(start, min(start + step, size)) for start in range(0, size, step))


def collect(
    size: int, chosen: Callable[[slice], Column], dtype: np.dtype[Any] | type, more: Sequence[float] = ()
) -> Column:
    """What is ``chosen`` of each part of ``size`` rows, and ``more``, in one column, without a second copy of it."""
    found, done = np.empty(size + len(more), dtype), len(more)
    found[:done] = more
    for part in chunks(size):
        values = chosen(part)
        found[done : done + len(values)] = values
        done += len(values)
    return found[:done]


def empty(size: int) -> Table:
    """Columns for ``size`` records, whose values are whatever was in memory."""
    return Table(**{name: np.empty(size, DTYPE[name]) for name in Table._fields})


def check(rows: Table) -> None:
    """ValueError for a row that no observer writes."""
    for name, most in MOST.items():
        worst = int(getattr(rows, name).max(initial=0))
        if worst > most:
            raise ValueError(f"{worst} is not a {name}")


def fill(rows: Table, places: Iterable[NDArray[Any]], records: Iterable[NDArray[np.void]]) -> None:
    """Fill ``rows`` with ``records``, which come a chunk at a time, with their ``places`` for each chunk.

    Moving whole records is much cheaper than moving each of their fields. So they are sorted in a window, which is
    cut into columns as far as nothing that is still to come belongs before it; records come nearly in order.
    """
    where = list(places)
    lowest = [*(int(each.min(initial=rows.size)) for each in where[1:]), rows.size]
    ahead = np.minimum.accumulate(lowest[::-1])[::-1].tolist()
    window, base, top = np.empty(0, _WHOLE), 0, 0
    for seats, here, done in zip(where, records, ahead, strict=True):
        top = max(top, int(seats.max(initial=0)) + 1)
        if top - base > len(window):
            window = np.concatenate((window, np.empty(top - base + CHUNK - len(window), _WHOLE)))
        window[seats - base] = here.view(_WHOLE)
        if done > base:
            ready = window[: done - base].view(DTYPE)
            for name, column in zip(Table._fields, rows, strict=True):
                column[base:done] = ready[name]
            rest = window[done - base : top - base].copy()
            window[: len(rest)] = rest
            base = done


def ranks(numbers: NDArray[np.uint32]) -> NDArray[Any]:
    """The place of each of ``numbers``, 0 for the least; equal ones keep their order."""
    size, last = len(numbers), int(numbers.max(initial=0))
    if last < 4 * size:  # so few are missing between them that each may have a seat
        seats = np.zeros(last + 1, np.bool_)
        seats[numbers] = True
        taken = int(np.count_nonzero(seats))
        if taken == size:
            return numbers if last == size - 1 else (np.cumsum(seats, dtype=np.uint32) - np.uint32(1))[numbers]
    places = np.empty(size, np.intp)
    places[np.argsort(numbers, kind="stable")] = np.arange(size)
    return places


def from_rows(rows: Iterable[Sample], header: Header) -> tuple[Table, Header]:
    """``rows`` in their order, and ``header`` with the names that they bring."""
    made = list(rows)
    names = {part: _Names(_names_of(header, part)) for part in ("region", "zone", "pod", "address", "journey")}
    table = Table(
        number=np.array([row.number for row in made], np.uint32),
        late=np.array([row.sent for row in made], np.float64),
        due=np.array([row.intended for row in made], np.float64),
        took=np.array([row.ended for row in made], np.float64),
        **{part: np.array([getattr(row, part) for row in made], DTYPE[part]) for part in ("status", *MOST)},
        **{
            part: np.array([known.index(getattr(row, part)) for row in made], DTYPE[part])
            for part, known in names.items()
        },
    )
    old = {journey.name: journey for journey in header.journeys}
    named = replace(
        header,
        regions=tuple(names["region"].known),
        zones=tuple(names["zone"].known),
        pods=tuple(names["pod"].known),
        addresses=tuple(names["address"].known),
        journeys=tuple(old.get(name) or JourneyInfo(name) for name in names["journey"].known),
    )
    return table, named


def records(rows: Table) -> NDArray[np.void]:
    """Rows that were read, as they are on disk."""
    made = np.empty(rows.size, DTYPE)
    for name, column in zip(Table._fields, rows, strict=True):
        made[name] = column
    return made


class _Names:
    """Names by index, as they turn up."""

    def __init__(self, known: Sequence[str]) -> None:
        self.known = {name: place for place, name in enumerate(known)}

    def index(self, name: str) -> int:
        return self.known.setdefault(name, len(self.known)) if name else NO_NAME


def _names_of(header: Header, part: str) -> tuple[str, ...]:
    return {
        "region": header.regions,
        "zone": header.zones,
        "pod": header.pods,
        "address": header.addresses,
        "journey": tuple(journey.name for journey in header.journeys),
    }[part]


def names(header: Header, part: str) -> tuple[str, ...]:
    """The name for every index in the column ``part``: region, zone, pod, address or journey; "" is not known."""
    known = _names_of(header, part)
    return (*known, *[""] * ((NO_POD if part == "pod" else NO_NAME) + 1 - len(known)))


def rows(table: Table, header: Header) -> Iterator[Sample]:
    """Every row as a `Sample`; dear."""
    called: dict[str, Callable[[int], str]] = {
        part: names(header, part).__getitem__ for part in ("region", "zone", "pod", "address", "journey")
    }
    for part in chunks(table.size, 1 << 12):
        here = table.part(part)
        times = (here.intended().tolist(), here.sent().tolist(), here.ended().tolist())
        rest = {name: getattr(here, name).tolist() for name in Table._fields}
        yield from map(
            Sample,
            rest["number"],
            *times,
            map(Kind, rest["kind"]),
            map(Outcome, rest["outcome"]),
            map(Cause, rest["cause"]),
            rest["status"],
            map(Cache, rest["cache"]),
            *(map(called[part], rest[part]) for part in ("region", "zone", "pod", "address", "journey")),
        )

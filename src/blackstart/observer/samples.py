"""The requests of a drill, read from its journal: columns of numpy, whose names `record` explains."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from io import BufferedReader
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blackstart.errors import JournalUnreadable
from blackstart.observer import table
from blackstart.observer.record import (
    HEADER_FILE,
    NEVER,
    NO_NAME,
    NO_POD,
    RECORD,
    SAMPLES_FILE,
    Cache,
    Cause,
    Header,
    JourneyInfo,
    Outcome,
    Sample,
    pack,
    read_header,
)
from blackstart.observer.schedule import Kind
from blackstart.observer.table import CHUNK, DTYPE, Table, chunks

__all__ = [
    "DTYPE",
    "HEADER_FILE",
    "NEVER",
    "NO_NAME",
    "NO_POD",
    "RECORD",
    "SAMPLES_FILE",
    "Cache",
    "Cause",
    "Header",
    "JourneyInfo",
    "Kind",
    "Outcome",
    "Sample",
    "Samples",
    "Tail",
    "gather",
    "pack",
    "read",
    "read_header",
]

LATE_SHARE = 0.25  # of the time-out: what the observer itself may be late by
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Samples:
    """Requests in the order in which they were due. ``complete_until``: the fate of every request that was due
    before it is known; later ones may still be under way.

    ``table`` holds the columns; those that are named here are as long as there are requests. Small integers are the
    values of the enums, or indexes into the header's names (see `names`).
    """

    def __init__(self, header: Header, rows: Table | Iterable[Sample], complete_until: float = -1.0) -> None:
        if isinstance(rows, Table):
            self.table, self.header = rows, header
        else:
            self.table, self.header = table.from_rows(rows, header)
        self.complete_until = complete_until

    def __len__(self) -> int:
        return self.table.size

    @property
    def rows(self) -> tuple[Sample, ...]:
        """Every request as a `Sample`: for a handful of them. A million take a gigabyte and ten seconds."""
        return tuple(table.rows(self.table, self.header))

    @property
    def number(self) -> NDArray[np.uint32]:
        return self.table.number

    @property
    def intended(self) -> Floats:
        """Seconds since the origin, as are ``sent`` and ``ended``; made anew each time it is asked for."""
        return self.table.intended()

    @property
    def sent(self) -> Floats:
        """nan: it never was."""
        return self.table.sent()

    @property
    def ended(self) -> Floats:
        return self.table.ended()

    @property
    def kind(self) -> NDArray[np.uint8]:
        return self.table.kind

    @property
    def outcome(self) -> NDArray[np.uint8]:
        return self.table.outcome

    @property
    def cause(self) -> NDArray[np.uint8]:
        return self.table.cause

    @property
    def status(self) -> NDArray[np.uint16]:
        return self.table.status

    @property
    def cache(self) -> NDArray[np.uint8]:
        return self.table.cache

    @property
    def region(self) -> NDArray[np.uint8]:
        return self.table.region

    @property
    def zone(self) -> NDArray[np.uint8]:
        return self.table.zone

    @property
    def pod(self) -> NDArray[np.uint16]:
        return self.table.pod

    @property
    def address(self) -> NDArray[np.uint8]:
        return self.table.address

    @property
    def journey(self) -> NDArray[np.uint8]:
        return self.table.journey

    @property
    def ok(self) -> Mask:
        ok: Mask = self.table.outcome == Outcome.OK
        return ok

    @cached_property
    def observed(self) -> Mask:
        """Whether each says something about the service: not when the observer itself sent it late, or never, or was
        so late to notice the time-out that it may have been late to notice an answer."""
        timeout = self.header.timeout_seconds
        slack = LATE_SHARE * timeout
        found = np.empty(len(self), np.bool_)
        for part in chunks(len(self)):
            here = self.table.part(part)
            found[part] = True
            doubtful = np.flatnonzero(here.outcome != Outcome.OK)
            due, cause = here.intended(doubtful), here.cause[doubtful]
            noticed = (cause != Cause.TIMEOUT) | (here.ended(doubtful) - due <= timeout + slack)
            in_time = here.sent(doubtful) - due <= slack
            found[part][doubtful] = (cause != Cause.UNSENT) & in_time & noticed
        return found

    def names(self, part: str) -> tuple[str, ...]:
        """The name for each index in the column ``part``: region, zone, pod, address or journey; "" is not known."""
        return table.names(self.header, part)

    @property
    def gap(self) -> float:
        """Seconds between one request and the next."""
        return 1 / self.header.rate

    def between(self, start: float, end: float) -> Samples:
        """The requests that were due in [start, end)."""
        first, last = self.table.place(start), self.table.place(end)
        return self.part(slice(first, max(first, last)))

    def of(self, kind: Kind) -> Samples:
        """The requests of one kind."""
        return self.part(self.table.kind == kind)

    def of_journey(self, name: str) -> Samples:
        """The requests of one journey."""
        places = [place for place, known in enumerate(self.names("journey")) if known == name]
        return self.part(np.isin(self.table.journey, places))

    def part(self, where: table.Where) -> Samples:
        """These requests: a slice of them, or those at some places, or those that a mask chooses."""
        made = Samples(self.header, self.table.part(where), self.complete_until)
        if "observed" in self.__dict__:  # it is asked for again and again, and of every part
            made.__dict__["observed"] = self.observed[where]
        return made

    def planned(self, start: float, end: float) -> int:
        """How many requests of all kinds the schedule held in [start, end), sent or not."""
        ended = self.header.ended
        return self.header.schedule.count(start, end if ended is None else min(end, ended))


def gather(header: Header, rows: Iterable[Sample]) -> Samples:
    """``rows``, in any order, as Samples."""
    made, named = table.from_rows(sorted(rows), header)
    return Samples(named, made, header.schedule.intended(_missing(made.number, 0)))


def _missing(number: NDArray[np.uint32], known: int) -> int:
    """The first place in the schedule that is not in ``number``, of which the first ``known`` are there."""
    for part in chunks(len(number)):
        if part.stop <= known:
            continue
        wrong = number[part] != np.arange(part.start, part.stop, dtype=np.uint32)
        if wrong.any():
            return int(part.start + wrong.argmax())
    return int(number.size)


class Tail:
    """Reads what the observer adds, again and again, without starting over.

    What it gives shares memory with what it gave before. Rows due before ``complete_until`` never change; those
    after it, of an earlier answer, may have moved.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._table = table.empty(0)
        self._count = 0  # rows of it that hold a record
        self._settled = 0  # from the start on, rows that nothing can come between any more

    def samples(self) -> Samples:
        """Everything that is on disk by now; the errors of `read`."""
        try:
            with (self._folder / SAMPLES_FILE).open("rb") as file:
                self._add(file)
        except FileNotFoundError:
            pass
        except ValueError as error:
            raise JournalUnreadable(str(self._folder), SAMPLES_FILE, str(error)) from error
        header = read_header(self._folder)  # after the records, so that it knows every name in them
        rows = self._table.part(slice(0, self._count))
        self._settled = _missing(rows.number, self._settled)
        return Samples(header, rows, header.schedule.intended(self._settled))

    def _add(self, file: BufferedReader) -> None:
        """Read the whole records that came since; twice, first their numbers only, to know where each belongs."""
        whole = file.seek(0, 2) // DTYPE.itemsize
        fresh = whole - self._count
        if fresh <= 0:
            return
        numbers = np.empty(fresh, np.uint32)
        for part, records in zip(chunks(fresh), _records(file, self._count, fresh), strict=True):
            numbers[part] = records["number"]
        first = min(self._settled, int(numbers.min()))
        again = table.records(self._table.part(slice(first, self._count)))  # what may have to move
        places = table.ranks(np.concatenate((again["number"], numbers)) - np.uint32(first))
        del numbers
        self._make_room(whole)
        rows, late = self._table.part(slice(first, whole)), len(again)
        where = [places[:late], *(places[late:][part] for part in chunks(fresh))]
        table.fill(rows, where, chain([again], _records(file, self._count, fresh)))
        table.check(rows)
        self._count = whole

    def _make_room(self, size: int) -> None:
        """Exactly what is there at first, since a drill that is over gets no more; then with some to spare."""
        if size <= self._table.size:
            return
        grown = table.empty(size if not self._count else max(size, 3 * self._table.size // 2))
        for new, old in zip(grown, self._table, strict=True):
            new[: self._count] = old[: self._count]
        self._table = grown


def _records(file: BufferedReader, first: int, count: int) -> Iterable[NDArray[np.void]]:
    """``count`` records from the ``first`` on, a chunk at a time; one buffer serves them all."""
    buffer = bytearray(min(count, CHUNK) * DTYPE.itemsize)
    file.seek(first * DTYPE.itemsize)
    for part in chunks(count):
        size = (part.stop - part.start) * DTYPE.itemsize
        if file.readinto(memoryview(buffer)[:size]) != size:
            raise ValueError("became shorter while it was read")
        yield np.frombuffer(buffer, DTYPE, part.stop - part.start)


def read(folder: Path) -> Samples:
    """All samples in ``folder``. NotMeasured when no observer has begun there, JournalUnreadable when garbled."""
    return Tail(folder).samples()

"""What became of every request: ``samples.bin`` and its header ``observer.json``.

``samples.bin`` is a plain run of records of 32 bytes, little-endian, no file header, in the order in which requests
ended. Each is, as Python's ``struct`` writes it, ``<IIqIHHBBBBBBBx``:

    offset  type  field     meaning
         0  u32   number    place in the schedule, from 0; due at header.begin + number / header.rate
         4  u32   late      microseconds from when it was due until it was sent; 4294967295 = it never was
         8  i64   intended  when it was due, microseconds since the origin
        16  u32   took      microseconds from when it was due until its fate was known (at most 4294967295)
        20  u16   status    HTTP status; 0 = no answer
        22  u16   pod       index into header.pods; 65535 = not known
        24  u8    kind      0 read, 1 write
        25  u8    outcome   0 ok, 1 failed, 2 unknown (a write that may or may not have been applied)
        26  u8    cause     0 none, 1 timeout, 2 could not connect, 3 connection broke, 4 HTTP status, 5 name not
                            resolved, 6 not sent by the observer, 7 other
        27  u8    cache     0 not said, 1 hit, 2 miss
        28  u8    region    index into header.regions; 255 = not known
        29  u8    zone      index into header.zones; 255 = not known
        30  u8    address   index into header.addresses, the address it was sent to; 255 = none
        31  –               zero

``observer.json`` holds the fields of `Header` as one JSON object. It is replaced (by rename) before a record that
uses a new name is written, so that it always explains what is on disk. Records are on disk at most 0.25 s after
their request ended. A killed observer leaves at most one cut-off record, at the end; skip it.
"""

from __future__ import annotations

import json
import struct
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from enum import IntEnum
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple

from blackstart.errors import JournalUnreadable, NotMeasured
from blackstart.observer.schedule import Kind, Schedule

__all__ = ["Cache", "Cause", "Header", "Kind", "Outcome", "Sample", "Samples", "Tail", "read"]

SAMPLES_FILE = "samples.bin"
HEADER_FILE = "observer.json"
RECORD = struct.Struct("<IIqIHHBBBBBBBx")
NEVER = 0xFFFFFFFF
NO_NAME = 0xFF
NO_POD = 0xFFFF


class Outcome(IntEnum):
    """How a request ended. FAILED and UNKNOWN are both "not served" for its user."""

    OK = 0
    FAILED = 1
    UNKNOWN = 2


class Cause(IntEnum):
    """Why a request was not ok."""

    NONE = 0
    TIMEOUT = 1
    REFUSED = 2
    BROKEN = 3
    STATUS = 4
    DNS = 5
    UNSENT = 6
    OTHER = 7


class Cache(IntEnum):
    """What the answer's ``x-cache`` said."""

    NONE = 0
    HIT = 1
    MISS = 2


class Sample(NamedTuple):
    """One request. Times in seconds since the origin; ``sent`` is nan when it never was; names "" when not known."""

    number: int
    intended: float
    sent: float
    ended: float
    kind: Kind
    outcome: Outcome
    cause: Cause = Cause.NONE
    status: int = 0
    cache: Cache = Cache.NONE
    region: str = ""
    zone: str = ""
    pod: str = ""
    address: str = ""

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.OK

    @property
    def latency(self) -> float:
        """Seconds from the intended start until its fate was known."""
        return self.ended - self.intended


@dataclass(frozen=True)
class Header:
    """What ``observer.json`` says. ``origin_monotonic`` in seconds of the machine's monotonic clock, ``begin`` and
    ``ended`` (of the schedule; None while it runs, or when the observer was killed) in seconds since that origin,
    ``origin_wall`` ISO 8601 in UTC, ``rate`` per second, shares 0–1."""

    origin_monotonic: float
    origin_wall: str
    begin: float
    rate: float
    timeout_seconds: float
    write_share: float
    recovery_share: float = 0.99
    recovery_window_seconds: float = 5.0
    home_region: str = ""
    standby_region: str = ""
    service: str = ""
    drill: str = ""
    prefix: str = ""
    regions: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    ended: float | None = None
    format: int = 1
    record: str = RECORD.format

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.begin, self.rate, self.write_share)

    def write(self, folder: Path) -> None:
        """Replace ``observer.json`` in one step."""
        draft = folder / f".{HEADER_FILE}.new"
        draft.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        draft.replace(folder / HEADER_FILE)


def read_header(folder: Path) -> Header:
    """The header in ``folder``; NotMeasured when no observer has begun there, JournalUnreadable when it is garbled."""
    try:
        data = json.loads((folder / HEADER_FILE).read_text(encoding="utf-8"))
        known = {part.name for part in fields(Header)}
        chosen: dict[str, Any] = {name: _frozen(value) for name, value in data.items() if name in known}
        header = Header(**chosen)
    except FileNotFoundError as error:
        raise NotMeasured("the service", f"no observer has begun in {folder}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise JournalUnreadable(str(folder), HEADER_FILE, f"is not a header of samples ({error})") from error
    if header.format != 1 or header.record != RECORD.format:
        raise JournalUnreadable(str(folder), HEADER_FILE, f"has format {header.format}, which this version cannot read")
    return header


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True)
class Samples:
    """Requests in the order in which they were due. ``complete_until``: the fate of every request that was due
    before it is known; later ones may still be under way."""

    header: Header
    rows: tuple[Sample, ...]
    complete_until: float = field(default=-1.0)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def gap(self) -> float:
        """Seconds between one request and the next."""
        return 1 / self.header.rate

    def between(self, start: float, end: float) -> Samples:
        """The requests that were due in [start, end)."""
        first = bisect_left(self.rows, start, key=_intended)
        last = bisect_left(self.rows, end, key=_intended)
        return Samples(self.header, self.rows[first:last], self.complete_until)

    def of(self, kind: Kind) -> Samples:
        """The requests of one kind."""
        return Samples(self.header, tuple(row for row in self.rows if row.kind is kind), self.complete_until)

    def planned(self, start: float, end: float) -> int:
        """How many requests of both kinds the schedule held in [start, end), sent or not."""
        ended = self.header.ended
        return self.header.schedule.count(start, end if ended is None else min(end, ended))


def _intended(row: Sample) -> float:
    return row.intended


def pack(sample: Sample, pod: int, region: int, zone: int, address: int) -> bytes:
    """One record; the last four are indexes into the header's names."""
    late = NEVER if isnan(sample.sent) else _micros(sample.sent - sample.intended, NEVER - 1)
    return RECORD.pack(
        sample.number, late, round(sample.intended * 1e6), _micros(sample.latency, NEVER), sample.status, pod,
        sample.kind, sample.outcome, sample.cause, sample.cache, region, zone, address,
    )  # fmt: skip


def _micros(seconds: float, most: int) -> int:
    return min(max(round(seconds * 1e6), 0), most)


def unpack(data: bytes, header: Header) -> list[Sample]:
    """The whole records in ``data``, in the order of the file. ValueError for one that no observer writes."""
    whole = len(data) - len(data) % RECORD.size
    return [_sample(record, header) for record in RECORD.iter_unpack(data[:whole])]


def _sample(record: tuple[int, ...], header: Header) -> Sample:
    number, late, due, took, status, pod, kind, outcome, cause, cache, region, zone, address = record
    return Sample(
        number,
        due / 1e6,
        float("nan") if late == NEVER else (due + late) / 1e6,
        (due + took) / 1e6,
        Kind(kind),
        Outcome(outcome),
        Cause(cause),
        status,
        Cache(cache),
        _name(header.regions, region),
        _name(header.zones, zone),
        _name(header.pods, pod),
        _name(header.addresses, address),
    )


def _name(names: tuple[str, ...], index: int) -> str:
    return names[index] if index < len(names) else ""


def gather(header: Header, rows: Iterable[Sample]) -> Samples:
    """``rows``, in any order, as Samples."""
    ordered = tuple(sorted(rows))
    missing = bisect_left(range(len(ordered)), 1, key=lambda place: int(ordered[place].number != place))
    return Samples(header, ordered, header.schedule.intended(missing))


class Tail:
    """Reads what the observer adds, again and again, without starting over."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offset = 0
        self._rows: list[Sample] = []

    def samples(self) -> Samples:
        """Everything that is on disk by now; the errors of `read`."""
        try:
            with (self._folder / SAMPLES_FILE).open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            data = b""
        header = read_header(self._folder)  # after the records, so that it knows every name in them
        try:
            fresh = unpack(data, header)
        except ValueError as error:
            raise JournalUnreadable(str(self._folder), SAMPLES_FILE, str(error)) from error
        self._offset += len(fresh) * RECORD.size
        self._rows.extend(fresh)
        return gather(header, self._rows)


def read(folder: Path) -> Samples:
    """All samples in ``folder``. NotMeasured when no observer has begun there, JournalUnreadable when garbled."""
    return Tail(folder).samples()

"""What became of one request, and how it is kept: ``samples.bin`` and its header ``observer.json``.

``samples.bin`` is a plain run of records of 32 bytes, little-endian, no file header, in the order in which requests
ended. Each is, as Python's ``struct`` writes it, ``<IIqIHHBBBBBBBB``:

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
                            resolved, 6 not sent by the observer, 7 other, 8 TLS handshake failed
        27  u8    cache     0 not said, 1 hit, 2 miss
        28  u8    region    index into header.regions; 255 = not known
        29  u8    zone      index into header.zones; 255 = not known
        30  u8    address   index into header.addresses, the address it was sent to; 255 = none
        31  u8    journey   index into header.journeys; in format 1 zero, and there are none

``observer.json`` holds the fields of `Header` as one JSON object. It is replaced (by rename) before a record that
uses a new name is written, so that it always explains what is on disk. Records are on disk at most 0.25 s after
their request ended. A killed observer leaves at most one cut-off record, at the end; skip it.

Nothing here needs numpy, so that who only writes does not load it; `samples` reads.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass, fields
from enum import IntEnum
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from blackstart import redaction
from blackstart.errors import JournalUnreadable, NotMeasured
from blackstart.observer.schedule import Kind, Schedule

LARGEST = 1e15
"""No time in seconds, and no rate, is as large."""
SAMPLES_FILE = "samples.bin"
HEADER_FILE = "observer.json"
FORMAT = 2
RECORD = struct.Struct("<IIqIHHBBBBBBBB")
RECORDS = {1: "<IIqIHHBBBBBBBx", FORMAT: RECORD.format}
"""How a record is laid out, by format: all that can be read."""
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
    TLS = 8


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
    journey: str = ""

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.OK

    @property
    def latency(self) -> float:
        """Seconds from the intended start until its fate was known."""
        return self.ended - self.intended


@dataclass(frozen=True)
class JourneyInfo:
    """One sort of request that was sent: ``share`` of all of them (0–1), to ``target``; ``kind`` "read" or "write" if
    it does only one of these."""

    name: str
    share: float = 1.0
    protocol: str = "http/1.1"
    kind: str | None = None
    target: str = ""


@dataclass(frozen=True)
class Header:
    """What ``observer.json`` says. ``origin_monotonic`` in seconds of the machine's monotonic clock, ``begin`` and
    ``ended`` (of the schedule; None while it runs, or when the observer was killed) in seconds since that origin,
    ``origin_wall`` ISO 8601 in UTC, ``rate`` per second, shares 0–1. ``recovery_latency_seconds``: a request slower
    than that does not count as ok for recovery; None: any that was in time does."""

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
    format: int = FORMAT
    record: str = RECORD.format
    journeys: tuple[JourneyInfo, ...] = ()
    recovery_latency_seconds: float | None = None

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.begin, self.rate, self.write_share)

    def write(self, folder: Path) -> None:
        """Replace ``observer.json`` in one step; what a service answered by way of names is redacted."""
        draft = folder / f".{HEADER_FILE}.new"
        told = redaction.of(folder).value(asdict(self))
        draft.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        draft.replace(folder / HEADER_FILE)


def read_header(folder: Path) -> Header:
    """The header in ``folder``; NotMeasured when no observer has begun there, JournalUnreadable when it is garbled."""
    try:
        data = json.loads((folder / HEADER_FILE).read_text(encoding="utf-8"))
        chosen = _known(Header, data)
        journeys = tuple(JourneyInfo(**_known(JourneyInfo, each)) for each in chosen.pop("journeys", ()))
        header = _checked(Header(**chosen, journeys=journeys))
    except FileNotFoundError as error:
        raise NotMeasured("the service", f"no observer has begun in {folder}") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise JournalUnreadable(str(folder), HEADER_FILE, f"is not a header of samples ({error})") from error
    if header.format not in RECORDS or header.record != RECORDS[header.format]:
        raise JournalUnreadable(str(folder), HEADER_FILE, f"has format {header.format}, which this version cannot read")
    return header


def _checked(header: Header) -> Header:
    """ValueError unless each field is of its kind: what reckons with them need not look again."""
    parts: tuple[Header | JourneyInfo, ...] = (header, *header.journeys)
    for told in parts:
        _check(told)
    if header.rate <= 0:
        raise ValueError(f"rate is {header.rate}")
    return header


def _check(told: Header | JourneyInfo) -> None:
    for part in fields(told):
        value = getattr(told, part.name)
        if value is None and part.default is None:
            continue
        of_kind = {
            "float": is_number(value),
            "float | None": is_number(value),
            "str": isinstance(value, str),
            "str | None": isinstance(value, str),
            "tuple[str, ...]": isinstance(value, tuple) and all(isinstance(each, str) for each in value),
        }
        if not of_kind.get(str(part.type), True):
            raise ValueError(f"{part.name} is {repr(value)[:60]}")


def is_number(value: object) -> TypeGuard[float]:
    """Whether one can reckon with it: no truth value, nothing infinite, nothing absurd."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def _known(shape: type[Header] | type[JourneyInfo], data: dict[str, Any]) -> dict[str, Any]:
    names = {part.name for part in fields(shape)}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in data.items() if name in names}


def pack(  # noqa: PLR0917  # one of the hottest calls of the observer
    sample: Sample, pod: int, region: int, zone: int, address: int, journey: int = 0
) -> bytes:
    """One record; all but the first are indexes into the header's names."""
    late = NEVER if isnan(sample.sent) else _micros(sample.sent - sample.intended, NEVER - 1)
    return RECORD.pack(
        sample.number, late, round(sample.intended * 1e6), _micros(sample.latency, NEVER), sample.status, pod,
        sample.kind, sample.outcome, sample.cause, sample.cache, region, zone, address, journey,
    )  # fmt: skip


def _micros(seconds: float, most: int) -> int:
    return min(max(round(seconds * 1e6), 0), most)

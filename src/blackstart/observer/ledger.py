"""The writes that the observer made, and what became of them: ``ledger.jsonl`` and ``found.jsonl``.

``ledger.jsonl`` is a history. Before write ``op`` is sent: ``{"op": n, "key": k, "sent": s}``. Once its fate is
known: ``{"op": n, "outcome": "ok" | "failed" | "unknown", "at": s, "region": r}``. ``op`` is the request's number
in the samples, ``key`` unique to the write, times in seconds since the origin, ``region`` "" when nobody said. Where
several observers write, the others' lines also have ``writer``, and ``op`` counts for each of them. A write without a
second line is unknown: the observer was killed before it knew.

- ok: the service acknowledged it, so it must be found later. It stays so, whatever else is said of it afterwards;
- failed: it never left, or the service refused it (4xx), so it must not be found;
- unknown: it left and no answer came, or the answer was 5xx: it may have been applied or not. Never counted as lost.

``found.jsonl`` holds read-backs: lines ``{"check": n, "at": s, "keys": […]}`` and, once the last page was read,
``{"check": n, "began": s, "at": s, "complete": true}``. A read without that line is not used. Those of a region's own
database have ``source`` (the region) in both, ``state`` in the last, and perhaps ``places`` and ``copies`` beside the
keys (see `replicas`). A database that could not be read: ``{"check": n, "source": r, "state": "away", "problem": …}``.

What this can know, and what not: docs/ledger.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from pathlib import Path
from typing import TYPE_CHECKING

from blackstart.errors import JournalUnwritable
from blackstart.observer.record import Outcome

if TYPE_CHECKING:
    from blackstart.observer.history import History
    from blackstart.observer.ledger_files import Reads

LEDGER_FILE = "ledger.jsonl"
FOUND_FILE = "found.jsonl"
SERVICE = ""  # where a read-back through the service comes from; any other source is a region


@dataclass(frozen=True, slots=True)
class Write:
    """One attempted write. ``sent`` and ``at`` (its fate was known) in seconds since the origin."""

    op: int
    key: str
    sent: float
    outcome: Outcome = Outcome.UNKNOWN
    at: float | None = None
    region: str = ""
    writer: str = ""


@dataclass(frozen=True)
class ReadBack:
    """One complete read of all keys. ``began`` and ``ended`` in seconds since the origin.

    ``source``: the region whose database was read, which was in ``state`` (writer or reader); `SERVICE` with "" where
    the service was asked. ``copies``: how often each key that was there more than once was. ``places``: numbers that
    grow in the order in which the database took the writes, where it tells.
    """

    number: int
    began: float
    ended: float
    keys: Set[str]
    source: str = SERVICE
    state: str = ""
    copies: Mapping[str, int] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Unread:
    """A database that could not be read, in check ``number`` at ``at``, and why."""

    number: int
    at: float
    source: str
    problem: str


@dataclass(frozen=True)
class Lost:
    """An acknowledged write that is gone: ``acknowledged`` when, ``checked`` the ends of the reads that missed it.
    ``held_by``: regions whose databases still have it, where users do not find it."""

    write: Write
    acknowledged: float
    checked: tuple[float, ...]
    held_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Divergent:
    """Databases disagree about ``key``: those of ``has`` have it and those of ``lacks``, which take writes and read
    later, do not (`SERVICE`: what the service answers)."""

    key: str
    has: tuple[str, ...]
    lacks: tuple[str, ...]


@dataclass(frozen=True)
class Replica:
    """What the last check found in a region's database: ``found`` keys, and ``lacking`` acknowledged writes."""

    region: str
    state: str
    found: int
    lacking: int


@dataclass(frozen=True)
class LedgerResult:
    """What became of every write. ``acknowledged == found + len(lost) + unchecked``.

    ``recovered``: unknown writes that were found after all (allowed). ``unknown``: unknown writes that were not.
    ``unexpected``: keys found that were never sent, or whose write had failed for certain. ``late``: acknowledged
    writes that an earlier read missed and the last one found. ``unchecked``: acknowledged only after the last read
    had begun. ``attempted``: all writes. ``by``: the source whose last read decided.

    Of the last check: ``duplicated``: writes that are somewhere more than once. ``divergent``: see there.
    ``out_of_order``: acknowledged writes that a database has behind one which was sent only after the acknowledgement;
    None where no database told the order. ``replicas``: the databases that were read.
    """

    attempted: int
    acknowledged: int
    found: int
    lost: tuple[Lost, ...]
    recovered: tuple[Write, ...]
    unknown: tuple[Write, ...]
    unexpected: tuple[str, ...]
    late: int
    unchecked: int
    checks: int
    duplicated: tuple[Write, ...] = ()
    divergent: tuple[Divergent, ...] = ()
    out_of_order: tuple[Write, ...] | None = None
    replicas: tuple[Replica, ...] = ()
    by: str = SERVICE


@dataclass(frozen=True)
class DataLoss:
    """``seconds`` before the fault at which the oldest lost write was acknowledged (0 when none is lost, or all were
    acknowledged after the fault), ± ``error_seconds``: it was stored between being sent and being acknowledged."""

    seconds: float
    error_seconds: float
    writes: int


class Ledger:
    """Appends to the history in ``folder``. Several processes may, each as a ``writer`` of its own name.

    Each line is with the system before the call returns, and so survives the end of this process; ``batched``: before
    `flush` returns, which then has to be called before the bytes of a request leave. JournalUnwritable when the disk
    does not take it.
    """

    def __init__(self, folder: Path, writer: str = "", *, batched: bool = False) -> None:
        self._folder = folder
        self._who = f'"writer":{encode_basestring(writer)},' if writer else ""
        self._batched = batched
        self._lines: list[str] = []
        self._regions: dict[str, str] = {}
        try:
            self._descriptor = os.open(
                folder / LEDGER_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644
            )
        except OSError as error:
            raise JournalUnwritable(str(folder), LEDGER_FILE, str(error)) from error

    def sending(self, op: int, key: str, sent: float) -> None:
        """Write ``op`` is about to be sent."""
        self._add(f'{{"op":{op},{self._who}"key":{encode_basestring(key)},"sent":{sent:.6f}}}\n')

    def ended(self, op: int, outcome: Outcome, at: float, region: str) -> None:
        """The fate of write ``op``."""
        where = self._regions.get(region) or self._regions.setdefault(region, encode_basestring(region))
        told = _WORDS[outcome]
        self._add(f'{{"op":{op},{self._who}"outcome":"{told}","at":{at:.6f},"region":{where}}}\n')

    def _add(self, line: str) -> None:
        self._lines.append(line)
        if not self._batched:
            self.flush()

    def flush(self) -> None:
        """Hand over what has been collected."""
        if not self._lines:
            return
        data = "".join(self._lines).encode()
        self._lines.clear()
        try:
            written = os.write(self._descriptor, data)
        except OSError as error:
            raise JournalUnwritable(str(self._folder), LEDGER_FILE, str(error)) from error
        if written != len(data):
            problem = f"the disk took {written} of {len(data)} bytes"
            raise JournalUnwritable(str(self._folder), LEDGER_FILE, problem)

    def close(self) -> None:
        try:
            self.flush()
        finally:
            os.close(self._descriptor)


_WORDS = tuple(outcome.name.lower() for outcome in Outcome)


def prefix(drill: str) -> str:
    """What the keys of all writes of ``drill`` begin with."""
    return f"{drill}-"


def key(drill: str, op: int, writer: str = "") -> str:
    """The key of write ``op`` of ``writer``, whose keys sort in the order in which they are sent."""
    return f"{drill}-{writer}.{op:010d}" if writer else f"{drill}-{op:010d}"


# numpy is loaded by those who read, not by those who write.


def read(folder: Path) -> History:
    """The history in ``folder`` by ``op``; empty when there is none, JournalUnreadable when it is garbled."""
    from blackstart.observer import ledger_files

    return ledger_files.read(folder)


def read_found(folder: Path) -> tuple[ReadBack, ...]:
    """The complete read-backs in ``folder``, in the order of their numbers; JournalUnreadable."""
    from blackstart.observer import ledger_files

    return ledger_files.read_found(folder).complete


def read_checks(folder: Path, writes: History) -> Reads:
    """All of ``found.jsonl``, in little memory, because most keys are those of ``writes``; JournalUnreadable."""
    from blackstart.observer import ledger_files

    return ledger_files.read_found(folder, writes)


def check(writes: Sequence[Write], reads: Iterable[ReadBack]) -> LedgerResult:
    """What became of ``writes``, judged by complete reads of all keys, in any order. Pure.

    The last read through the service decides (where there is none, that of the database which takes writes); earlier
    ones only tell ``late``. A write is judged by a read that began after it was acknowledged. NotMeasured when there is
    no such read.
    """
    from blackstart.observer import accounting

    return accounting.check(writes, reads)


def data_loss(result: LedgerResult, fault_at: float) -> DataLoss:
    """How far back before ``fault_at`` (seconds since the origin) acknowledged writes are gone. Pure."""
    if not result.lost:
        return DataLoss(0.0, 0.0, 0)
    oldest = min(result.lost, key=lambda each: each.acknowledged)
    age = max(0.0, fault_at - oldest.acknowledged)
    return DataLoss(age, oldest.acknowledged - oldest.write.sent if age else 0.0, len(result.lost))

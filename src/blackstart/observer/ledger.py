"""The writes that the observer made, and what became of them: ``ledger.jsonl`` and ``found.jsonl``.

``ledger.jsonl`` is a history. Before write ``op`` is sent: ``{"op": n, "key": k, "sent": s}``. Once its fate is
known: ``{"op": n, "outcome": "ok" | "failed" | "unknown", "at": s, "region": r}``. ``op`` is the request's number
in the samples, ``key`` unique to the write, times in seconds since the origin, ``region`` "" when nobody said.
A write without a second line is unknown: the observer was killed before it knew.

- ok: the service acknowledged it, so it must be found later;
- failed: it never left, or the service refused it (4xx), so it must not be found;
- unknown: it left and no answer came, or the answer was 5xx: it may have been applied or not. Never counted as lost.

``found.jsonl`` holds read-backs: lines ``{"check": n, "at": s, "keys": […]}`` and, once the last page was read,
``{"check": n, "began": s, "at": s, "complete": true}``. A check without that line is not used.

What this can know: whether a key that was acknowledged is readable again, from where the service's name points to
at that time. Not whether its value is right, nor what other clients lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blackstart.errors import JournalUnreadable, NotMeasured
from blackstart.observer import jsonl
from blackstart.observer.samples import Outcome

LEDGER_FILE = "ledger.jsonl"
FOUND_FILE = "found.jsonl"


@dataclass(frozen=True)
class Write:
    """One attempted write. ``sent`` and ``at`` (its fate was known) in seconds since the origin."""

    op: int
    key: str
    sent: float
    outcome: Outcome = Outcome.UNKNOWN
    at: float | None = None
    region: str = ""


@dataclass(frozen=True)
class ReadBack:
    """One complete read of all keys. ``began`` and ``ended`` in seconds since the origin."""

    number: int
    began: float
    ended: float
    keys: frozenset[str]


@dataclass(frozen=True)
class Lost:
    """An acknowledged write that is gone: ``acknowledged`` when, ``checked`` the ends of the reads that missed it."""

    write: Write
    acknowledged: float
    checked: tuple[float, ...]


@dataclass(frozen=True)
class LedgerResult:
    """What became of every write. ``acknowledged == found + len(lost) + unchecked``.

    ``recovered``: unknown writes that were found after all (allowed). ``unknown``: unknown writes that were not.
    ``unexpected``: keys found that were never sent, or whose write had failed for certain. ``late``: acknowledged
    writes that an earlier read missed and the last one found. ``unchecked``: acknowledged only after the last read
    had begun. ``attempted``: all writes.
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


@dataclass(frozen=True)
class DataLoss:
    """``seconds`` before the fault at which the oldest lost write was acknowledged (0 when none is lost, or all were
    acknowledged after the fault), ± ``error_seconds``: it was stored between being sent and being acknowledged."""

    seconds: float
    error_seconds: float
    writes: int


class Ledger:
    """Appends to the history in ``folder``, each line on its own before the call returns."""

    def __init__(self, folder: Path) -> None:
        self._lines = jsonl.Appender(folder / LEDGER_FILE)

    def sending(self, op: int, key: str, sent: float) -> None:
        """Write ``op`` is about to be sent."""
        self._lines.write({"op": op, "key": key, "sent": round(sent, 6)})

    def ended(self, op: int, outcome: Outcome, at: float, region: str) -> None:
        """The fate of write ``op``."""
        self._lines.write({"op": op, "outcome": outcome.name.lower(), "at": round(at, 6), "region": region})

    def close(self) -> None:
        self._lines.close()


def prefix(drill: str) -> str:
    """What the keys of all writes of ``drill`` begin with."""
    return f"{drill}-"


def key(drill: str, op: int) -> str:
    """The key of write ``op``; keys sort in the order in which they are sent."""
    return f"{prefix(drill)}{op:010d}"


def read(folder: Path) -> tuple[Write, ...]:
    """The history in ``folder`` by ``op``; empty when there is none, JournalUnreadable when it is garbled."""
    writes: dict[int, Write] = {}
    try:
        for line in jsonl.read(folder / LEDGER_FILE):
            _apply(writes, line)
    except (KeyError, TypeError, ValueError) as error:
        raise JournalUnreadable(str(folder), LEDGER_FILE, f"a line is no part of a history ({error!r})") from error
    return tuple(writes[op] for op in sorted(writes))


def _apply(writes: dict[int, Write], line: dict[str, Any]) -> None:
    op = int(line["op"])
    if "key" in line:
        writes[op] = Write(op, str(line["key"]), float(line["sent"]))
        return
    before = writes[op]
    outcome = Outcome[str(line["outcome"]).upper()]
    writes[op] = Write(op, before.key, before.sent, outcome, float(line["at"]), str(line.get("region", "")))


def read_found(folder: Path) -> tuple[ReadBack, ...]:
    """The complete read-backs in ``folder``, in the order of their numbers."""
    keys: dict[int, set[str]] = {}
    complete = []
    try:
        for line in jsonl.read(folder / FOUND_FILE):
            number = int(line["check"])
            if line.get("complete"):
                found = frozenset(keys.pop(number, set()))
                complete.append(ReadBack(number, float(line.get("began", line["at"])), float(line["at"]), found))
            else:
                keys.setdefault(number, set()).update(str(each) for each in line["keys"])
    except (KeyError, TypeError, ValueError) as error:
        raise JournalUnreadable(str(folder), FOUND_FILE, f"a line is no part of a read-back ({error!r})") from error
    return tuple(sorted(complete, key=lambda each: each.number))


def check(writes: Sequence[Write], reads: Sequence[ReadBack]) -> LedgerResult:
    """What became of ``writes``, judged by complete reads of all keys in the order of time. Pure.

    The last read decides; earlier ones only tell ``late``. A write is judged by a read that began after it was
    acknowledged. NotMeasured when there is no read.
    """
    if not reads:
        raise NotMeasured("data loss", "the writes were never read back completely")
    last = reads[-1]
    acknowledged = [(write, write.at) for write in writes if write.outcome is Outcome.OK and write.at is not None]
    judged = [(write, at) for write, at in acknowledged if write.key in last.keys or at <= last.began]
    lost = [Lost(write, at, _missed(write, at, reads)) for write, at in judged if write.key not in last.keys]
    open_writes = [write for write in writes if write.outcome is Outcome.UNKNOWN]
    allowed = {write.key for write in writes if write.outcome is not Outcome.FAILED}
    return LedgerResult(
        attempted=len(writes),
        acknowledged=len(acknowledged),
        found=len(judged) - len(lost),
        lost=tuple(lost),
        recovered=tuple(write for write in open_writes if write.key in last.keys),
        unknown=tuple(write for write in open_writes if write.key not in last.keys),
        unexpected=tuple(sorted(last.keys - allowed)),
        late=sum(write.key in last.keys and bool(_missed(write, at, reads[:-1])) for write, at in judged),
        unchecked=len(acknowledged) - len(judged),
        checks=len(reads),
    )


def _missed(write: Write, at: float, reads: Iterable[ReadBack]) -> tuple[float, ...]:
    return tuple(each.ended for each in reads if at <= each.began and write.key not in each.keys)


def data_loss(result: LedgerResult, fault_at: float) -> DataLoss:
    """How far back before ``fault_at`` (seconds since the origin) acknowledged writes are gone. Pure."""
    if not result.lost:
        return DataLoss(0.0, 0.0, 0)
    oldest = min(result.lost, key=lambda each: each.acknowledged)
    age = max(0.0, fault_at - oldest.acknowledged)
    return DataLoss(age, oldest.acknowledged - oldest.write.sent if age else 0.0, len(result.lost))

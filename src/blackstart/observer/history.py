"""The history of writes and what was read back, as columns: a million writes are judged in seconds, in little memory.

A `History` looks like a sequence of writes, a `Found` like a set of keys; what computes with them uses their arrays,
which are in the order of the history.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import repeat
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from blackstart.observer.ledger import ReadBack, Write
from blackstart.observer.record import Outcome

NO_PLACE = -1
MOST = 1 << 40  # writes of one observer
_OUTCOMES = {outcome.name.lower(): int(outcome) for outcome in Outcome}


class History(Sequence[Write]):
    """Writes by ``op``. Columns: ``ops``, ``sent``, ``at`` (nan: never known), ``outcomes``, ``regions`` and
    ``writers`` (index into their names). ``by_key``: where the write of each key is."""

    def __init__(
        self, keys: Sequence[str], columns: Mapping[str, NDArray[Any]], names: tuple[list[str], list[str]]
    ) -> None:
        ranks = np.argsort(np.argsort(names[1]))
        order = np.lexsort((ranks[columns["writers"]], columns["ops"]))
        self.ops, self.sent, self.at = columns["ops"][order], columns["sent"][order], columns["at"][order]
        self.outcomes, self.regions = columns["outcomes"][order], columns["regions"][order]
        self.writers = columns["writers"][order]
        self.region_names, self.writer_names = names
        self._keys = [keys[place] for place in order.tolist()]
        self.by_key = dict(zip(self._keys, range(len(self._keys)), strict=True))
        if len(self.by_key) < len(self._keys):
            raise ValueError(f"two writes have the key {_twice(self._keys)}")

    @classmethod
    def of(cls, writes: Sequence[Write]) -> History:
        """``writes`` as columns. ValueError when two of them have the same key."""
        if isinstance(writes, History):
            return writes
        lines = Lines()
        nan = float("nan")
        lines.sent((write.op, write.writer, write.key, write.sent) for write in writes)
        lines.said((w.op, w.writer, w.outcome, nan if w.at is None else w.at, w.region) for w in writes)
        return lines.history()

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, place: int) -> Write: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Write]: ...
    def __getitem__(self, place: int | slice) -> Write | Sequence[Write]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        at = float(self.at[place])
        return Write(
            op=int(self.ops[place]),
            key=self._keys[place],
            sent=float(self.sent[place]),
            outcome=Outcome(int(self.outcomes[place])),
            at=None if np.isnan(at) else at,
            region=self.region_names[self.regions[place]],
            writer=self.writer_names[self.writers[place]],
        )

    @property
    def acknowledged(self) -> NDArray[np.bool_]:
        """Which writes are ok, and known since when."""
        return np.asarray((self.outcomes == Outcome.OK) & ~np.isnan(self.at))

    def where(self, chosen: NDArray[np.bool_]) -> tuple[Write, ...]:
        """The writes that are ``chosen``."""
        return tuple(self[place] for place in np.flatnonzero(chosen).tolist())


class Found(Set[str]):
    """The keys of one read-back. ``counts``: how often each write of ``history`` was there; ``strangers``: the same of
    keys that are none of its; ``places``: see `ReadBack`, `NO_PLACE` where it is not known, None if it is nowhere."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.counts: NDArray[np.int32] = np.zeros(len(history), np.int32)
        self.strangers: dict[str, int] = {}
        self.places: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, history: History, read: ReadBack) -> Found:
        """What ``read`` holds, in the order of ``history``."""
        if isinstance(read.keys, Found) and read.keys.history is history:
            return read.keys
        found = cls(history)
        keys = list(read.keys)
        copies = [read.copies.get(key, 1) for key in keys] if read.copies else None
        found.add(keys, [read.places.get(key, NO_PLACE) for key in keys] if read.places else None, copies)
        return found

    def add(self, keys: Sequence[str], places: Sequence[int] | None, copies: Sequence[int] | None) -> None:
        """One page more."""
        at = np.fromiter(map(self.history.by_key.get, keys, repeat(-1)), np.int64, len(keys))
        times = np.ones(len(keys), np.int32) if copies is None else np.asarray(copies, np.int32)
        ours = at >= 0
        np.add.at(self.counts, at[ours], times[ours])
        for stranger in np.flatnonzero(~ours).tolist():
            key = keys[stranger]
            self.strangers[key] = self.strangers.get(key, 0) + int(times[stranger])
        if places is not None:
            if self.places is None:
                self.places = np.full(len(self.counts), NO_PLACE, np.int64)
            self.places[at[ours]] = np.asarray(places, np.int64)[ours]

    def __contains__(self, key: object) -> bool:
        place = self.history.by_key.get(key) if isinstance(key, str) else None
        return bool(self.counts[place]) if place is not None else key in self.strangers

    def __iter__(self) -> Iterator[str]:
        yield from (key for key, count in zip(self.history.by_key, self.counts.tolist(), strict=True) if count)
        yield from self.strangers

    def __len__(self) -> int:
        return int(np.count_nonzero(self.counts)) + len(self.strangers)

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> Any:
        return frozenset(it)


class Lines:
    """Collects a history: what was sent, and apart from it what was said of each write, put together at the end."""

    def __init__(self) -> None:
        self._keys: list[str] = []
        self._ops, self._sent, self._writers = array("q"), array("d"), array("H")
        self._said_of, self._said_by, self._said_at = array("q"), array("H"), array("d")
        self._outcomes, self._regions = bytearray(), array("H")
        self._region_names: dict[str, int] = {"": 0}
        self._writer_names: dict[str, int] = {"": 0}

    def sent(self, writes: Iterable[tuple[int, str, str, float]]) -> None:
        """Number, writer, key and time of each."""
        for op, writer, key, at in writes:
            self._ops.append(op)
            self._writers.append(self._writer_names.setdefault(writer, len(self._writer_names)))
            self._keys.append(key)
            self._sent.append(at)

    def said(self, fates: Iterable[tuple[int, str, int, float, str]]) -> None:
        """Number, writer, outcome, time and region of each."""
        for op, writer, outcome, at, region in fates:
            self._said_of.append(op)
            self._said_by.append(self._writer_names.setdefault(writer, len(self._writer_names)))
            self._outcomes.append(outcome)
            self._said_at.append(at)
            self._regions.append(self._region_names.setdefault(region, len(self._region_names)))

    def take(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """What ``ledger.jsonl`` has."""
        sending = [line for line in lines if "key" in line]
        self._keys += [str(line["key"]) for line in sending]
        self._ops.extend([line["op"] for line in sending])
        self._sent.extend([line["sent"] for line in sending])
        self._writers.extend(_codes(self._writer_names, [line.get("writer", "") for line in sending]))
        told = [line for line in lines if "key" not in line]
        self._said_of.extend([line["op"] for line in told])
        self._outcomes.extend([_OUTCOMES[line["outcome"]] for line in told])
        self._said_at.extend([line["at"] for line in told])
        self._said_by.extend(_codes(self._writer_names, [line.get("writer", "") for line in told]))
        self._regions.extend(_codes(self._region_names, [line.get("region", "") for line in told]))

    def history(self) -> History:
        """Put together; ValueError where two writes cannot be told apart, or something is said of none."""
        ids = _ids(self._writers, self._ops)
        order = np.argsort(ids, kind="stable")
        known = ids[order]
        of = _ids(self._said_by, self._said_of)
        at = np.searchsorted(known, of)
        if len(of) and (not len(known) or not np.array_equal(known[np.minimum(at, len(known) - 1)], of)):
            raise ValueError("the fate of a write is told that was never sent")
        if np.any(known[1:] == known[:-1]):
            raise ValueError("two writes have the same number")
        columns = self._fates(order[at] if len(of) else at)
        columns["ops"] = np.frombuffer(self._ops, np.int64)
        columns["sent"] = np.frombuffer(self._sent, np.float64)
        columns["writers"] = np.frombuffer(self._writers, np.uint16)
        return History(self._keys, columns, (list(self._region_names), list(self._writer_names)))

    def _fates(self, places: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """What was said of each write: its first acknowledgement if there is one, else what came last."""
        outcomes = np.frombuffer(self._outcomes, np.uint8)
        ok = outcomes == Outcome.OK
        chosen = np.concatenate([np.flatnonzero(~ok), np.flatnonzero(ok)[::-1]])
        last = np.full(len(self._ops), -1, np.int64)
        last[places[chosen]] = chosen  # where a place is named again, the later one stays
        told = last >= 0
        columns: dict[str, NDArray[Any]] = {
            "outcomes": np.full(len(last), int(Outcome.UNKNOWN), np.uint8),
            "at": np.full(len(last), np.nan),
            "regions": np.zeros(len(last), np.uint16),
        }
        columns["outcomes"][told] = outcomes[last[told]]
        columns["at"][told] = np.frombuffer(self._said_at, np.float64)[last[told]]
        columns["regions"][told] = np.frombuffer(self._regions, np.uint16)[last[told]]
        return columns


def _codes(known: dict[str, int], names: Sequence[str]) -> list[int]:
    """The number of each name in ``known``; new ones are added."""
    for name in dict.fromkeys(names):
        known.setdefault(name, len(known))
    return [known[name] for name in names]


def _ids(writers: array[int], ops: array[int]) -> NDArray[np.int64]:
    """One number for each writer and number of a write; ValueError when the number is out of all reason."""
    numbers = np.frombuffer(ops, np.int64)
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < MOST:
        raise ValueError(f"the number of a write is below 0 or above {MOST}")
    return np.asarray(np.frombuffer(writers, np.uint16).astype(np.int64) * MOST + numbers)


def _twice(keys: Iterable[str]) -> str:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            return key
        seen.add(key)
    return ""

"""Reads ``ledger.jsonl`` and ``found.jsonl``, block by block; `ledger` says what is in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from blackstart.errors import JournalUnreadable
from blackstart.observer.history import Found, History, Lines
from blackstart.observer.ledger import FOUND_FILE, LEDGER_FILE, SERVICE, ReadBack, Unread

BLOCK = 1 << 20  # bytes that are parsed at once


@dataclass(frozen=True)
class Reads:
    """``found.jsonl``: the ``complete`` reads by number and source, and the databases that could not be read."""

    complete: tuple[ReadBack, ...] = ()
    unread: tuple[Unread, ...] = ()


def read(folder: Path) -> History:
    """The history in ``folder``; empty when there is none, JournalUnreadable when it is garbled."""
    lines = Lines()
    _each(folder / LEDGER_FILE, "a history", lines.take)
    try:
        return lines.history()
    except (ValueError, RecursionError) as error:
        raise JournalUnreadable(str(folder), LEDGER_FILE, str(error)) from error


def read_found(folder: Path, history: History | None = None) -> Reads:
    """What was read back; with ``history``, the keys are `Found` in it. JournalUnreadable when it is garbled."""
    reading = _Reading(history)
    _each(folder / FOUND_FILE, "a read-back", reading.take)
    order = sorted(reading.complete, key=lambda each: (each.number, each.source))
    return Reads(tuple(order), tuple(reading.unread))


class _Reading:
    """Collects read-backs; those that are not completed are left behind."""

    def __init__(self, history: History | None) -> None:
        self._whole = history is None
        self._history = History.of(()) if history is None else history
        self._open: dict[tuple[int, str], Found] = {}
        self._places: dict[tuple[int, str], dict[str, int]] = {}
        self.complete: list[ReadBack] = []
        self.unread: list[Unread] = []

    def take(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """What ``found.jsonl`` has."""
        for line in lines:
            self._take(line)

    def _take(self, line: Mapping[str, Any]) -> None:
        number, source = int(line["check"]), str(line.get("source", SERVICE))
        if line.get("complete"):
            found = self._open.pop((number, source), None) or Found(self._history)
            ended = float(line["at"])
            began, state = float(line.get("began", ended)), str(line.get("state", ""))
            self.complete.append(self._read_back(ReadBack(number, began, ended, found, source, state), found))
        elif "problem" in line:
            self._open.pop((number, source), None)
            self.unread.append(Unread(number, float(line["at"]), source, str(line["problem"])))
        else:
            found = self._open.setdefault((number, source), Found(self._history))
            keys, places = [str(each) for each in line["keys"]], line.get("places")
            found.add(keys, places, line.get("copies"))
            if self._whole and places is not None:
                self._places.setdefault((number, source), {}).update(zip(keys, places, strict=True))

    def _read_back(self, read: ReadBack, found: Found) -> ReadBack:
        if not self._whole:
            return read
        copies = {key: times for key, times in found.strangers.items() if times > 1}
        places = self._places.pop((read.number, read.source), {})
        return replace(read, keys=frozenset(found.strangers), copies=copies, places=places)


def _each(path: Path, what: str, take: Callable[[Sequence[Mapping[str, Any]]], None]) -> None:
    """All whole lines of ``path``, in order, block by block. JournalUnreadable tells of one that is no part of
    ``what``."""
    done = 0
    for lines in _blocks(path):
        try:
            parsed = json.loads(b"[" + b",".join(lines) + b"]")
        except (ValueError, RecursionError):
            parsed = [_parsed(path, done + place, line) for place, line in enumerate(lines, start=1)]
        try:
            take(parsed)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            problem = f"a line is no part of {what} ({error!r})"
            raise JournalUnreadable(str(path.parent), path.name, problem) from error
        done += len(lines)


def _blocks(path: Path) -> Iterator[list[bytes]]:
    """The lines of ``path`` in blocks; one that was cut off, at the end, is left out."""
    try:
        with path.open("rb") as file:
            rest = b""
            while block := file.read(BLOCK):
                *lines, rest = (rest + block).split(b"\n")
                yield [line for line in lines if line.strip()]
    except FileNotFoundError:
        return


def _parsed(path: Path, number: int, line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise JournalUnreadable(str(path.parent), path.name, f"line {number} is not JSON ({error})") from error

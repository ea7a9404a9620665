"""Files of one JSON object a line, appended to while a drill runs.

A line counts once its newline is there: a writer that was killed leaves at most one cut-off line, at the end,
which readers skip.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blackstart.errors import JournalUnreadable, JournalUnwritable


class Appender:
    """Appends whole lines to one file; several processes may append to the same file at once.

    JournalUnwritable when the file cannot be opened or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise JournalUnwritable(str(path.parent), path.name, str(error)) from error

    @property
    def folder(self) -> Path:
        return self._path.parent

    def write(self, line: Mapping[str, Any]) -> None:
        """One line, handed to the system before this returns (it survives the end of this process)."""
        data = (json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n").encode(errors="backslashreplace")
        try:
            os.write(self._descriptor, data)
        except OSError as error:
            raise JournalUnwritable(str(self._path.parent), self._path.name, str(error)) from error

    def close(self) -> None:
        os.close(self._descriptor)


def append(path: Path, line: Mapping[str, Any]) -> None:
    """One line at the end of ``path``, which is made if it is not there."""
    appender = Appender(path)
    try:
        appender.write(line)
    finally:
        appender.close()


def read(path: Path) -> list[dict[str, Any]]:
    """All whole lines of ``path``, in order; [] when there is no such file.

    JournalUnreadable when a line before the last is not a JSON object: then somebody else wrote it.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return []
    lines = text.split(b"\n")[:-1]
    return [_parsed(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]


def _parsed(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise JournalUnreadable(str(path.parent), path.name, f"line {number} is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise JournalUnreadable(str(path.parent), path.name, f"line {number} is not an object")
    return value

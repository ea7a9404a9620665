"""The copy of the undo log's story in a drill's journal: ``changes.jsonl``, for people and the report.

One line per transition: ``at`` (UTC, ISO 8601), ``monotonic`` (seconds), ``change``, ``state``, ``note``, ``by``
("drill", "reverter" or "recover"). The ``planned`` line has the whole change as ``record``; the ``applied`` line has
``began``, monotonic, just before the call. It is evidence, not the undo log: it is redacted, and if
it cannot be written, undoing goes on.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from blackstart import redaction
from blackstart.changes.log import Mark
from blackstart.changes.model import Change, Json, State
from blackstart.clock import Clock, iso

FILE = "changes.jsonl"

logger = logging.getLogger("blackstart.changes.mirror")


class Mirror:
    """Writes for one process. ``folder`` None: nothing is written."""

    def __init__(self, folder: Path | None, by: str, clock: Clock) -> None:
        self._path = folder / FILE if folder else None
        self._by = by
        self._clock = clock
        self._redactor = redaction.of(folder) if folder else redaction.Redactor()
        self._lock = threading.Lock()

    def planned(self, changes: Sequence[Change]) -> None:
        """A fault was appended to the undo log."""
        self._write([self._line(change.id, State.PLANNED, record=change.to_json()) for change in changes])

    def marked(self, marks: Mapping[str, Mark], began: Mapping[str, float] | None = None) -> None:
        """Changes got further. ``began``: by change id, monotonic, just before the call that applied it."""
        self._write(
            [
                self._line(change, mark.state, mark.note, **({"began": began[change]} if began else {}))
                for change, mark in marks.items()
            ]
        )

    def _line(self, change: str, state: State, note: str = "", **more: Json) -> dict[str, Json]:
        now, monotonic = self._clock.now(), self._clock.monotonic()
        seen = {"at": iso(now), "monotonic": monotonic, "change": change, "state": state, "note": note, "by": self._by}
        return seen | more

    def _write(self, lines: Sequence[Mapping[str, Json]]) -> None:
        if self._path is not None:
            with self._lock:
                add_lines(self._path, [self._redactor.value(line) for line in lines])


def add_lines(path: Path, lines: Sequence[Mapping[str, Json]]) -> None:
    """Append to a file of evidence; where that cannot be done, a warning is all that comes of it."""
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    try:
        with path.open("a+b") as file:
            end = file.seek(0, 2)
            file.seek(max(end - 1, 0))
            # A process that was killed while it wrote left half a line.
            broken = file.read(1) not in (b"", b"\n")
            file.write(("\n" * broken + text).encode())
    except OSError as error:
        logger.warning("could not add %d lines to %s (%s); undoing goes on", len(lines), path, error)

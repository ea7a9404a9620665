"""The journals under one root, as rows, read again only when they may have changed."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from blackstart.clock import Clock, iso
from blackstart.journals import index
from blackstart.journals.index import Row
from blackstart.web.standing import Stage, standing

Json = Any
FRESH_SECONDS = 1.0


class Library:
    """All journals under ``root``; safe to ask from several threads."""

    def __init__(self, root: Path, clock: Clock) -> None:
        self.root = root
        self._clock = clock
        self._lock = threading.Lock()
        self._rows: tuple[Row, ...] = ()
        self._until = -math.inf

    def rows(self, told: index.Told | None = None) -> tuple[Row, ...]:
        """Every journal, oldest first. What takes long to find out is believed for as long again; JournalUnreadable if
        the root cannot be read."""
        with self._lock:
            began = self._clock.monotonic()
            if began >= self._until:
                rows = index.read(self.root, told)
                self._rows = self._rows if rows == self._rows else rows
                ended = self._clock.monotonic()
                self._until = ended + max(FRESH_SECONDS, ended - began)
            return self._rows

    def going_on(self) -> tuple[Row, ...]:
        """The drills that run now, the newest first."""
        return tuple(row for row in reversed(self.rows()) if self.stage(row) is Stage.RUNNING)

    def stage(self, row: Row) -> Stage:
        """What the drill of a journal is doing; what was judged is over without another look."""
        return Stage.OVER if row.closed else standing(self.root / row.folder, self._clock).stage

    def to_json(self) -> dict[str, Json]:
        """``drills``, the newest first: the fields of a row, with its address as ``url`` and its ``stage``."""
        drills = [{**asdict(row), "stage": str(self.stage(row)), "url": address(row)} for row in reversed(self.rows())]
        return {"format": 1, "drills": [clean(drill) for drill in drills]}


def address(row: Row) -> str:
    """The path of a journal's page."""
    return f"/{quote(row.folder, errors='replace')}/"


def clean(value: Json) -> Json:
    """``value`` as JSON that every reader takes: times as text, null for what is no number."""
    if isinstance(value, Mapping):
        return {str(key): clean(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [clean(each) for each in value]
    if isinstance(value, datetime):
        return iso(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""The history for machines; docs/history.md says what each part means. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from blackstart.clock import iso
from blackstart.journals.coverage import Catalogue, Cell, cells
from blackstart.journals.index import Row
from blackstart.reports import history_words as words
from blackstart.reports.history_trends import Line, lines

FORMAT = 1
Json = Any


def told(rows: Sequence[Row], catalogue: Catalogue | None, now: datetime) -> dict[str, Json]:
    """Times are ISO 8601 in UTC; null is "not measured" or "never", never zero."""
    found = cells(catalogue, rows, now) if catalogue else ()
    return {
        "format": FORMAT,
        "now": iso(now),
        "sentence": words.headline(found, rows),
        "coverage": [_pair(cell, now) for cell in found] if catalogue else None,
        "trends": [_trend(line) for line in lines(rows)],
        "drills": [_drill(row) for row in reversed(rows)],
        "damaged": [{"folder": _text(row.folder), "problem": row.problem} for row in rows if row.problem],
    }


def _pair(cell: Cell, now: datetime) -> dict[str, Json]:
    return {
        "system": cell.entry.system,
        "failure": cell.entry.failure,
        "experiments": list(cell.entry.experiments),
        "state": cell.state.value,
        "required": cell.entry.required,
        "overdue": cell.overdue,
        "alarming": cell.alarming,
        "every_days": cell.interval.total_seconds() / 86400,
        "newest": _named(cell.newest),
        "decided": _named(cell.decided),
        "proven": _named(cell.proven),
        "due": iso(cell.due) if cell.due else None,
        "age_days": _days(cell.newest, now),
    }


def _named(row: Row | None) -> Json:
    if row is None or row.started is None:
        return None
    return {
        "folder": _text(row.folder), "drill": row.drill, "started": iso(row.started), "verdict": row.verdict,
        "decided_by": words.decisive(row),
    }  # fmt: skip


def _days(row: Row | None, now: datetime) -> float | None:
    return None if row is None or row.started is None else round((now - row.started).total_seconds() / 86400, 3)


def _trend(line: Line) -> dict[str, Json]:
    reading = line.reading
    newest = reading.newest
    return {
        "experiment": line.experiment,
        "service": line.service,
        "environment": line.environment,
        "key": line.key,
        "target": line.target,
        "reading": reading.word,
        "newest": newest.value if newest else None,
        "newest_low": _finite(newest.low) if newest else None,
        "newest_high": _finite(newest.high) if newest else None,
        "delta": reading.delta,
        "noise": list(reading.band) if reading.band else None,
        "values": [
            {"started": iso(mark.at), "value": mark.value, "at_least": mark.at_least,
             "met": {"met": True, "missed": False, "unsure": None}[mark.met]}
            for mark in line.marks
        ],
    }  # fmt: skip


def _drill(row: Row) -> dict[str, Json]:
    """Everything that the index knows of it."""
    known = {**vars(row), "folder": _text(row.folder), "word": words.word(row)}
    return {key: iso(value) if isinstance(value, datetime) else value for key, value in known.items()}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _text(name: str) -> str:
    return name.encode(errors="replace").decode()

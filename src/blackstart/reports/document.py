"""The report of a drill as JSON: everything the page says, for machines. Pure; docs/report.md describes it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from blackstart.journals import close
from blackstart.journals.measure import Measured
from blackstart.journals.verdict import Verdict
from blackstart.reports import setting
from blackstart.reports.trust import Line
from blackstart.reports.view import View

Json = Any
FORMAT = 1


def text(measured: Measured, verdict: Verdict, view: View, hashes: Mapping[str, str]) -> str:
    """The whole file."""
    return json.dumps(content(measured, verdict, view, hashes), ensure_ascii=False, indent=2) + "\n"


def content(measured: Measured, verdict: Verdict, view: View, hashes: Mapping[str, str]) -> dict[str, Json]:
    """``verdict`` is verdict.json as it would be written now; numbers are as there, sentences as on the page."""
    drill = measured.drill
    return {
        "format": FORMAT,
        "drill": drill.drill,
        "title": view.title,
        "verdict": close.to_json(measured, verdict),
        "summary": [part for part in (view.met, view.failed, f"{view.undo_bold} {view.undo_rest}".strip()) if part],
        "warning": view.warning,
        "happened": view.happened,
        "over_time": [asdict(row) for row in view.numbers],
        "changes": [
            {"made": row.made, "change": row.summary, "by": row.by, "undone": row.undone, "verified": row.verified}
            for row in (*view.changes, *view.more_changes)
        ],
        "proof": _lines(view.proof),
        "not_held": {
            "sentence": view.unheld.sentence,
            "lines": _lines(view.unheld.lines),
            "activities": [asdict(activity) for activity in measured.toolkit.activities],
        },
        "compared": {
            "sentence": view.compared.sentence,
            "rows": [
                {"measure": row.title, "now": row.now, "last": row.last, "change": row.change, "reading": row.word}
                for row in view.compared.rows
            ],
            "changed": _lines(view.compared.changed),
        },
        "trust": {"doubts": list(view.doubts), "checks": _lines(view.checks)},
        "environment": {
            "name": drill.environment,
            "seed": drill.seed,
            "versions": dict(drill.versions),
            "settings": setting.flat(drill),
        },
        "evidence": {"experiment": drill.file, "experiment_sha256": drill.sha256, "files_sha256": dict(hashes)},
    }


def _lines(lines: Sequence[Line]) -> list[dict[str, str]]:
    """``state``: ok, bad, unknown, or "" where there is nothing to pass."""
    states = {"✓": "ok", "✕": "bad", "?": "unknown"}
    return [{"label": line.label, "words": line.words, "state": states.get(line.glyph, "")} for line in lines]

"""Rows and journals of drills that never ran, with just what the history looks at."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from blackstart.clock import iso
from blackstart.journals.index import Row

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def row(days: float = 1.0, verdict: str = "passed", experiment: str = "zone-loss", **changed: Any) -> Row:
    """A drill that began ``days`` before NOW."""
    started = NOW - timedelta(days=days)
    code = {"passed": 0, "failed": 1, "inconclusive": 2}.get(verdict)
    told = {"service": "orders", "environment": "staging", "started": started, "exit_code": code, **changed}
    return Row(f"{experiment}/{started:%Y%m%dT%H%M%SZ}", f"{experiment}-{days}", experiment, verdict=verdict, **told)


def rto(
    seconds: float | None, error: float = 0.1, target: float = 60.0, low: float | None = None, **changed: Any
) -> Row:
    """A drill with this recovery time; None with ``low``: it never recovered in so long."""
    met = None if seconds is None and not low else (low or seconds or 0) <= target
    least = low if seconds is None else seconds - error
    most = None if seconds is None else seconds + error
    objective = {
        "target": target, "measured": seconds, "low": least, "high": most, "met": met, "unit": "seconds", "why": "",
        "text": f"Recovery time: {'not measured' if seconds is None else f'{seconds} s'}, required ≤ {target:g} s",
    }  # fmt: skip
    verdict = {True: "passed", False: "failed", None: "inconclusive"}[met]
    return row(**{"verdict": verdict, **changed}, rto_seconds=seconds, objectives={"rto_seconds": objective})


def journal(root: Path, number: int = 0, experiment: str = "zone-loss", **changed: Any) -> Path:
    """The two files that the index reads; ``changed`` goes into verdict.json."""
    started = NOW - timedelta(days=30) + timedelta(hours=number)
    folder = root / experiment / f"{started:%Y%m%dT%H%M%SZ}"
    folder.mkdir(parents=True)
    head = {
        "format": 1, "drill": f"{experiment}-{number}", "experiment": experiment, "title": "A zone is lost",
        "environment": "staging", "fault": "loss of a zone", "started": iso(started),
    }  # fmt: skip
    drill = {**head, "service": {"name": "orders"}, "versions": {"python": "3.11"}, "sha256": "ab" * 32}
    (folder / "drill.json").write_text(json.dumps(drill))
    verdict = {
        **head, "verdict": "passed", "reason": "Orders kept serving.", "cut_off": False, "exit_code": 0,
        "rto_seconds": 4.2,
        "availability": 0.99, "requests": 1000, "failed_requests": 10, "leftovers": [], "residue": [], "objectives": {},
    }  # fmt: skip
    (folder / "verdict.json").write_text(json.dumps({**verdict, **changed}))
    return folder

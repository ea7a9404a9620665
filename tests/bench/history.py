"""``history.py plant FOLDER [MANY]``: so many journals of drills that never ran. ``history.py read FOLDER``: what it
takes to make the page of all of them, as JSON: seconds, and MiB of memory."""

import json
import random
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

MANY = 10_000
EXPERIMENTS = (
    "region-loss", "region-switchover", "zone-network-loss", "zone-power-loss", "zone-shift", "pod-kill",
    "node-not-ready", "spot-interruption", "database-failover", "cache-failover", "cache-cold", "dns-failover",
    "backup-restore", "no-capacity", "bad-rollout",
)  # fmt: skip
ENVIRONMENTS = ("staging", "production")
END = datetime(2026, 11, 23, 12, tzinfo=UTC)
CATALOGUE = Path(__file__).parents[2] / "experiments" / "coverage" / "reference-platform.yaml"


def plant(root: Path, many: int = MANY, seed: int = 1) -> None:
    """Three years of them, in every experiment, with the files that the index reads at their usual size."""
    chance = random.Random(seed)
    for number in range(many):
        experiment = EXPERIMENTS[number % len(EXPERIMENTS)]
        started = END - timedelta(minutes=157 * (many - number))
        folder = root / experiment / started.strftime("%Y%m%dT%H%M%SZ")
        folder.mkdir(parents=True)
        environment = ENVIRONMENTS[number // len(EXPERIMENTS) % len(ENVIRONMENTS)]
        head = _head(experiment, started, environment)
        (folder / "drill.json").write_text(json.dumps({**head, **_settings()}, indent=2))
        verdict = {**head, **_numbers(chance)}
        text = json.dumps(verdict, indent=2)
        (folder / "verdict.json").write_text(text if number % 500 else text[: len(text) // 2])  # some are damaged


def _head(experiment: str, started: datetime, environment: str) -> dict:
    stamp = started.isoformat().replace("+00:00", "Z")
    return {
        "format": 1, "drill": f"{experiment}-{stamp}", "experiment": experiment, "title": f"What {experiment} does",
        "environment": environment, "fault": f"loss by {experiment}", "started": stamp,
    }  # fmt: skip


def _settings() -> dict:
    return {
        "file": "experiments/x.yaml", "origin_monotonic": 1.0, "service": {"name": "orders"}, "scope": {},
        "observing": {"rate": 50, "write_share": 0.5}, "objectives": {"rto_seconds": 60},
        "seed": 1, "versions": {f"package-{number}": "1.2.3" for number in range(8)}, "sha256": "0" * 64, "felt": True,
    }  # fmt: skip


def _numbers(chance: random.Random) -> dict:
    rto, lost = round(chance.lognormvariate(2.3, 0.3), 6), max(0, int(chance.gauss(2, 3)))
    share, p99 = round(chance.uniform(0.9, 1.0), 6), round(chance.lognormvariate(-2, 0.3), 6)
    rows = (
        ("rto_seconds", rto, 15.0, "seconds", "Recovery time", "≤"),
        ("lost_writes", lost, 9, "writes", "Lost writes", "≤"),
        ("availability", share, 0.92, "share", "Availability", "≥"),
        ("p99_seconds", p99, 0.3, "latency", "Latency p99", "≤"),
    )  # fmt: skip
    objectives = {
        key: {
            "target": target, "measured": value, "low": round(value * 0.99, 6), "high": round(value * 1.01, 6),
            "unit": unit, "why": "",
            "met": value <= target if sign == "≤" else value >= target,
            "text": f"{title}: {value:.2f}, required {sign} {target}",
        }
        for key, value, target, unit, title, sign in rows
    }  # fmt: skip
    word = "passed" if all(each["met"] for each in objectives.values()) else "failed"
    steps = [{"name": name, "seconds": round(rto / 5, 6), "status": "inside", "evidence": "seen"} for name in "abcde"]
    return {
        "verdict": word, "reason": f"Orders recovered in {rto:.1f} s.", "cut_off": False, "ended": None,
        "exit_code": {"passed": 0, "failed": 1}[word], "rto_seconds": rto, "rto_error_seconds": 0.1,
        "lost_writes": lost,
        "acknowledged_writes": 573, "availability": share, "requests": 3000, "failed_requests": int(3000 * (1 - share)),
        "p99_seconds": p99, "changes": 4, "leftovers": [], "residue": [], "rto_steps": steps, "objectives": objectives,
        "doubts": [], "journeys": {f"journey {number}": {"availability": share, "requests": 9} for number in range(4)},
    }  # fmt: skip


def read(root: Path) -> dict[str, float]:
    began = time.monotonic()
    from blackstart.journals import coverage, index
    from blackstart.reports import history

    imported = time.monotonic()
    rows = index.read(root)
    known = time.monotonic()
    page = history.page(rows, coverage.read(CATALOGUE), END, history.beside(root, root))
    (root / "history.html").write_text(page)
    done = time.monotonic()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "rows": len(rows), "seconds": done - began, "imports": imported - began, "index": known - imported,
        "page": done - known, "mebibytes": memory, "kilobytes": len(page) / 1000,
    }  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1] == "plant":
        plant(Path(sys.argv[2]), *map(int, sys.argv[3:]))
    else:
        print(json.dumps(read(Path(sys.argv[2]))))

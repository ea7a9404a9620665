"""The report of a region loss with a million samples: ``plant FOLDER [HOW_MANY]``, then ``render FOLDER``.

``render`` prints JSON: seconds from before the first import to the written page, processor time of its parts, the
most memory it took in MiB, and the size of the page. ``peer FILE`` writes a journal of Chaos Toolkit, which has no
samples, for ``chaos report``.
"""

import json
import sys
import time
from pathlib import Path

RATE, WRITES = 5000.0, 10
ORIGIN = 0.0


def plant(folder: Path, many: int) -> None:
    """A whole journal: drill, samples, ledger, two read-backs, changes, events."""
    import analysis

    from blackstart.journals import folder as folders
    from blackstart.observer import jsonl
    from blackstart.observer.ledger import key

    analysis.plant(folder, many)
    seconds = many / RATE
    fault, undo = analysis.LOST * seconds, analysis.HOME_AGAIN * seconds
    service = {"name": "orders", "host": "orders.shop.test", "port": 8080, "home_region": analysis.HOME}
    drill = {
        "format": 1, "drill": "0142", "experiment": "region-loss", "title": "The primary region is lost", "seed": 1,
        "file": "experiments/region-loss.yaml", "started": "2026-11-23T14:03:00.000Z", "origin_monotonic": ORIGIN,
        "environment": "lab", "fault": "loss of region us-east-1", "scope": {}, "versions": {}, "sha256": "9f2c" * 16,
        "service": {**service, "standby_region": analysis.STANDBY}, "felt": True,
        "observing": {"rate": RATE, "write_share": 1 / WRITES, "timeout_seconds": analysis.TIMEOUT},
        "objectives": {"rto_seconds": 60.0, "lost_writes": 0, "availability": 0.7},
    }  # fmt: skip
    folders.write_json(folder / folders.DRILL, drill)
    found = _ledger(folder)
    for check, at in ((1, undo - 2), (2, seconds + 1)):
        for first in range(0, len(found), 1000):
            keys = [key("0142", op) for op in found[first : first + 1000]]
            jsonl.append(folder / "found.jsonl", {"check": check, "at": at, "keys": keys})
        jsonl.append(folder / "found.jsonl", {"check": check, "began": at - 0.5, "at": at, "complete": True})
    states = (("planned", fault - 1), ("applied", fault), ("undone", undo + 1), ("verified", undo + 2))
    for state, at in states:
        record = {
            "kind": "ec2.subnet_acl",
            "target": {"kind": "subnet", "id": "subnet-1"},
            "summary": "subnet-1: denied",
        }
        more = {"planned": {"record": record}, "applied": {"began": at}}.get(state, {})
        jsonl.append(
            folder / folders.CHANGES, {"change": "bs-1", "state": state, "monotonic": at, "by": "drill", **more}
        )
    jsonl.append(folder / folders.EVENTS, {"at": undo, "kind": "phase", "name": "undo"})


def _ledger(folder: Path) -> list[int]:
    """The history of every write in the samples; returns the acknowledged ones."""
    from blackstart.observer import samples
    from blackstart.observer.ledger import key

    seen = samples.read(folder)
    writes = seen.part(seen.kind == 1)
    names, found = {0: "ok", 1: "failed", 2: "unknown"}, []
    with (folder / "ledger.jsonl").open("w", encoding="utf-8") as file:
        rows = zip(writes.number, writes.outcome, writes.intended, writes.ended, strict=True)
        for op, outcome, due, ended in rows:
            file.write(f'{{"op":{op},"key":"{key("0142", int(op))}","sent":{due:.6f}}}\n')
            file.write(f'{{"op":{op},"outcome":"{names[int(outcome)]}","at":{ended:.6f},"region":"us-east-1"}}\n')
            if outcome == 0:
                found.append(int(op))
    return found


def render(folder: Path) -> dict[str, float]:
    """As ``blackstart report`` does it."""
    began, used = time.perf_counter(), time.process_time()
    from blackstart.reports import html

    imported = time.process_time() - used
    path = html.render(folder)
    total = time.perf_counter() - began
    from analysis import peak

    return {
        "seconds": total,
        "imports": imported,
        "processor": time.process_time() - used,
        "mebibytes": peak(),
        "kilobytes": path.stat().st_size / 1000,
    }


def peer(path: Path) -> None:
    """What ``chaos run`` would have left of such a drill: no samples, since it has none."""
    probe = {"name": "users are served", "type": "probe", "provider": {"type": "process", "path": "true"}}
    action = {"name": "lose the region", "type": "action", "provider": {"type": "process", "path": "true"}}
    experiment = {
        "version": "1.0.0", "title": "The primary region is lost", "description": "", "method": [action],
        "steady-state-hypothesis": {"title": "users are served", "probes": [{**probe, "tolerance": 0}]},
        "rollbacks": [], "tags": [], "contributions": {},
    }  # fmt: skip
    times = {"start": "2026-11-23T14:03:00.000000", "end": "2026-11-23T14:04:00.000000", "duration": 60.0}
    state = {"steady_state_met": True, "probes": [{"activity": probe, "status": "succeeded", "output": 0, **times}]}
    run = [{"activity": action, "status": "succeeded", "output": {"status": 0, "stdout": "", "stderr": ""}, **times}]
    journal = {
        "chaoslib-version": "1.44.0", "platform": "Linux", "node": "bench", "experiment": experiment, **times,
        "status": "completed", "deviated": False, "steady_states": {"before": state, "after": state}, "run": run,
        "rollbacks": [],
    }  # fmt: skip
    path.write_text(json.dumps(journal), encoding="utf-8")


if __name__ == "__main__":
    wanted, place = sys.argv[1], Path(sys.argv[2])
    if wanted == "plant":
        plant(place, int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000)
    elif wanted == "peer":
        peer(place)
    else:
        print(json.dumps(render(place)))

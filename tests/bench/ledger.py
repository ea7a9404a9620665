"""A ledger of a million writes with a known truth. ``plant FOLDER LOST`` writes it, ``check FOLDER`` judges it; each
prints a JSON object: times of the processor in seconds (a write: microseconds)."""

import json
import random
import resource
import sys
import time
from pathlib import Path

from blackstart.observer import jsonl
from blackstart.observer import ledger as ledgers
from blackstart.observer.record import Outcome

WRITES, UNKNOWN, BATCH, PAGE, RATE = 1_000_000, 20_000, 50, 1000, 5000
DRILL = "region-loss-20261123T140300Z"
SOURCES = ({}, {"source": "us-east-1"}, {"source": "us-west-2"})
STATES = {"us-east-1": "reader", "us-west-2": "writer"}


def plant(folder: Path, lost: int) -> None:
    chance = random.Random(lost)
    gone = set(chance.sample(range(0, WRITES, 2), lost))
    open_fate = set(chance.sample(range(1, WRITES, 2), UNKNOWN))
    recovered = set(list(open_fate)[: UNKNOWN // 2])
    batched = _history(folder, open_fate)
    keys = [
        ledgers.key(DRILL, op) for op in range(WRITES) if op not in gone and (op not in open_fate or op in recovered)
    ]
    for check in (1, 2):
        for where in SOURCES:
            _read_back(folder, check, keys, where)
    truth = {"lost": sorted(gone), "recovered": len(recovered), "unknown": UNKNOWN - len(recovered)}
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "through").mkdir()
    print(json.dumps({"batched": batched, "through": _through(folder / "through")}))


def _history(folder: Path, open_fate: set[int]) -> float:
    log = ledgers.Ledger(folder, batched=True)
    began = time.process_time()
    for op in range(WRITES):
        log.sending(op, ledgers.key(DRILL, op), op / RATE)
        if op not in open_fate:
            log.ended(op, Outcome.OK, op / RATE + 0.01, "us-east-1")
        if op % BATCH == 0:
            log.flush()
    log.close()
    return (time.process_time() - began) / WRITES * 1e6


def _through(folder: Path) -> float:
    log = ledgers.Ledger(folder)
    began = time.process_time()
    for op in range(WRITES // 20):
        log.sending(op, ledgers.key(DRILL, op), op / RATE)
        log.ended(op, Outcome.OK, op / RATE + 0.01, "us-east-1")
    log.close()
    return (time.process_time() - began) / (WRITES // 20) * 1e6


def _read_back(folder: Path, check: int, keys: list[str], where: dict[str, str]) -> None:
    file = jsonl.Appender(folder / ledgers.FOUND_FILE)
    at = WRITES / RATE + check
    for first in range(0, len(keys), PAGE):
        page = keys[first : first + PAGE]
        places = {"places": list(range(first, first + len(page)))} if where else {}
        file.write({"check": check, **where, "at": at, "keys": page, **places})
    state = {"state": STATES[where["source"]]} if where else {}
    file.write({"check": check, **where, **state, "began": at, "at": at + 0.5, "complete": True})
    file.close()


def check(folder: Path) -> None:
    truth = json.loads((folder / "truth.json").read_text())
    began = time.process_time()
    writes = ledgers.read(folder)
    read = time.process_time()
    reads = ledgers.read_checks(folder, writes).complete
    found = time.process_time()
    result = ledgers.check(writes, reads)
    ended = time.process_time()
    wrong = len({each.write.op for each in result.lost} ^ set(truth["lost"]))
    wrong += abs(len(result.recovered) - truth["recovered"]) + abs(len(result.unknown) - truth["unknown"])
    wrong += len(result.divergent) + len(result.duplicated) + len(result.unexpected) + len(result.out_of_order or ())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    took = {"read": read - began, "found": found - read, "check": ended - found}
    print(json.dumps({**took, "mebibytes": memory, "wrong": wrong}))


if __name__ == "__main__":
    if sys.argv[1] == "plant":
        plant(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        check(Path(sys.argv[2]))

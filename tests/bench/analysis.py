"""Ten million samples of a region loss, read and fully analysed: ``plant FOLDER [HOW_MANY]``, then ``read FOLDER``.

Prints JSON: seconds by the clock and of processor time, of each part and in all, and the most memory it took in MiB.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from blackstart.observer.record import NO_NAME, NO_POD, SAMPLES_FILE, Cause, Header, JourneyInfo, Outcome
from blackstart.observer.table import DTYPE

RATE, TIMEOUT, WRITES = 5000.0, 2.0, 10
MANY = 10_000_000
HOME, STANDBY = "us-east-1", "us-west-2"
LOST, HALF, BACK, HOME_AGAIN = 0.3, 0.4, 0.45, 0.8  # when the region is lost, and so on; shares of the drill


def plant(folder: Path, many: int, journeys: int = 1) -> None:
    """A drill that loses its region: nobody is served, then half of all, then all from elsewhere; one request in a
    thousand fails anyhow. A half of what fails hangs."""
    folder.mkdir(parents=True, exist_ok=True)
    seconds = many / RATE
    records = _records(many, journeys)
    records[np.argsort(records["due"] + records["took"], kind="stable")].tofile(folder / SAMPLES_FILE)
    Header(
        0.0, "2026-11-23T14:03:00.000Z", 0.0, RATE, TIMEOUT, 1 / WRITES, home_region=HOME, standby_region=STANDBY,
        service="orders", regions=(HOME, STANDBY), zones=tuple("abcdef"), pods=tuple(f"p{n}" for n in range(12)),
        addresses=("127.0.0.1",), ended=seconds,
        journeys=tuple(JourneyInfo(f"journey {n}", 1 / journeys) for n in range(journeys)),
    ).write(folder)  # fmt: skip


def _records(many: int, journeys: int) -> np.ndarray:
    chance, made = np.random.default_rng(1), np.zeros(many, DTYPE)
    number = np.arange(many, dtype=np.uint32)
    at = number / many
    half = (at >= HALF) & (at < BACK) & (chance.random(many) < 0.5)
    bad = ((at >= LOST) & (at < HALF)) | half | (chance.random(many) < 0.001)
    away, hung = (at >= HALF) & (at < HOME_AGAIN), bad & (chance.random(many) < 0.5)
    made["number"], made["due"] = number, np.round(number / RATE * 1e6)
    made["late"] = np.minimum(chance.exponential(60, many), 20_000)
    answered = made["late"] + (chance.lognormal(0, 0.35, many) * 9000 + 2000).astype(np.uint32)
    made["took"] = np.where(hung, TIMEOUT * 1e6, np.where(bad, made["late"] + 3000, answered))
    made["kind"], made["journey"] = number % WRITES == WRITES - 1, number // WRITES % journeys
    made["cache"] = np.where(bad | (made["kind"] == 1), 0, 1)
    made["region"], made["zone"] = np.where(bad, NO_NAME, away), np.where(bad, NO_NAME, number % 3 + 3 * away)
    made["pod"] = np.where(bad, NO_POD, number % 12)
    made["status"] = np.where(hung, 0, np.where(bad, 503, 200))
    made["outcome"] = np.where(bad, np.where(hung & (made["kind"] == 1), Outcome.UNKNOWN, Outcome.FAILED), Outcome.OK)
    made["cause"] = np.where(bad, np.where(hung, Cause.TIMEOUT, Cause.STATUS), Cause.NONE)
    return made


def read(folder: Path) -> dict[str, float]:
    """What a verdict and a report take from samples."""
    began, used = time.perf_counter(), time.process_time()
    taken: dict[str, float] = {}

    def timed(name: str, work: Callable) -> object:
        start = time.process_time()
        done = work()
        taken[name] = time.process_time() - start
        return done

    timed("imports", lambda: __import__("blackstart.journals.users"))
    from blackstart.journals import failback, users  # what they import belongs to the time
    from blackstart.observer import samples
    from blackstart.reports import columns
    from blackstart.settings import Observing

    seen = timed("read", lambda: samples.read(folder))
    fault, undo = (share * seen.complete_until for share in (LOST, HOME_AGAIN))
    found = timed("analysed", lambda: users.watched(seen, [], fault, undo, Observing()))
    timed("sentences", lambda: (found.unserved, found.still_failing, found.longest))

    def pictures() -> None:
        for most in (432, 20):
            borders = columns.edges(found.start - fault, found.end - fault, most, len(seen))
            columns.reduce(seen, borders, fault, (HOME, STANDBY))

    timed("pictures", pictures)
    timed("way home", lambda: (failback.homecoming(seen, undo), list(failback.stints(seen, undo, found.end))))
    total = {"seconds": time.perf_counter() - began, "processor": time.process_time() - used}
    return {**taken, **total, "mebibytes": peak(), "samples": len(seen)}


def peak() -> float:
    """The most memory that this process has held so far, in MiB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    if sys.argv[1] == "plant":
        plant(Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else MANY)
    else:
        print(json.dumps(read(Path(sys.argv[2]))))

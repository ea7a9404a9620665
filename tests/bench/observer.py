"""The observer on one processor against a lean server on another: the highest rate that it holds, how late it is,
what a sample takes on disk, and that its memory stays as it is. ``python tests/bench/observer.py`` prints it all."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil
import uvloop

from blackstart.clock import SystemClock
from blackstart.observer import process
from blackstart.observer.record import NEVER, Cause, Outcome
from blackstart.observer.samples import DTYPE
from blackstart.observer.steadiness import PRIORITY
from blackstart.scope import Scope
from blackstart.settings import Observing, Service, Settings

sys.path.append(str(Path(__file__).parent.parent))
import long_run

SERVER = Path(__file__).with_name("lean_server.py")
RATES = (5_000, 8_000, 10_000, 12_000, 14_000, 16_000, 18_000, 20_000)
SECONDS = 4.0
HOUR_SECONDS = 30.0
WARM_SECONDS = 0.5  # connections are made, and the processor wakes up
HELD_LATE = 0.01  # p99 of lateness, in seconds, up to which a rate counts as held


@dataclass(frozen=True)
class Run:
    """``late_*`` in milliseconds; shares 0–1; ``growth_bytes`` of resident memory from a quarter of the time on;
    ``processor``: share of one that it used."""

    rate: float
    sent_share: float
    ok_share: float
    late_p50: float
    late_p99: float
    late_worst: float
    late_over_1_ms: float
    processor: float
    bytes_per_sample: float
    resident_bytes: int
    growth_bytes: int

    @property
    def held(self) -> bool:
        return self.sent_share > 0.999 and self.ok_share > 0.999 and self.late_p99 <= 1000 * HELD_LATE


@contextmanager
def server(*words: str) -> Iterator[int]:
    """Its port. It has the first processor for itself, where there are two."""
    with subprocess.Popen(
        [sys.executable, str(SERVER), *words], stdout=subprocess.PIPE, start_new_session=True
    ) as running:
        if len(_processors()) > 1:
            os.sched_setaffinity(running.pid, {_processors()[0]})
        with suppress(PermissionError):  # as the observer does: what else runs here is not to be measured
            os.setpriority(os.PRIO_PROCESS, running.pid, PRIORITY)
            Path(f"/proc/{running.pid}/autogroup").write_text(str(PRIORITY))
        try:
            yield int(running.stdout.readline())
        finally:
            running.kill()


def run(port: int, rate: float, write_share: float = 0.0, seconds: float = SECONDS, timeout: float = 2.0) -> Run:
    """An observer, on the last processor, for ``seconds``."""
    settings = Settings(
        scope=Scope(environment="bench"),
        service=Service(name="lean", host="127.0.0.1", port=port, home_region="us-east-1"),
        observer=Observing(rate=rate, write_share=write_share, timeout_seconds=timeout),
    )
    everywhere = set(_processors())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.sched_setaffinity(0, {max(everywhere)})
        try:
            handle = process.start(folder, settings, "bench", SystemClock().monotonic())
        finally:
            os.sched_setaffinity(0, everywhere)
        observer = psutil.Process(handle.pid)
        time.sleep(seconds / 4)
        early, used, began = observer.memory_info().rss, sum(observer.cpu_times()[:2]), time.monotonic()
        time.sleep(3 * seconds / 4)
        resident, busy = observer.memory_info().rss, sum(observer.cpu_times()[:2]) - used
        share = busy / (time.monotonic() - began)
        handle.stop(timeout_seconds=60)
        return _judged(folder, rate, share, resident, resident - early)


def _judged(folder: Path, rate: float, share: float, resident: int, growth: int) -> Run:
    rows = np.fromfile(folder / "samples.bin", DTYPE)
    first = rows["number"] >= WARM_SECONDS * rate
    late = rows["late"][first & (rows["late"] != NEVER)] / 1000
    ended = json.loads((folder / "observer.json").read_text())
    planned = round((ended["ended"] - ended["begin"]) * rate)
    size = (folder / "samples.bin").stat().st_size
    return Run(
        rate=rate,
        sent_share=float((rows["cause"] != Cause.UNSENT).sum() / planned),
        ok_share=float((rows["outcome"] == Outcome.OK).mean()),
        late_p50=float(np.percentile(late, 50)),
        late_p99=float(np.percentile(late, 99)),
        late_worst=float(late.max()),
        late_over_1_ms=float((late > 1).mean()),
        processor=share,
        bytes_per_sample=size / len(rows),
        resident_bytes=resident,
        growth_bytes=growth,
    )


def highest(port: int, write_share: float) -> Run:
    """The highest of the rates that is held, going up until none of two runs holds; the first one if none is."""
    best = None
    for rate in RATES:
        takes = (run(port, rate, write_share) for _ in range(2))
        found = next((take for take in takes if take.held), None)
        if found is None:
            break
        best = found
    return best or run(port, RATES[0], write_share)


def hour() -> tuple[int, int]:
    """An hour at 100 requests a second, in `HOUR_SECONDS`: by how many bytes this process grows in its last three
    quarters, and how many requests they held."""
    seen = []
    with tempfile.TemporaryDirectory() as name:
        samples = Path(name) / "samples.bin"

        def look(quarter: int) -> None:
            seen.append((psutil.Process().memory_info().rss, samples.stat().st_size // DTYPE.itemsize))

        running = long_run.played(
            Path(name), long_run.Instant(0.99), HOUR_SECONDS, look, times=3600 / HOUR_SECONDS, rate=100
        )
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(running)
    (early, few), (late, many) = seen[0], seen[-1]
    return late - early, many - few


def _processors() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def figures() -> dict[str, dict]:
    """Everything, by name."""
    with server() as port:
        found = {
            "highest, reads": asdict(highest(port, 0.0)),
            "highest, half of them writes": asdict(highest(port, 0.5)),
            "5,000/s": asdict(run(port, 5_000, 0.0)),
            "5,000/s, half of them writes": asdict(run(port, 5_000, 0.5)),
        }
    with server("hang") as port:
        found["5,000/s, target hangs"] = asdict(run(port, 5_000, 0.0, timeout=0.5))
    grown, requests = json.loads(subprocess.check_output([sys.executable, __file__, "hour"]))
    return {**found, "an hour at 100/s": {"grown_bytes": grown, "requests": requests}}


def main(words: list[str]) -> None:
    if words == ["hour"]:
        print(json.dumps(hour()))
    elif words == ["json"]:
        print(json.dumps(figures()))
    else:
        for name, values in figures().items():
            print(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in values.items()))


if __name__ == "__main__":
    main(sys.argv[1:])

"""So many users through a region loss in the embedded lab: ``make bench-100k``, or ``ARGS="5000 250"`` for fewer.

Prints what one drill gave: users held, what it cost in memory and processor, the share of errors, and the recovery
time by the observer and by Locust. Ends by itself, and leaves nothing running.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import psutil

from blackstart.journals.measure import measure
from blackstart.reports import crowd

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENT = "region-loss-100k"
MOST_SECONDS = 1800
SAMPLE_SECONDS = 2.0
PROGRAM = [sys.executable, "-m", "blackstart"]


class Usage(threading.Thread):
    """What this machine uses while a drill runs: most memory in bytes, beyond what it used before; processor time."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._done = threading.Event()
        self._before = psutil.virtual_memory().available
        self._cpu = psutil.cpu_times()
        self.most_memory = self.most_sockets = 0
        self.busy = 0.0

    def run(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            self.most_memory = max(self.most_memory, self._before - psutil.virtual_memory().available)
            self.most_sockets = max(self.most_sockets, _sockets())

    def end(self) -> None:
        self._done.set()
        self.join()
        spent = [now - then for now, then in zip(psutil.cpu_times(), self._cpu, strict=True)]
        idle = psutil.cpu_times().idle - self._cpu.idle
        self.busy = 1 - idle / sum(spent)


def _sockets() -> int:
    """TCP sockets in use, on Linux; 0 elsewhere."""
    path = Path("/proc/net/sockstat")
    lines = path.read_text().splitlines() if path.is_file() else []
    return next((int(line.split()[2]) for line in lines if line.startswith("TCP:")), 0)


def drill(users: int, per_second: int, folder: Path) -> Path:
    """Run one; its journal."""
    lab = folder / "lab.toml"
    lab.write_text(f"users = {users}\nstart_seconds = 120\n")
    env = os.environ | {"BLACKSTART_LOAD_USERS": str(users), "BLACKSTART_LOAD_RATE": str(per_second)}
    experiment = str(ROOT / "experiments" / f"{EXPERIMENT}.yaml")
    command = [*PROGRAM, "lab", "run", "--name", f"bench-{os.getpid()}", "--config", str(lab), "--"]
    subprocess.run([*command, *PROGRAM, "run", experiment], cwd=folder, env=env, timeout=MOST_SECONDS, check=False)
    journals = sorted((folder / "journals" / EXPERIMENT).glob("*"))
    if not journals:
        raise SystemExit("no drill began, so there is nothing to tell")
    return journals[-1]


def main() -> None:
    users, per_second, *_ = [*map(int, sys.argv[1:]), *(100_000, 300)[len(sys.argv) - 1 :]]
    folder = Path(tempfile.mkdtemp(prefix="blackstart-users-"))
    usage = Usage()
    usage.start()
    journal = drill(users, per_second, folder)
    usage.end()
    measured = measure(journal)
    verdict = json.loads((journal / "verdict.json").read_text())
    print(f"\n{users:,} users through a region loss on {os.cpu_count()} processors")
    for what, load, observer in crowd.view(measured).rows:
        print(f"  {what:40} {load:48} observer: {observer}")
    print(f"  {'Memory, at most':40} {usage.most_memory / 1e9:.1f} GB more than before")
    print(f"  {'Processors busy':40} {usage.busy:.0%} (with everything else on this machine)")
    print(f"  {'TCP sockets, at most':40} {usage.most_sockets:,}")
    print(f"  {'Verdict':40} {verdict['verdict']}: {verdict['reason']}")
    print(f"  {'Report':40} {journal / 'report.html'}")


if __name__ == "__main__":
    main()

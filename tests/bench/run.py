"""Figures of this machine, printed as a table. Run by ``make bench``; asserts nothing.

Peers do not have an embedded lab, so nothing of theirs stands beside these rows.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from blackstart.clock import SystemClock
from blackstart.lab import launch

BIN = Path(sys.executable).parent
RUNS = 3


def lab_start() -> tuple[list[float], list[float]]:
    """Seconds from the call until the first order could be taken, and MiB in use then."""
    seconds, mebibytes = [], []
    for number in range(RUNS):
        began = time.monotonic()
        started = launch.launch(f"bench-{os.getpid()}-{number}", None, lambda words: None, stays=False)
        seconds.append(time.monotonic() - began)
        memory = started.status.proportional_bytes or started.status.resident_bytes
        mebibytes.append(memory / 2**20)
        started.end(SystemClock())
    return seconds, mebibytes


def command(*arguments: str) -> list[float]:
    """Seconds that a command takes."""
    taken = []
    for _ in range(RUNS * 3):
        began = time.monotonic()
        subprocess.run([str(BIN / arguments[0]), *arguments[1:]], check=True, stdout=subprocess.DEVNULL)
        taken.append(time.monotonic() - began)
    return taken


def drill() -> list[float]:
    """Seconds of one region loss, lab included."""
    with tempfile.TemporaryDirectory() as folder:
        experiment = Path(__file__).parents[2] / "experiments" / "region-loss.yaml"
        began = time.monotonic()
        inside = [str(BIN / "blackstart"), "run", str(experiment)]
        name = f"bench-drill-{os.getpid()}"
        subprocess.run(
            [str(BIN / "blackstart"), "lab", "run", "--name", name, "--", *inside],
            check=False,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return [time.monotonic() - began]


def main() -> None:
    table = Table("what", "unit", "least", "median", "most", title="figures of this machine", box=None)

    def row(what: str, unit: str, measured: list[float], shown: Callable[[float], str] = "{:.2f}".format) -> None:
        found = (min(measured), statistics.median(measured), max(measured))
        table.add_row(what, unit, *(shown(value) for value in found))

    seconds, mebibytes = lab_start()
    row("lab up, cold", "s", seconds)
    row("memory of a lab", "MiB", mebibytes, "{:,.0f}".format)
    row("region loss, lab included", "s", drill(), "{:.1f}".format)
    row("blackstart --version", "s", command("blackstart", "--version"))
    row("chaos --version", "s", command("chaos", "--no-version-check", "--version"))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()

"""Figures of this machine, ours beside the peer's from the same run. Run by ``make bench``; asserts nothing.

``run.py [gate] [zone] [start] [lab]`` measures only these parts.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import peers
import zone
from rich.console import Console
from rich.table import Table

from blackstart.clock import SystemClock
from blackstart.lab import launch

sys.path.append(str(Path(__file__).parent.parent))
import moto_server

HERE = Path(__file__).parent

BIN = Path(sys.executable).parent
RUNS = 3
SECONDS, MILLISECONDS, COUNT = "{:.2f} s", "{:.2f} ms", "{:,.0f}"


@dataclass(frozen=True)
class Row:
    """``ours`` and ``theirs``: every take; ``theirs``: none where a peer has no such thing. ``bar``: our promise."""

    what: str
    shown: str
    ours: list[float]
    theirs: list[float]
    bar: str = ""


def gate(folder: Path) -> Iterable[Row]:
    """A thousand changes that take no time."""
    with moto_server.running(folder) as url:
        environ = {**os.environ, **moto_server.environ(url)}
        taken = [_json([sys.executable, str(HERE / "gate.py")], environ) for _ in range(RUNS)]
    yield Row("gate, a change", MILLISECONDS, [each["inject"] * 1000 for each in taken], [], "≤ 1 ms")
    yield Row("undo and verify, a change", MILLISECONDS, [each["undo"] * 1000 for each in taken], [])


def zones(folder: Path) -> Iterable[Row]:
    """A zone of 200 subnets, 100 ms away."""
    ours, theirs = zone.tools(peers.without())

    def taken(measure: str, tool: zone.Tool, runs: int) -> list:
        found = []
        for number in range(runs):
            with zone.zone(folder / f"{measure}-{tool.reverts}-{number}") as one:
                found.append(getattr(one, measure)(tool))
        return found

    we, they = taken("measure", ours, RUNS), taken("measure", theirs, 1)
    for what, title in (("isolate", "isolate 200 subnets, 100 ms away"), ("undo", "undo that")):
        yield Row(title, SECONDS, [each[what] for each in we], [each[what] for each in they], "≤ 3 s")
    we, they = taken("kill", ours, RUNS), taken("kill", theirs, 1)
    left = "killed at the 100th: subnets that stay cut off"
    yield Row(left, COUNT, [each.cut_off for each in we], [each.cut_off for each in they], "0")
    first = [each.first_undo for each in we if each.first_undo is not None]
    yield Row("first undo after the death", SECONDS, first, [], "≤ 0.2 s")


def start(folder: Path) -> Iterable[Row]:
    """Commands that do nothing; Chaos Toolkit with Blackstart beside it, and without."""
    chaos = ("chaos", "--no-version-check", "--version")
    ours, theirs = _command(peers.beside().parent, *chaos), _command(peers.without().parent, *chaos)
    yield Row("chaos --version, with Blackstart", SECONDS, ours, theirs, "+ ≤ 0.05 s")
    yield Row("blackstart --version", SECONDS, _command(BIN, "blackstart", "--version"), [], "≤ 0.25 s")


def lab(folder: Path) -> Iterable[Row]:
    """The embedded lab; no peer has one."""
    seconds, mebibytes = [], []
    for number in range(RUNS):
        began = time.monotonic()
        started = launch.launch(f"bench-{os.getpid()}-{number}", None, lambda words: None, stays=False)
        seconds.append(time.monotonic() - began)
        memory = started.status.proportional_bytes or started.status.resident_bytes
        mebibytes.append(memory / 2**20)
        started.end(SystemClock())
    yield Row("lab up, cold", SECONDS, seconds, [])
    yield Row("memory of a lab", "{:,.0f} MiB", mebibytes, [])
    yield Row("region loss, lab included", SECONDS, [_drill(folder)], [])


def _drill(folder: Path) -> float:
    experiment = HERE.parents[1] / "experiments" / "region-loss.yaml"
    inside = [str(BIN / "blackstart"), "run", str(experiment)]
    command = [str(BIN / "blackstart"), "lab", "run", "--name", f"bench-drill-{os.getpid()}", "--", *inside]
    began = time.monotonic()
    subprocess.run(command, check=False, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - began


def _command(binaries: Path, *arguments: str) -> list[float]:
    taken = []
    for _ in range(RUNS * 3):
        began = time.monotonic()
        subprocess.run([str(binaries / arguments[0]), *arguments[1:]], check=True, stdout=subprocess.DEVNULL)
        taken.append(time.monotonic() - began)
    return taken


def _json(command: list[str], environ: dict[str, str]) -> dict[str, float]:
    return json.loads(subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=True).stdout)


PARTS: dict[str, Callable[[Path], Iterable[Row]]] = {"gate": gate, "zone": zones, "start": start, "lab": lab}


def main(wanted: list[str]) -> None:
    console = Console(width=110, highlight=False)
    table = Table("what", "least", "median", "most", "peer", "bar", title="figures of this machine", box=None)
    for name in wanted or PARTS:
        with tempfile.TemporaryDirectory() as folder, console.status(f"measuring: {name}"):
            for row in PARTS[name](Path(folder)):
                ours = (min(row.ours), statistics.median(row.ours), max(row.ours)) if row.ours else ()
                told = [row.shown.format(value) for value in ours] or ["none"] * 3
                theirs = row.shown.format(statistics.median(row.theirs)) if row.theirs else "–"
                table.add_row(row.what, *told, theirs, row.bar)
    console.print(table)
    console.print(f"peer: {', '.join(peers.PINNED)}")


if __name__ == "__main__":
    main(sys.argv[1:])

"""Figures of this machine, ours beside the peer's from the same run. Run by ``make bench``; asserts nothing.

``run.py [gate] [zone] [pods] [power] [start] [lab] [ledger] [observer] [analysis] [report]`` measures only these parts.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import boto3
import clusters
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


def pods(folder: Path) -> Iterable[Row]:
    """Thousands of pods, the API 30 ms away; a drain with a budget that refuses for a second."""
    many, drained = {"pods": 2000, "latency": 0.03}, {"pods": 200, "nodes": 5, "latency": 0.01}
    guarded = {**drained, "guarded": 20, "refusing": 1.0}
    with clusters.bench(folder, peers.without()) as bench:

        def taken(tool: str, what: str, **cluster: object) -> list[dict]:
            return [bench.measure(tool, what, **cluster) for _ in range(RUNS if tool == "ours" else 1)]

        def row(title: str, shown: str, key: str, bar: str, what: str, **cluster: object) -> Row:
            ours, theirs = taken("ours", what, **cluster), taken("theirs", what, **cluster)
            return Row(title, shown, [each[key] for each in ours], [each[key] for each in theirs], bar)

        yield row("kill 2,000 pods, 30 ms away", SECONDS, "seconds", "≤ 2.5 s", "kill", **many)
        yield row("one of them is gone already: left", COUNT, "left", "0", "kill", gone=1, **many)
        yield row("list 10,000 pods and choose", SECONDS, "seconds", "≤ 0.6 s", "list", pods=10_000, nodes=200)
        ours, theirs = taken("ours", "drain", **guarded), taken("theirs", "drain", **guarded)
        for key, title, bar in (("seconds", "drain 200 pods of 5 nodes, 10 ms away", "≤ 1.5 s"), ("left", "left", "0")):
            shown = SECONDS if key == "seconds" else COUNT
            yield Row(title, shown, [each[key] for each in ours], [each[key] for each in theirs], bar)
        yield Row("evicted past the budget", COUNT, [each["violations"] for each in ours], [], "0")
        again = [each for run in taken("ours", "again", pods=20, latency=0.03, back=1.0) for each in run["again"]]
        yield Row("from coming back to being killed again", SECONDS, again, [], "≤ 0.5 s")


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


def power(folder: Path) -> Iterable[Row]:
    """A zone of 500 instances."""
    with moto_server.running(folder) as url:
        environ = {**os.environ, **moto_server.environ(url)}
        ec2 = boto3.client("ec2", region_name="us-east-1", endpoint_url=url, **zone.credentials(environ))
        tags = [{"Key": "blackstart", "Value": "allowed"}]
        tagged = {kind: {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]} for kind in ("vpc", "instance")}
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", **tagged["vpc"])["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{16 * number}.0/20", AvailabilityZone=f"us-east-1{letter}")
            for number, letter in enumerate("ab")
        ]
        inside = subnets[0]["Subnet"]["SubnetId"]
        ec2.run_instances(ImageId="ami-1", MinCount=500, MaxCount=500, SubnetId=inside, **tagged["instance"])
        made = _json([sys.executable, str(HERE / "compute.py"), str(folder), "power", vpc, "us-east-1a"], environ)
    yield Row("power off a zone of 500 instances: API calls", COUNT, [made["made"]], [], "≤ 10")


def ledger(folder: Path) -> Iterable[Row]:
    """A million writes: keeping the history, and judging it with planted losses, read back three times twice."""
    program = [sys.executable, str(HERE / "ledger.py")]
    found = []
    for lost in (0, 1, 100, 10_000):
        place = folder / str(lost)
        place.mkdir()
        kept = _json([*program, "plant", str(place), str(lost)], dict(os.environ))
        found.append(kept | _json([*program, "check", str(place)], dict(os.environ)))
        shutil.rmtree(place)
    for key, title, shown, bar in (
        ("through", "a write in the history, line by line", "{:.1f} µs", ""),
        ("batched", "the same in batches of 50", "{:.1f} µs", "≤ 20 µs: 5,000/s are 10 % of a core"),
        ("read", "1,000,000 writes: reading the history", SECONDS, ""),
        ("found", "reading six read-backs of them", SECONDS, ""),
        ("check", "what became of each", SECONDS, ""),
        ("mebibytes", "memory of all that", "{:,.0f} MiB", ""),
        ("wrong", "0, 1, 100 and 10,000 lost: judged wrongly", COUNT, "0"),
    ):
        yield Row(title, shown, [each[key] for each in found], [], bar)


def observer(folder: Path) -> Iterable[Row]:
    """The observer on one processor, a lean server on another."""
    found = _json([sys.executable, str(HERE / "observer.py"), "json"], dict(os.environ))
    for name, title, bar in (("reads", "reads", "≥ 10,000"), ("half of them writes", "half of them writes", "")):
        yield Row(f"highest rate held, {title}, a second", COUNT, [found[f"highest, {name}"]["rate"]], [], bar)
    for name in ("5,000/s", "5,000/s, half of them writes", "5,000/s, target hangs"):
        made = found[name]
        yield Row(f"{name}: late by > 1 ms", "{:.2%}", [made["late_over_1_ms"]], [], "" if "hangs" in name else "< 1 %")
        yield Row(f"{name}: late, p99", MILLISECONDS, [made["late_p99"]], [])
    yield Row("a sample on disk", "{:.0f} B", [found["5,000/s"]["bytes_per_sample"]], [], "≤ 40 B")
    hour = found["an hour at 100/s"]
    yield Row("memory gained in the last ¾ of an hour", "{:,.0f} B", [hour["grown_bytes"]], [], "0 a request")


def analysis(folder: Path) -> Iterable[Row]:
    """Ten million samples of a region loss, from disk to all that a verdict and a report take from them."""
    program = [sys.executable, str(HERE / "analysis.py")]
    subprocess.run([*program, "plant", str(folder)], check=True)
    taken = [_json([*program, "read", str(folder)], dict(os.environ)) for _ in range(RUNS)]
    yield Row("10,000,000 samples read and analysed", SECONDS, [each["seconds"] for each in taken], [], "≤ 3 s")
    for name in ("imports", "read", "analysed", "sentences", "pictures", "way home"):
        yield Row(f"  of it {name}, processor time", SECONDS, [each[name] for each in taken], [])
    yield Row("memory of all that", "{:,.0f} MiB", [each["mebibytes"] for each in taken], [], "≤ 500 MB: 476 MiB")


def history(folder: Path) -> Iterable[Row]:
    """The history page of ten thousand journals: first without an index, then with it; no peer has one."""
    program = [sys.executable, str(HERE / "history.py")]
    subprocess.run([*program, "plant", str(folder)], check=True)
    first, *warm = [_json([*program, "read", str(folder)], dict(os.environ)) for _ in range(1 + RUNS)]
    yield Row("history of 10,000 journals, first", SECONDS, [first["seconds"]], [], "≤ 30 s")
    yield Row("the same with its index", SECONDS, [each["seconds"] for each in warm], [], "≤ 2 s")
    for name in ("imports", "index", "page"):
        yield Row(f"  of it {name}", SECONDS, [each[name] for each in warm], [])
    yield Row("memory of all that", "{:,.0f} MiB", [each["mebibytes"] for each in warm], [])


def report(folder: Path) -> Iterable[Row]:
    """A million samples to a page; the peer's page has none."""
    program = [sys.executable, str(HERE / "report.py")]
    journal = folder / "region-loss" / "20261123T140300Z"
    subprocess.run([*program, "plant", str(journal)], check=True)
    taken = [_json([*program, "render", str(journal)], dict(os.environ)) for _ in range(RUNS)]
    theirs = _chaos_report(folder, program)
    title = "report of 1,000,000 samples; chaos report, of none"
    yield Row(title, SECONDS, [each["seconds"] for each in taken], theirs, "≤ 1.5 s")
    for name in ("imports", "processor"):
        yield Row(f"  of it {name}, processor time", SECONDS, [each[name] for each in taken], [])
    yield Row("memory of that", "{:,.0f} MiB", [each["mebibytes"] for each in taken], [], "≤ 300 MB: 286 MiB")
    yield Row("size of the page", "{:,.0f} kB", [each["kilobytes"] for each in taken], [], "< 1,000 kB")


def _chaos_report(folder: Path, program: list[str]) -> list[float]:
    python = peers.reporting()
    find = "import pypandoc, os; print(os.path.dirname(pypandoc.get_pandoc_path()))"
    pandoc = subprocess.run([python, "-c", find], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    journal, taken = folder / "journal.json", []
    subprocess.run([*program, "peer", str(journal)], check=True)
    environ = {**os.environ, "PATH": f"{pandoc}{os.pathsep}{os.environ['PATH']}"}
    chaos = [str(python.parent / "chaos"), "--no-version-check", "report", "--export-format=html", str(journal)]
    for _ in range(RUNS):
        began = time.monotonic()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([*chaos, str(folder / "report.html")], check=True, env=environ, cwd=folder, **quiet)
        taken.append(time.monotonic() - began)
    return taken


PARTS: dict[str, Callable[[Path], Iterable[Row]]] = {
    "gate": gate,
    "zone": zones,
    "pods": pods,
    "power": power,
    "start": start,
    "lab": lab,
    "ledger": ledger,
    "observer": observer,
    "analysis": analysis,
    "report": report,
    "history": history,
}


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
    console.print(f"peer: {', '.join(dict.fromkeys((*peers.PINNED, *peers.REPORTING)))}")


if __name__ == "__main__":
    main(sys.argv[1:])

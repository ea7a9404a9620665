"""How true our numbers are: planted behaviour, the server's own log of it, and what we and the peers said.

``truth.py [outages] [availability] [names] [mixed] [writes] [--seeds N] [--keep FOLDER] [--no-peers]`` measures only
these parts. Asserts nothing: it prints figures beside the bars that we set ourselves. Run by ``make bench-truth``.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.append(str(Path(__file__).parent.parent / "truth"))
import truth_bed as bed
import truth_judge as judge
import truth_peers as peers
import truth_plan as plans
import truth_scenes as scenes

from blackstart.journals import users
from blackstart.observer import analysis

RATE, TIMEOUT = 100.0, 0.5
EDGES = (0.02, 0.05, 0.1, 0.5, 2, 10, 31)
UNSURE_SECONDS = 0.005  # the truth of an outage must be known this well

Row = tuple[str, ...]


def milliseconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{1000 * seconds:+.1f} ms"


def percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


class Bench:
    """Plays plans and prints tables."""

    def __init__(self, console: Console, folder: Path, seeds: int, *, with_peers: bool) -> None:
        self.console, self.folder, self.seeds = console, folder, seeds
        self._with_peers = with_peers
        self._played = 0

    def beside(self, timeout: float) -> list[peers.Peer]:
        if not self._with_peers:
            return []
        asked = [peers.krkn(2.0), peers.krkn(0.1), peers.chaos_toolkit(0.1, timeout)]
        return [each for each in asked if each is not None]

    def play(self, plan: plans.Plan, beside: Sequence[peers.Peer] = (), **more: object) -> bed.Seen:
        self._played += 1
        with self.console.status(f"playing {plan.seconds:.0f} s"):
            seen = bed.play(plan, self.folder / f"{self._played}", beside=beside, **more)
        trust = analysis.trust(seen.samples)
        late = f"p99 {1000 * trust.p99_lateness_seconds:.1f} ms, worst {1000 * trust.worst_lateness_seconds:.1f} ms"
        self.console.print(f"played {plan.seconds:.0f} s; the observer itself was late by {late}")
        return seen

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        table = Table(*columns, title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
        for row in rows:
            table.add_row(*row)
        self.console.print(table, "")


def outages(bench: Bench) -> None:
    """Outages of all lengths and sorts at random phases."""
    ours: list[judge.Verdict] = []
    theirs: dict[str, list[peers.PeerVerdict]] = {}
    alarms = 0
    for seed in range(1, bench.seeds + 1):
        beside = bench.beside(TIMEOUT)
        seen = bench.play(plans.timeline(seed, plans.BENCH, timeout=TIMEOUT), beside)
        ours += judge.outages(seen)
        alarms += len(judge.false_alarms(seen))
        for peer in beside:
            slack = peer.interval + 0.05
            found = peers.judged(peer.told(seen.origin), seen.truth, plans.OUTAGES, slack)
            theirs.setdefault(peer.name, []).extend(found)
    _detected(bench, ours, theirs)
    _errors(bench, ours, theirs)
    _by_mode(bench, ours)
    bench.console.print(f"outages reported where none was planted: {alarms}\n")


def _detected(bench: Bench, ours: Sequence[judge.Verdict], theirs: dict[str, list[peers.PeerVerdict]]) -> None:
    rows = []
    for low, high, mine in judge.by_length(ours, EDGES):
        row = [f"{low:g} – {high:g} s", str(len(mine)), str(sum(each.pieces > 0 for each in mine))]
        for told in theirs.values():
            row.append(str(sum(each.down is not None for each in told if low <= each.planted.seconds < high)))
        rows.append((*row, "all" if low >= 0.05 else ""))
    bench.table("outages detected, by length", ("planted length", "planted", f"ours, {RATE:g}/s", *theirs, "bar"), rows)


def _errors(bench: Bench, ours: Sequence[judge.Verdict], theirs: dict[str, list[peers.PeerVerdict]]) -> None:
    gap = 1 / RATE
    rows = []
    judged = [each for each in ours if each.planted.trouble.seconds >= 0.05 and each.planted.slack <= UNSURE_SECONDS]
    unsure = sum(each.planted.slack > UNSURE_SECONDS for each in ours)
    bench.console.print(f"left out below, because the server itself was late just then: {unsure} of {len(ours)}\n")
    for what in ("length", "rto"):
        spread = judge.Spread.of(getattr(each, f"{what}_error") for each in judged)
        covered = judge.share(getattr(each, f"{what}_covered") for each in judged)
        rows.append(_spread(f"ours: {what}", len(judged), spread, gap, percent(covered)))
        for name, told in theirs.items():
            known = [each for each in told if each.planted.seconds >= 0.05 and each.planted.slack <= UNSURE_SECONDS]
            errors = judge.Spread.of(getattr(each, f"{what}_error") for each in known)
            rows.append(_spread(f"{name}: {what}", len(known), errors, gap, "no bar"))
    rows.append(("bar", "", "≤ 10 ms", "within ± 3 ms", "", "≤ 1.5", ""))
    columns = ("of outages ≥ 50 ms", "judged", "mean error", "bias", "worst", "worst, our gaps", "truth inside ±")
    bench.table("outage length and recovery time, measured − true", columns, rows)


def _spread(what: str, planted: int, spread: judge.Spread | None, gap: float, covered: str) -> Row:
    if spread is None:
        return what, f"0 of {planted}", "–", "–", "–", "–", covered
    told = (f"{1000 * spread.mean:.1f} ms", milliseconds(spread.bias), milliseconds(spread.worst))
    return what, f"{spread.count} of {planted}", *told, f"{abs(spread.worst) / gap:.2f}", covered


def _by_mode(bench: Bench, ours: Sequence[judge.Verdict]) -> None:
    rows = []
    for mode in plans.OUTAGES:
        mine = [each for each in ours if each.planted.trouble.mode == mode and each.planted.slack <= UNSURE_SECONDS]
        for what in ("length", "rto"):
            spread = judge.Spread.of(getattr(each, f"{what}_error") for each in mine)
            covered = percent(judge.share(getattr(each, f"{what}_covered") for each in mine))
            rows.append(_spread(f"{mode}: {what}", len(mine), spread, 1 / RATE, covered))
    columns = ("sort, all lengths", "judged", "mean error", "bias", "worst", "worst, our gaps", "truth inside ±")
    bench.table("ours, by the sort of outage", columns, rows)


def availability(bench: Bench) -> None:
    """10 seconds out of 22 without an answer."""
    timeout, rows = 2.0, []
    for mode, what in ((plans.HOLE, "never answered"), (plans.STALL, "answered all at once at the end")):
        beside = bench.beside(timeout)
        seen = bench.play(scenes.long_stall(mode), beside, watching=bed.observing(timeout=timeout, window=1.0))
        start, end = scenes.long_stall_span(seen)
        served, up = judge.up_share(seen, start, end, timeout), judge.up_share(seen, start, end)
        found = users.watched(seen.samples, seen.events, None, None, seen.observing)
        share = analysis.availability(seen.samples, start, end).share
        told = [peer.told(seen.origin).share for peer in beside]
        shares = tuple(f"{100 * each:.2f} % ({100 * (each - served):+.2f})" for each in (share, *told))
        rows.append((what, f"{100 * up:.2f} %", f"{100 * served:.2f} %", *shares, "± 0.5 points"))
        assert found.longest is not None
    names = [peer.name for peer in bench.beside(timeout)]
    columns = ("10 s of 22", "time up", "users served in time (true)", f"ours, {RATE:g}/s", *names, "bar")
    bench.table(f"availability, error in points; a user waits {timeout:g} s", columns, rows)


def names(bench: Bench) -> None:
    """DNS fail-over."""
    errors = [each for seed in range(bench.seeds) for each in scenes.name_errors(bench.play(scenes.names(seed + 1)))]
    rows = []
    for what in ("failover", "rto"):
        spread = judge.Spread.of(getattr(each, what) for each in errors)
        covered = percent(judge.share(each.covered for each in errors)) if what == "rto" else "exact"
        rows.append(_spread(what, len(errors), spread, 1 / RATE, covered))
    columns = ("DNS fail-over", "judged", "mean error", "bias", "worst", "worst, our gaps", "truth inside ±")
    bench.table("DNS: when the new address was first given, and recovery; measured − true", columns, rows)


def mixed(bench: Bench) -> None:
    """Error shares, half-broken zones, flapping, a slow tail."""
    found = scenes.mixed_figures(bench.play(scenes.mixed(1)))
    rows = [(each.what, f"{each.measured:.2f}", f"{each.true:.2f}", f"{each.error:+.2f}") for each in found]
    bench.table("percent and milliseconds", ("what", "ours", "true", "error"), rows)


def writes(bench: Bench) -> None:
    """Writes dropped, unacknowledged, late, refused though applied."""
    watching = bed.observing(write_share=1.0)
    seen = bench.play(scenes.writes(1), watching=watching, checks=(0.0, scenes.LATE_SECONDS + 0.5))
    rows = [
        (each.name, str(each.measured), str(each.true), "exact" if not each.wrong else f"{each.wrong} wrong", "exact")
        for each in scenes.write_classes(seen)
    ]
    bench.table(f"what became of {len(seen.writes)} writes", ("class", "ours", "true", "", "bar"), rows)


PARTS = {"outages": outages, "availability": availability, "names": names, "mixed": mixed, "writes": writes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=", ".join(PARTS))
    parser.add_argument("--seeds", type=int, default=1, help="how many timelines of outages, and of DNS")
    parser.add_argument("--keep", type=Path, help="keep everything that was played in this folder")
    parser.add_argument("--no-peers", action="store_true")
    chosen = parser.parse_args()
    console = Console(width=150, highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        kept = chosen.keep or Path(folder)
        bench = Bench(console, kept, chosen.seeds, with_peers=not chosen.no_peers)
        for name in chosen.parts or PARTS:
            PARTS[name](bench)


if __name__ == "__main__":
    main()

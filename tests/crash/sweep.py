"""The crash sweep: drills whose processes die everywhere and in every way. README.md here says more.

``python tests/crash/sweep.py`` runs it all and ends with a summary; exit code 1 if anything was left.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

sys.path += [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
import moto_server
from crashes import in_a_lab
from points import EXPERIMENTS, SMALL, Point, Result, every
from small import Small


class Crasher(Protocol):
    """What runs a point: a lab, or moto for the small drill."""

    def run(self, point: Point) -> Result: ...


def points(crasher: Crasher, experiment: str, chance: random.Random) -> list[Point]:
    """Every point of ``experiment``, which is run once first, to see where it comes by and how long it takes."""
    began = time.monotonic()
    whole = crasher.run(Point(experiment))
    say(whole)
    if whole.left or "undoing" not in whole.passages:
        sys.exit(f"{experiment} cannot be swept: when nobody dies, it leaves something, or has nothing to put back")
    drill_seconds = 0.7 * (time.monotonic() - began)  # the rest is for looking at what is there
    return list(every(experiment, whole.passages, drill_seconds, chance))


def swept(asked: argparse.Namespace, folder: Path) -> Iterator[Result]:
    """Run what was asked for, point by point. A lab, and moto, are started only when needed, one after the other."""
    named = [Point.named(name) for name in asked.point or []]
    experiments = asked.only or ([] if named else [SMALL, *EXPERIMENTS])
    chance = random.Random(asked.seed)
    for small in (True, False):
        mine = [point for point in named if (point.experiment == SMALL) is small]
        wanted = [name for name in experiments if (name == SMALL) is small]
        if not mine and not wanted:
            continue
        with ExitStack() as stack:
            crasher: Crasher
            if small:
                crasher = Small(stack.enter_context(moto_server.running(folder)), folder)
            else:
                crasher = stack.enter_context(in_a_lab(folder))
            for name in wanted:
                mine += points(crasher, name, chance)[asked.first :: asked.every]
            yield from map(crasher.run, mine)


def say(result: Result) -> None:
    how = "LEFT" if result.left else "nothing left" if result.reached else "nothing left (ended before it died)"
    print(f"{result.point}: {how}, {result.seconds:g} s", *result.left, sep="\n    ", flush=True)


def summary(results: Sequence[Result], seed: int) -> dict[str, object]:
    """``points``: tried, that is, somebody did die. ``leftovers``: things that were not as before."""
    tried = [result for result in results if result.reached]
    left = [result for result in results if result.left]
    return {
        "points": len(tried),
        "not_reached": len(results) - len(tried),
        "leftovers": sum(len(result.left) for result in left),
        "points_with_leftovers": [result.point for result in left],
        "seed": seed,
        "results": [{key: value for key, value in asdict(each).items() if key != "passages"} for each in results],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=(SMALL, *EXPERIMENTS), help="this one; may be repeated")
    parser.add_argument("--point", action="append", help="this point, by the name that the sweep prints")
    parser.add_argument("--seed", type=int, default=1, help="of the random times")
    parser.add_argument("--every", type=int, default=1, help="only each n-th point …")
    parser.add_argument("--first", type=int, default=0, help="… from this one on, counted from 0")
    parser.add_argument("--summary", type=Path, help="where to write sweep.json, if not beside the journals")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="blackstart-sweep-"))
    results: list[Result] = []
    try:
        for result in swept(asked, folder):
            results.append(result)
            say(result)
    except KeyboardInterrupt:
        print("stopped before its end")
    finally:
        told = summary(results, asked.seed)
        written = asked.summary or folder / "sweep.json"
        written.write_text(json.dumps(told, indent=1))
        print(f"points tried: {told['points']}, leftovers found: {told['leftovers']}  (all of it: {written})")
    return 1 if told["leftovers"] else 0


if __name__ == "__main__":
    sys.exit(main())

"""A running drill as two strips of cells: who served users, and the share of requests that succeeded. Pure.

Each cell is the same share of the time so far. What is not known stays blank; a request that the observer did not send
tells nothing about the service, so it is in no cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from blackstart.observer.samples import Samples
from blackstart.reports.svg import line, rect

CELLS = 120
WIDTH, RIBBON, BARS, BETWEEN = 960, 20, 56, 8
HEIGHT = RIBBON + BETWEEN + BARS
LEAST = 3.0  # pixels that a single failure gets in its column, so that it is seen
NOBODY, THIRD = "", "region-third"


@dataclass(frozen=True)
class Cell:
    """``region``: who answered most, "" nobody, None not known. ``requests`` of which ``ok`` succeeded."""

    region: str | None
    requests: int
    ok: int


@dataclass(frozen=True)
class Strips:
    """``start`` and ``end`` in seconds since the origin; ``fault_at`` None before the fault."""

    cells: tuple[Cell, ...]
    start: float
    end: float
    fault_at: float | None
    home: str
    standby: str


def strips(samples: Samples, now: float, fault_at: float | None) -> Strips | None:
    """The drill until ``now``, in seconds since its origin; None before the first request."""
    if not len(samples):
        return None
    start = float(samples.table.intended(slice(0, 1))[0])
    end = max(now, start + 1.0)
    step = (end - start) / CELLS
    cells = tuple(_cell(samples.between(start + i * step, start + (i + 1) * step)) for i in range(CELLS))
    return Strips(cells, start, end, fault_at, samples.header.home_region, samples.header.standby_region)


def _cell(samples: Samples) -> Cell:
    seen = samples.observed
    requests, good = int(np.count_nonzero(seen)), seen & samples.ok
    ok = int(np.count_nonzero(good))
    if not ok:
        return Cell(NOBODY if requests else None, requests, 0)
    names = samples.names("region")
    most = int(np.bincount(samples.table.region[good]).argmax())
    return Cell((names[most] if most < len(names) else "") or "a region that does not say", requests, ok)


def legend(drawn: Strips) -> list[tuple[str, str]]:
    """(class of its colour, words) for everything that the ribbon shows, in the order in which each came first."""
    found = dict.fromkeys(cell.region for cell in drawn.cells if cell.region is not None)
    return [(css(drawn, region), _named(drawn, region)) for region in found]


def _named(drawn: Strips, region: str) -> str:
    return "nobody" if region == NOBODY else f"{region} (home)" if region == drawn.home else region


def css(drawn: Strips, region: str) -> str:
    """The class of a region's colour, or of nobody's."""
    if region == NOBODY:
        return "nobody"
    return {drawn.home: "region-home", drawn.standby: "region-other"}.get(region, THIRD)


def picture(drawn: Strips) -> str:
    """The inside of an SVG of WIDTH × HEIGHT: the ribbon above, the bars below, and a line at the fault."""
    pieces = [*_ribbon(drawn), *_bars(drawn.cells)]
    if drawn.fault_at is not None and drawn.start <= drawn.fault_at <= drawn.end:
        x = WIDTH * (drawn.fault_at - drawn.start) / (drawn.end - drawn.start)
        pieces.append(line(x, 0, x, HEIGHT, "line-fault"))
    return "".join(pieces)


def _ribbon(drawn: Strips) -> list[str]:
    pieces, place, width = [], 0, WIDTH / CELLS
    for region, run in groupby(drawn.cells, key=lambda cell: cell.region):
        count = len(list(run))
        if region is not None:
            pieces.append(rect(place * width, 0, count * width, RIBBON, css(drawn, region)))
        place += count
    return pieces


def _bars(cells: Sequence[Cell]) -> list[str]:
    """Successes stand on the ground, failures hang from the top."""
    pieces, width, top = [], WIDTH / CELLS, RIBBON + BETWEEN
    for place, cell in enumerate(cells):
        if not cell.requests:
            continue
        failed = cell.requests - cell.ok
        height = max(BARS * failed / cell.requests, LEAST) if failed else 0.0
        x = place * width
        if height < BARS:
            pieces.append(rect(x, top + height, width + 0.3, BARS - height, "success"))
        if failed:
            pieces.append(rect(x, top, width + 0.3, height, "failure"))
    return pieces

"""The big picture in all its forms: two drawings, a table of its numbers, a line of blocks, and data for the script.

Pure. All of them come from the same columns, so none can say what another does not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from blackstart.journals import numbers
from blackstart.journals.measure import Measured
from blackstart.journals.users import Users
from blackstart.reports import columns, compose, figure_rows, figure_timeline
from blackstart.reports.picture import Column, Picture, Ribbon

NUMBERS_ROWS = 20
STRIP_COLUMNS = 72
DETAIL_COLUMNS = 4 * figure_timeline.WIDE.columns
MOST_MARKS = 2000
_BLOCKS = "▁▂▃▄▅▆▇"


@dataclass(frozen=True)
class NumbersRow:
    """The numbers behind the picture, for one slice of time."""

    since: str
    n: str
    failed: str
    timed_out: str
    served_by: str
    median: str
    p95: str
    slowest: str


def parts(measured: Measured, users: Users | None) -> dict[str, Any]:
    """The fields of the report's view that show what users saw over time."""
    if users is None:
        return {"wide_svg": "", "narrow_svg": "", "picture_json": "null", "strip": "", "numbers": []}
    wide = compose.picture(measured, users, figure_timeline.WIDE.columns)
    narrow = compose.picture(measured, users, figure_timeline.NARROW.columns)
    return {
        "wide_svg": figure_timeline.draw(wide, figure_timeline.WIDE),
        "narrow_svg": figure_timeline.draw(narrow, figure_timeline.NARROW),
        "picture_json": picture_json(wide, _sliced(measured, users, DETAIL_COLUMNS)),
        "strip": strip(_sliced(measured, users, STRIP_COLUMNS), wide),
        "numbers": numbers_rows(measured, users),
    }


def _sliced(measured: Measured, users: Users, most: int) -> tuple[Column, ...]:
    zero = compose.zero(measured, users)
    borders = columns.edges(users.start - zero, users.end - zero, most, len(users.samples))
    return columns.reduce(users.samples, borders, zero, compose.regions_of(measured, users))


def picture_json(picture: Picture, detail: Sequence[Column]) -> str:
    """What the page's script reads out and draws when somebody looks closer: times in s from the fault, latencies in
    ms, and one short list a column: requests, failed, no answer, ok by region, median, p95, slowest, p5.

    ``</script>`` cannot occur in it: every ``<`` is escaped.
    """
    wide, narrow = figure_timeline.WIDE, figure_timeline.NARROW
    data = {
        "start": round(picture.start, 3),
        "end": round(picture.end, 3),
        "regions": [*picture.regions, "region not told"],
        "colours": [*(figure_rows.colour(Ribbon(name, True, 0, 0), picture) for name in picture.regions), "third"],
        "wide": [wide.left, wide.left + wide.plot, wide.width],
        "narrow": [narrow.left, narrow.left + narrow.plot, narrow.width],
        "timeout": picture.timeout_seconds * 1000,
        "fault": None if picture.fault is None else 0,
        "recovered": _rounded(picture.recovered),
        "undone": _rounded(picture.undone_from),
        "outage": None if picture.outage is None else [picture.outage.start, round(picture.outage.end, 3)],
        "lost": [round(at, 3) for at in (picture.lost or ())[:MOST_MARKS]],
        "columns": [_numbers(column) for column in picture.columns],
        "detail": [_numbers(column) for column in detail],
    }
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _numbers(column: Column) -> list[Any]:
    known = (column.p50, column.p95, column.slowest, column.p5)
    latencies = [None if value is None else round(value * 1000, 1) for value in known]
    return [column.n, column.failed, column.timed_out, list(column.served), *latencies]


def strip(slices: Sequence[Column], picture: Picture) -> str:
    """The share of requests that succeeded over time, as text: a full block only where all of them did."""
    if not slices:
        return ""
    at = 0 if picture.fault is None else sum(column.end <= 0 for column in slices)
    pointer = " " * at + ("↑ fault" if picture.fault is not None else "")
    return "succeeding " + "".join(map(_block, slices)) + "\n" + (" " * 11 + pointer if pointer else "")


def _block(column: Column) -> str:
    if not column.n:
        return "·"
    if column.failed == column.n:
        return " "
    return "█" if not column.failed else _BLOCKS[(column.n - column.failed) * len(_BLOCKS) // column.n]


def numbers_rows(measured: Measured, users: Users) -> list[NumbersRow]:
    """Some twenty equal slices of the picture as a table."""
    regions = compose.regions_of(measured, users)
    return [_numbers_row(column, regions) for column in _sliced(measured, users, NUMBERS_ROWS)]


def _numbers_row(column: Column, regions: Sequence[str]) -> NumbersRow:
    def shown(value: float | None) -> str:
        return "–" if value is None else numbers.latency(value)

    served = [f"{name} {numbers.count(n)}" for name, n in zip([*regions, "not told"], column.served, strict=True) if n]
    return NumbersRow(
        since=numbers.offset(column.start),
        n=numbers.count(column.n),
        failed=numbers.count(column.failed),
        timed_out=numbers.count(column.timed_out),
        served_by=", ".join(served) or ("nobody" if column.n else "not observed"),
        median=shown(column.p50),
        p95=shown(column.p95),
        slowest=shown(column.slowest),
    )

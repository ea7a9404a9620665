"""Everything that the report's template prints, computed beforehand. Pure: the template only arranges."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blackstart.journals import numbers
from blackstart.journals.data import kept_at
from blackstart.journals.measure import Measured
from blackstart.journals.users import Users
from blackstart.journals.verdict import Verdict
from blackstart.reports import (
    columns,
    compose,
    crowd,
    figure_timeline,
    figure_writes,
    ledger_rows,
    noticed,
    proof,
    regions,
    sentences,
    tables,
    trust,
)
from blackstart.reports.picture import Column, Picture

NUMBERS_ROWS = 20


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


@dataclass(frozen=True)
class View:
    """The template's whole world. Fields named ``*_svg`` and ``picture_json`` are markup made here, safe to embed."""

    title: str
    meta: Sequence[str]
    word: str
    glyph: str
    reason: str
    met: str
    failed: str
    undo_bold: str
    undo_rest: str
    warning: str
    ways_out: Sequence[tuple[str, str]]
    objectives: Sequence[tables.ObjectiveRow]
    unsure: bool
    happened: str
    wide_svg: str
    narrow_svg: str
    picture_json: str
    numbers: Sequence[NumbersRow]
    steps: tables.Steps | None
    steps_title: str
    steps_sentence: str
    data_title: str
    changes_title: str
    data_sentence: str
    terms: Sequence[ledger_rows.Term]
    apart: Sequence[ledger_rows.Term]
    writes_svg: str
    writes_narrow_svg: str
    lost: Sequence[tables.LostRow]
    lost_total: int
    region: regions.RegionView
    noticed: noticed.NoticedView
    crowd: crowd.CrowdView
    changes_sentence: str
    changes: Sequence[tables.ChangeRow]
    more_changes: Sequence[tables.ChangeRow]
    proof: Sequence[trust.Line]
    trusted: str
    doubts: Sequence[str]
    checks: Sequence[trust.Line]
    evidence: Sequence[trust.Line]
    happenings: Sequence[trust.Happening]


def view(measured: Measured, verdict: Verdict, hashes: Mapping[str, str]) -> View:
    """``hashes``: SHA-256 by file name."""
    users = measured.users
    undo_bold, undo_rest = sentences.undo_state(measured)
    terms, apart = ledger_rows.equation(measured)
    return View(
        title=sentences.page_title(measured, verdict),
        meta=_meta(measured),
        word=verdict.word,
        glyph=sentences.glyph(verdict),
        reason=verdict.reason,
        met=sentences.objectives_met(verdict),
        failed=sentences.requests_failed(measured),
        undo_bold=undo_bold,
        undo_rest=undo_rest,
        warning=sentences.leftover_warning(measured),
        ways_out=proof.ways_out(measured),
        objectives=tables.objective_rows(measured, verdict),
        unsure=any(objective.interval.high > objective.interval.low for objective in verdict.objectives),
        happened=sentences.happened(measured),
        **_pictures(measured, users),
        **_steps(measured, users),
        data_title=_data_title(measured),
        data_sentence=sentences.data_loss(measured),
        terms=terms,
        apart=apart,
        **_writes(measured),
        lost=tables.lost_rows(measured),
        lost_total=len(measured.data.result.lost) if measured.data.result else 0,
        region=regions.view(measured),
        noticed=noticed.view(measured),
        crowd=crowd.view(measured),
        **_changes(measured),
        proof=proof.lines(measured),
        trusted=sentences.trusted(verdict),
        doubts=verdict.doubts,
        checks=_checks(measured, verdict),
        evidence=trust.evidence(measured, hashes),
        happenings=trust.happenings(measured, compose.zero(measured, users) if users else measured.fault_at or 0.0),
    )


def _checks(measured: Measured, verdict: Verdict) -> list[trust.Line]:
    """With what was not tested at the end."""
    *checked, untested = trust.checks(measured, verdict)
    return [*checked, regions.watch_line(measured), untested]


def _meta(measured: Measured) -> list[str]:
    """System, failure, environment, UTC times, drill number; the first and second are set apart by the template."""
    drill, users = measured.drill, measured.users
    start = measured.wall(users.start if users else 0.0)
    times = f"{numbers.day(start)}, {start:%H:%M:%S}"
    if users:
        times += f"–{measured.wall(users.end):%H:%M:%S}"
    return [measured.service.name, drill.fault, drill.environment, f"{times} UTC", f"drill {drill.drill}"]


def _pictures(measured: Measured, users: Users | None) -> dict[str, Any]:
    if users is None:
        return {"wide_svg": "", "narrow_svg": "", "picture_json": "null", "numbers": []}
    wide = compose.picture(measured, users, figure_timeline.WIDE.columns)
    narrow = compose.picture(measured, users, figure_timeline.NARROW.columns)
    return {
        "wide_svg": figure_timeline.draw(wide, figure_timeline.WIDE),
        "narrow_svg": figure_timeline.draw(narrow, figure_timeline.NARROW),
        "picture_json": picture_json(wide),
        "numbers": numbers_rows(measured, users),
    }


def picture_json(picture: Picture) -> str:
    """What the page's script reads out: start, end, plot edges by layout, regions, and one short list a column.

    ``</script>`` cannot occur in it: every ``<`` is escaped.
    """
    data = {
        "start": round(picture.start, 3),
        "end": round(picture.end, 3),
        "regions": [*picture.regions, "region not told"],
        "wide": [figure_timeline.WIDE.left, figure_timeline.WIDE.left + figure_timeline.WIDE.plot],
        "narrow": [figure_timeline.NARROW.left, figure_timeline.NARROW.left + figure_timeline.NARROW.plot],
        "columns": [_numbers(column) for column in picture.columns],
    }
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _numbers(column: Column) -> list[Any]:
    latencies = [None if v is None else round(v * 1000, 1) for v in (column.p50, column.p95, column.slowest)]
    return [column.n, column.failed, column.timed_out, list(column.served), *latencies]


def numbers_rows(measured: Measured, users: Users) -> list[NumbersRow]:
    """Some twenty equal slices of the picture as a table."""
    zero = compose.zero(measured, users)
    borders = columns.edges(users.start - zero, users.end - zero, NUMBERS_ROWS, len(users.samples))
    regions = compose.regions_of(measured, users)
    slices = columns.reduce(users.samples, borders, zero, regions)
    return [_numbers_row(column, regions) for column in slices]


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


def _steps(measured: Measured, users: Users | None) -> dict[str, Any]:
    steps = tables.step_rows(measured, users) if users else None
    if steps is None or users is None or users.recovery is None or users.recovery.seconds is None:
        return {"steps": None, "steps_title": "", "steps_sentence": ""}
    title = f"Where the {numbers.seconds(users.recovery.seconds)} went"
    return {"steps": steps, "steps_title": title, "steps_sentence": sentences.steps(measured, users)}


def _data_title(measured: Measured) -> str:
    """Claims that everything is accounted for only where it is."""
    result = measured.data.result
    if result is not None and result.unchecked == 0:
        return "Data: every acknowledged write accounted for"
    return "Data: what became of acknowledged writes"


def _changes(measured: Measured) -> dict[str, Any]:
    shown, more = tables.few(tables.change_rows(measured))
    return {
        "changes_title": _changes_title(measured),
        "changes_sentence": sentences.changes(measured),
        "changes": shown,
        "more_changes": more,
    }


def _changes_title(measured: Measured) -> str:
    if measured.leftovers or measured.residue:
        return "Changes made, and not all undone"
    return "Changes made, and undone" if measured.changes else "Changes"


def _writes(measured: Measured) -> dict[str, Any]:
    result, fault_at = measured.data.result, measured.fault_at
    if result is None or fault_at is None:
        return {"writes_svg": "", "writes_narrow_svg": ""}
    kept = [at - fault_at for at in kept_at(measured.data)]
    lost = [lost.acknowledged - fault_at for lost in result.lost]
    return {
        "writes_svg": figure_writes.draw(kept, lost, "wide", 1012),
        "writes_narrow_svg": figure_writes.draw(kept, lost, "narrow", 358),
    }

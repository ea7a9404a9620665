"""Everything that the report's template prints, computed beforehand. Pure: the template only arranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blackstart.journals import numbers
from blackstart.journals.activities import Activity
from blackstart.journals.data import kept_at
from blackstart.journals.earlier import Earlier
from blackstart.journals.measure import Measured
from blackstart.journals.users import Users
from blackstart.journals.verdict import Verdict
from blackstart.reports import (
    compared,
    compose,
    crowd,
    figure_writes,
    ledger_rows,
    noticed,
    pictures,
    proof,
    regions,
    sentences,
    setting,
    tables,
    trust,
    unheld,
)


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
    strip: str
    numbers: Sequence[pictures.NumbersRow]
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
    unheld: unheld.UnheldView
    compared: compared.ComparedView
    trusted: str
    doubts: Sequence[str]
    checks: Sequence[trust.Line]
    setting: Sequence[trust.Line]
    settings: Sequence[tuple[str, str]]
    evidence: Sequence[trust.Line]
    happenings: Sequence[trust.Happening]


@dataclass(frozen=True)
class Beside:
    """What a report shows that is not in the journal's own numbers. ``hashes``: SHA-256 by file name; ``planned``:
    what the experiment file holds, for a drill whose toolkit left no journal."""

    hashes: Mapping[str, str] = field(default_factory=dict)
    earlier: Earlier = field(default_factory=Earlier)
    planned: Sequence[Activity] = ()


def view(measured: Measured, verdict: Verdict, beside: Beside) -> View:
    """Everything that the page says."""
    users = measured.users
    terms, apart = ledger_rows.equation(measured)
    return View(
        title=sentences.page_title(measured, verdict),
        meta=_meta(measured),
        word=verdict.word,
        glyph=sentences.glyph(verdict),
        reason=verdict.reason,
        met=sentences.objectives_met(verdict),
        failed=sentences.requests_failed(measured),
        **_undone(measured),
        objectives=tables.objective_rows(measured, verdict),
        unsure=any(objective.interval.high > objective.interval.low for objective in verdict.objectives),
        happened=sentences.happened(measured),
        **pictures.parts(measured, users),
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
        unheld=unheld.view(measured, beside.planned),
        compared=compared.view(measured, verdict, beside.earlier),
        trusted=sentences.trusted(verdict),
        doubts=verdict.doubts,
        checks=_checks(measured, verdict),
        setting=setting.lines(measured),
        settings=setting.in_force(measured.drill),
        evidence=trust.evidence(measured, beside.hashes),
        happenings=trust.happenings(measured, compose.zero(measured, users) if users else measured.fault_at or 0.0),
    )


def _undone(measured: Measured) -> dict[str, Any]:
    bold, rest = sentences.undo_state(measured)
    return {
        "undo_bold": bold,
        "undo_rest": rest,
        "warning": sentences.leftover_warning(measured),
        "ways_out": proof.ways_out(measured),
    }


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

"""The rows of the report's tables, ready to print. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from blackstart.journals import numbers, reasons
from blackstart.journals.measure import Measured
from blackstart.journals.objectives import Objective, Result
from blackstart.journals.story import ChangeStory
from blackstart.journals.users import Users
from blackstart.journals.verdict import Verdict
from blackstart.observer.ledger import Lost
from blackstart.reports import figure_bars, sentences

MOST_LOST_ROWS = 100

STEP_MEANING = {
    "detect": "the platform said that the primary is unhealthy",
    "decide": "it said that it fails over",
    "reroute": "the service’s name gave other addresses",
    "promote": "the database’s writer was in another region",
    "scale": "all replicas that were asked for were ready",
    "warm": "the cache answered nine of ten reads",
    "serve": "the rest, until users were served",
}

SHOWN = 20
"""So many changes are shown at once; of a drill that made more, the others are a click away."""


@dataclass(frozen=True)
class ObjectiveRow:
    title: str
    definition: str
    measured: str
    required: str
    bar: str
    scale_end: str
    result: str
    margin: str
    state: Result


def objective_rows(measured: Measured, verdict: Verdict) -> list[ObjectiveRow]:
    return [_objective_row(measured, objective) for objective in verdict.objectives]


def _objective_row(measured: Measured, objective: Objective) -> ObjectiveRow:
    shown = measured_words(measured, objective)
    required = f"{'≤' if objective.at_most else '≥'}{numbers.NBSP}{reasons.target_text(objective)}"
    if objective.unit == "writes" and objective.target == 0:
        required = "0"
    result = sentences.result_words(objective)
    end = figure_bars.scale_end(objective)
    words = f"{objective.title}: {shown}, required {required}, {result[2:]}"
    return ObjectiveRow(
        title=objective.title,
        definition=objective.definition,
        measured=shown,
        required=required,
        bar=figure_bars.bullet(objective, words),
        scale_end=_goal_like(objective, end),
        result=result,
        margin=margin_words(objective),
        state=objective.result,
    )


def measured_words(measured: Measured, objective: Objective) -> str:
    """The measured number as the table shows it, with its error or its total."""
    value, interval = objective.measured, objective.interval
    if value is None:
        if interval.low > 0 and math.isinf(interval.high):
            return f"> {reasons.value_text(objective, interval.low)}"
        return "not measured"
    if objective.unit == "writes" and objective.of is not None:
        return f"{numbers.count(round(value))} of {numbers.count(objective.of)}"
    error = max(interval.high - value, value - interval.low)
    if objective.unit == "seconds" and 0 < error < math.inf:
        return numbers.seconds_with_error(value, error)
    return reasons.value_text(objective, value)


def margin_words(objective: Objective) -> str:
    """``18.8 s to spare``, ``7 over``, ``0.21 points short``; for what is not proven, why."""
    if objective.result is Result.INCONCLUSIVE:
        if objective.why:
            return objective.why
        low, high = (reasons.value_text(objective, v) for v in (objective.interval.low, objective.interval.high))
        return f"between {low} and {high}"
    margin = objective.margin
    if margin is None:
        return objective.why
    size = _size(objective, abs(margin))
    if objective.result is Result.MET:
        if margin == 0:
            return "none lost" if objective.unit == "writes" and not objective.target else "nothing to spare"
        return f"{size} to spare"
    return f"{size} {'over' if objective.at_most else 'short'}"


def _size(objective: Objective, value: float) -> str:
    return numbers.points(value) if objective.unit == "share" else reasons.value_text(objective, value)


def _goal_like(objective: Objective, value: float) -> str:
    """The end of a scale, in the objective's unit, without more digits than it needs."""
    if objective.unit == "share":
        return numbers.share_goal(value)
    if objective.unit == "writes":
        return numbers.count(round(value))
    if objective.unit == "latency":
        return numbers.latency_goal(float(f"{value:.3g}"))
    return numbers.seconds_goal(float(f"{value:.3g}"))


@dataclass(frozen=True)
class StepRow:
    number: str
    name: str
    meaning: str
    bar: str
    took: str
    share: str
    longest: bool = False
    note: str = ""


@dataclass(frozen=True)
class Steps:
    """``axis`` says what the bars' ends stand for."""

    rows: list[StepRow]
    total: StepRow
    axis: str


def step_rows(measured: Measured, users: Users) -> Steps | None:
    """The waterfall; None without a recovery to divide, or where no step of a fail-over was seen."""
    recovery, fault_at = users.recovery, measured.fault_at
    if recovery is None or not recovery.seconds or fault_at is None or all(s.ended is None for s in users.steps[1:]):
        return None
    total, goal = recovery.seconds, measured.objectives.rto_seconds
    on_axis = goal is not None and total <= goal <= 3 * total
    end = goal if on_axis and goal is not None else total
    longest = max(step.seconds or 0.0 for step in users.steps)
    rows: list[StepRow] = []
    for step in users.steps:
        meaning = STEP_MEANING.get(step.name, "")
        if step.seconds is None or step.began is None or step.ended is None:
            note = "did not happen" if step.status == "absent" else "not observed"
            if step.ended is not None:
                note = f"seen after recovery, at {numbers.offset(step.ended - fault_at)}"
            rows.append(StepRow("", step.name, meaning, "", "–", "", note=note))
            continue
        meaning = f"{meaning}: {step.evidence}" if step.evidence else meaning
        began, ended = step.began - fault_at, step.ended - fault_at
        bar = figure_bars.step_bar(
            began,
            ended,
            end,
            f"{step.name}: {numbers.offset(began)} to {numbers.offset(ended)}",
            step.seconds == longest,
        )
        share = numbers.rough_percent(round(step.seconds * 1e6), round(total * 1e6))
        took, is_longest = numbers.seconds(step.seconds), step.seconds == longest
        rows.append(StepRow(str(len(rows) + 1), step.name, meaning, bar, took, share, longest=is_longest))
    words = f"total: {numbers.seconds(total)}"
    total_row = StepRow("", "total", "", figure_bars.total_bar(total, end, goal, words), numbers.seconds(total), "")
    beyond = "" if goal is None or on_axis else f"; the objective, {numbers.seconds_goal(goal)}, is off this scale"
    shown = numbers.seconds_goal(end) if on_axis else numbers.seconds(end)
    return Steps(rows, total_row, f"0 to {shown} after the fault{beyond}")


@dataclass(frozen=True)
class LostRow:
    key: str
    acknowledged: str
    before: str
    region: str
    checked: str


def lost_rows(measured: Measured) -> list[LostRow]:
    """Oldest first, at most MOST_LOST_ROWS."""
    result, fault_at = measured.data.result, measured.fault_at
    if result is None or fault_at is None:
        return []
    oldest = sorted(result.lost, key=lambda lost: lost.acknowledged)[:MOST_LOST_ROWS]
    return [
        LostRow(
            lost.write.key,
            numbers.clock_time(measured.wall(lost.acknowledged), 2),
            numbers.offset(lost.acknowledged - fault_at),
            lost.write.region or "not told",
            "absent " + " and ".join(f"at {numbers.offset(at - fault_at)}" for at in lost.checked[-2:]) + _held(lost),
        )
        for lost in oldest
    ]


def _held(lost: Lost) -> str:
    return f"; still in {' and '.join(lost.held_by)}" if lost.held_by else ""


@dataclass(frozen=True)
class ChangeRow:
    made: str
    sign: str
    summary: str
    detail: str
    by: str
    undone: str
    verified: str
    left: bool


def change_rows(measured: Measured) -> list[ChangeRow]:
    return [_change_row(measured, change) for change in measured.changes]


def few(rows: Sequence[ChangeRow]) -> tuple[list[ChangeRow], list[ChangeRow]]:
    """The first rows, and all of what may still be in place; and the rest."""
    shown = [row for number, row in enumerate(rows) if number < SHOWN or row.left]
    return shown, [row for number, row in enumerate(rows) if number >= SHOWN and not row.left]


def _change_row(measured: Measured, change: ChangeStory) -> ChangeRow:
    def when(at: float | None) -> str:
        return "–" if at is None else numbers.clock_time(measured.wall(at), 1)

    note = change.note or {"verified": "read back as before"}.get(change.state, "")
    glyph = "✕" if change.left else "✓"
    state = f"{change.state}: {note}" if change.left and note else change.state if change.left else note
    by = "" if change.by in ("", "drill") or change.left else f" by {change.by}"
    return ChangeRow(
        made=when(change.applied if change.applied is not None else change.began),
        sign=sign(change),
        summary=change.summary or change.id,
        detail=_detail(change),
        by="drill",
        undone=when(change.undone if change.undone is not None else change.verified) + by,
        verified=f"{glyph} {state}",
        left=change.left,
    )


def sign(change: ChangeStory) -> str:
    """+ created, − removed, ~ changed. States may say so themselves (``exists``, ``deleted``)."""
    there, stays = _exists(change.before), _exists(change.after)
    if there == stays:
        return "~"
    return "+" if stays else numbers.MINUS


def _exists(state: object) -> bool:
    if isinstance(state, dict):
        return bool(state) and state.get("exists", True) is not False and state.get("deleted") is not True
    return bool(state)


def _detail(change: ChangeStory) -> str:
    told = f"undone by {change.undo_summary}" if change.undo_summary else ""
    return ", ".join(part for part in (change.kind, told) if part)

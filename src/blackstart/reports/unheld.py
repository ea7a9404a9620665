"""What was planned and did not happen: activities that never ran, changes that were not made, requests not sent. Pure.

A drill proves only what it did; a reader must see at a glance what it meant to do besides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from blackstart.changes.model import State
from blackstart.journals import numbers
from blackstart.journals.activities import Activity
from blackstart.journals.measure import Measured
from blackstart.reports.trust import Line

MOST = 20
_PHASES = {
    "before": "hypothesis, before",
    "method": "method",
    "after": "hypothesis, afterwards",
    "rollbacks": "rollbacks",
}


@dataclass(frozen=True)
class UnheldView:
    """``lines`` is empty where everything happened; ``sentence`` says so then, and how much that was."""

    sentence: str
    lines: Sequence[Line]


def view(measured: Measured, planned: Sequence[Activity] = ()) -> UnheldView:
    """``planned``: what the experiment file holds, for a drill whose toolkit left no journal."""
    lines = [
        *_activities(measured, planned),
        *_endings(measured),
        *_changes(measured),
        *_steps(measured),
        *_samples(measured),
        *_ledger(measured),
    ]
    return UnheldView(_sentence(measured, planned, lines), lines)


def _sentence(measured: Measured, planned: Sequence[Activity], lines: Sequence[Line]) -> str:
    known = measured.toolkit.activities
    done = sum(bool(each.status) for each in known)
    made = sum(change.made for change in measured.changes)
    changes = f"{numbers.count(made)} of {numbers.plural(len(measured.changes), 'planned change')} made"
    if not known:
        total = (
            f"Which of {numbers.plural(len(planned), 'planned activity', 'planned activities')} ran" if planned else ""
        )
        why = (
            "Chaos Toolkit’s journal lacks the experiment"
            if measured.toolkit.status
            else "Chaos Toolkit left no journal"
        )
        return f"{total or 'What was planned'} is not known, because {why}; {changes}."
    ran = f"{numbers.count(done)} of {numbers.plural(len(known), 'planned activity', 'planned activities')} ran"
    return f"{ran}, {changes}." if lines else f"Nothing: {ran}, {changes}."


def _activities(measured: Measured, planned: Sequence[Activity]) -> Iterator[Line]:
    known = measured.toolkit.activities
    lines = list(_unrun(known)) if known else [Line(each.name, f"{_where(each)}: not known", "?") for each in planned]
    yield from lines[:MOST]
    if len(lines) > MOST:
        yield Line("", f"and {numbers.plural(len(lines) - MOST, 'more activity', 'more activities')}", "✕")
    for each in measured.toolkit.raised[:MOST]:
        yield Line(each.name, f"{each.kind}, {_PHASES[each.phase]}: gave no result: {each.problem}", "✕")


def _unrun(known: Sequence[Activity]) -> Iterator[Line]:
    for each in known:
        if each.status in ("", "aborted", "skipped"):
            yield Line(each.name, f"{_where(each)}: {each.status or 'never ran'}", "✕")


def _where(activity: Activity) -> str:
    return f"{activity.kind}, {_PHASES[activity.phase]}"


def _endings(measured: Measured) -> Iterator[Line]:
    """A drill that ended before its time, or a fault that did."""
    if measured.cut_off:
        yield Line("The end of the drill", "its own process was gone before it", "✕")
    if measured.stopped:
        yield Line("The rest of the drill", f"stopped: {measured.stopped}", "✕")
    for lapse in measured.lapses:
        yield Line("The fault, to its end", lapse, "✕")


def _changes(measured: Measured) -> Iterator[Line]:
    unmade = [change for change in measured.changes if not change.made]
    for change in unmade[:MOST]:
        seen = "verified to be as before" if change.state == State.VERIFIED else f"not recorded as made; {change.state}"
        yield Line(change.summary or change.id, f"planned, never made ({seen})", "" if not change.left else "?")
    if len(unmade) > MOST:
        yield Line("", f"and {numbers.plural(len(unmade) - MOST, 'more change')}")


def _steps(measured: Measured) -> Iterator[Line]:
    """Steps of a fail-over that somebody watched for, and that did not come."""
    for step in measured.users.steps if measured.users and measured.users.moved else ():
        if step.status == "absent":
            yield Line(f"Fail-over step: {step.name}", "did not happen")


def _samples(measured: Measured) -> Iterator[Line]:
    trust = measured.users.trust if measured.users else None
    if trust is None:
        yield Line("Requests", f"nothing was measured: {measured.no_users}", "✕")
    elif trust.sent < trust.planned:
        missing = trust.planned - trust.sent
        yield Line("Requests", f"{numbers.count(missing)} of {numbers.count(trust.planned)} planned were not sent", "?")


def _ledger(measured: Measured) -> Iterator[Line]:
    if measured.fault_at is not None and measured.data.result is None:
        yield Line("Reading writes back", measured.data.gap, "✕")

"""The verdict of a drill: passed, failed or inconclusive, with the sentence that says why. Pure.

Two writers at once, or a proven miss, beat every doubt; any doubt keeps a drill from passing. No fault, no samples, an
unhealthy start, an activity that raised, a fault without effect, a drill that was cut off or stopped, a change that is
not proven undone, residue, or nobody who could look for it, no objective at all: none of these can pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from blackstart.journals import data, reasons, restored
from blackstart.journals.assess import assess
from blackstart.journals.measure import Measured
from blackstart.journals.objectives import Objective, Result
from blackstart.journals.toolkit import Deviation
from blackstart.observer.answers import answers

_MEASURED_HERE = "blackstart.probes.users"


class Word(StrEnum):
    """The three verdicts."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Verdict:
    """``reason`` is one sentence. ``doubts`` are all sentences that would each have kept the drill from passing.
    ``leftovers`` counts changes that are not proven undone, and what was found of those that are."""

    word: Word
    reason: str
    objectives: tuple[Objective, ...]
    doubts: tuple[str, ...] = ()
    leftovers: int = 0

    @property
    def exit_code(self) -> int:
        """0 passed, 1 failed, 2 inconclusive; 3 outranks all: something may still be in place."""
        if self.leftovers:
            return 3
        return {Word.PASSED: 0, Word.FAILED: 1, Word.INCONCLUSIVE: 2}[self.word]


def judge(measured: Measured) -> Verdict:
    """Pure. See the module's docstring for the order of precedence."""
    objectives = assess(measured)
    missed = [objective for objective in objectives if objective.result is Result.MISSED]
    deviations = _deviations(measured, objectives)
    doubts = tuple(_doubts(measured, objectives))
    left = len(measured.leftovers) + len(measured.residue)
    if measured.fault_at is not None and (measured.writers.doubled or missed or deviations):
        return Verdict(Word.FAILED, reasons.failed(measured, objectives, deviations), objectives, doubts, left)
    if doubts:
        return Verdict(Word.INCONCLUSIVE, doubts[0], objectives, doubts, left)
    return Verdict(Word.PASSED, reasons.passed(measured, objectives), objectives, (), left)


def _deviations(measured: Measured, objectives: Sequence[Objective]) -> list[Deviation]:
    """Hypotheses that did not hold afterwards. Those about users compare single numbers, without their uncertainty:
    where an objective is too close to tell, they prove nothing. Nor does any of a drill that was stopped half way."""
    if measured.stopped:
        return []
    unsure = any(objective.result is Result.INCONCLUSIVE for objective in objectives)
    after = [deviation for deviation in measured.toolkit.deviations if deviation.phase == "after"]
    return [deviation for deviation in after if not (unsure and deviation.module == _MEASURED_HERE)]


def _doubts(measured: Measured, objectives: Sequence[Objective]) -> Iterator[str]:
    """Everything that keeps the drill from passing, the most fundamental first."""
    if measured.fault_at is None:
        if measured.writers.doubled:
            yield reasons.split_brain(measured)
        yield from restored.left(measured)
        yield _no_fault(measured)
        yield from restored.unproven(measured)
        return
    yield from _incomplete(measured)
    if measured.users is None:
        yield f"What users saw was not measured: {measured.no_users}."
    else:
        yield from _unproven(measured)
    yield from _unwatched(measured)
    yield from _raised(measured)
    yield from data.doubts(measured.data)
    for objective in objectives:
        if objective.result is Result.INCONCLUSIVE:
            yield reasons.close_call(measured, objective)
    if not objectives:
        yield "The drill has no objective, so there is nothing that it could pass."


def _no_fault(measured: Measured) -> str:
    """Why nothing was injected: the first thing that stopped it."""
    if measured.stopped:
        return f"The drill was stopped before a fault was injected: {_clean(measured.stopped)}."
    sick = reasons.unhealthy(measured)
    before = [raised for raised in measured.toolkit.raised if raised.phase == "before"]
    if sick and (before or any(each.phase == "before" for each in measured.toolkit.deviations)):
        return f"{sick}, so no fault was injected."
    if before:
        return f"No fault was injected: the probe “{before[0].name}” raised an error ({_clean(before[0].problem)})."
    for deviation in measured.toolkit.deviations:
        if deviation.phase == "before":
            return (
                f"No fault was injected: before it, “{deviation.name}” gave {deviation.output}, outside its tolerance."
            )
    for raised in measured.toolkit.raised:
        if raised.phase == "method":
            return f"No fault was injected: {_clean(raised.problem)}."
    if measured.cut_off:
        return "The drill was cut off before a fault was injected."
    if measured.users is None:
        return f"No fault was injected, and {measured.no_users}."
    return "No fault was injected: the drill changed nothing."


def _incomplete(measured: Measured) -> Iterator[str]:
    yield from restored.left(measured)
    if measured.stopped:
        yield f"The drill was stopped, so it proves nothing: {_clean(measured.stopped)}."
    if measured.cut_off:
        kept = measured.leftovers or measured.residue or not measured.changes
        undone = "" if kept else "; its changes were undone"
        yield f"The drill was cut off before it ended, so it proves nothing{undone}."
    for lapse in measured.lapses:
        yield f"The fault was not kept up: {_clean(lapse)}."
    yield from restored.unproven(measured)


def _unproven(measured: Measured) -> Iterator[str]:
    users = measured.users
    sick = reasons.unhealthy(measured)
    if sick:
        yield f"{sick}, so what followed cannot be put down to it."
    if users is not None and users.baseline is None:
        yield "Nothing was measured before the fault, so what followed cannot be put down to it."
    if users is not None and not users.effects and measured.drill.felt:
        yield _without_effect(measured)


def _without_effect(measured: Measured) -> str:
    zones = {change.zone for change in measured.changes if change.made} - {""}
    empty = sorted(zones - _served_by(measured))
    if len(zones) == 1 and empty:
        return f"The fault had no visible effect: nobody had been served from {empty[0]} before it, either."
    return "The fault had no visible effect: no request failed, and every region, zone and pod went on answering."


def _served_by(measured: Measured) -> set[str]:
    """The zones that answered before the fault."""
    if measured.users is None or measured.fault_at is None:
        return set()
    return set(answers(measured.users.samples.between(float("-inf"), measured.fault_at), "zone"))


def _unwatched(measured: Measured) -> Iterator[str]:
    """Whoever names a region's database wants to know of a second writer; one that never answered tells nothing."""
    for region in measured.writers.unseen:
        yield f"The database in {region} never answered, so nobody knows whether it took writes as well."


def _raised(measured: Measured) -> Iterator[str]:
    for raised in measured.toolkit.raised:
        yield f"The {raised.kind} “{raised.name}” raised an error: {_clean(raised.problem)}."
    if measured.toolkit.status in ("interrupted", "aborted"):
        yield f"Chaos Toolkit ended the experiment as {measured.toolkit.status}."


def _clean(problem: str) -> str:
    return problem.rstrip(". ")

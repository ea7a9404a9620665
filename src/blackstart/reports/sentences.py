"""The sentences of the report below the verdict. Pure; every word follows from a number in what was measured."""

from __future__ import annotations

from collections.abc import Sequence

from blackstart.journals import numbers
from blackstart.journals.measure import Measured
from blackstart.journals.objectives import Objective, Result
from blackstart.journals.users import Users, hurt
from blackstart.journals.verdict import Verdict
from blackstart.reports import ledger_rows


def page_title(measured: Measured, verdict: Verdict) -> str:
    return f"{verdict.word.upper()} · {measured.service.name} · {measured.drill.fault} · drill {measured.drill.drill}"


def objectives_met(verdict: Verdict) -> str:
    """``4 of 5 objectives met.``"""
    if not verdict.objectives:
        return "There was no objective."
    met = sum(objective.result is Result.MET for objective in verdict.objectives)
    return f"{met} of {numbers.plural(len(verdict.objectives), 'objective')} met."


def requests_failed(measured: Measured) -> str:
    """``6,250 of 30,000 test requests failed, 6,246 of them during the outage.``"""
    users = measured.users
    if users is None:
        return f"No test request was measured: {measured.no_users}."
    failed, total = hurt(users.whole), numbers.plural(users.whole.planned, "test request")
    words = f"{numbers.count(failed) if failed else 'None'} of {total} failed"
    inside = _failed_in_outage(users)
    if failed and users.had_outage:
        all_of_them = "all" if inside == failed else numbers.count(inside)
        words += f", {all_of_them} of them during the outage"
    if users.whole.unobserved:
        words += f"; {numbers.count(users.whole.unobserved)} could not be observed"
    return f"{words}."


def _failed_in_outage(users: Users) -> int:
    if not users.had_outage or users.baseline_end is None:
        return 0
    end = users.end if users.recovered_at is None else users.recovered_at
    return int((~users.samples.between(users.baseline_end, end).ok).sum())


def undo_state(measured: Measured) -> tuple[str, str]:
    """The bold part and the rest: ``All 5 changes were undone`` / ``and read back by 14:08:02Z.``"""
    made, left = len(measured.changes), len(measured.leftovers)
    if not made:
        return "Nothing was changed.", ""
    if left:
        return f"{numbers.plural(left, 'change')} of {made} not proven undone.", ""
    last = max((change.verified for change in measured.changes if change.verified is not None), default=None)
    by = f" by {numbers.clock_time(measured.wall(last))}" if last is not None else ""
    return f"{_all_of(made, 'change')} undone", f"and read back{by}."


def _all_of(number: int, noun: str) -> str:
    """``The change was``, ``Both changes were``, ``All 7 changes were``."""
    if number == 1:
        return f"The {noun} was"
    return f"Both {noun}s were" if number == 2 else f"All {numbers.plural(number, noun)} were"


def leftover_warning(measured: Measured) -> str:
    """What may still be in place; "" if nothing."""
    told = []
    if measured.leftovers:
        many = numbers.plural(len(measured.leftovers), "change")
        told.append(f"{many} may still be in place: {_some([each.summary or each.id for each in measured.leftovers])}.")
    if measured.residue:
        told.append(f"Residue was found: {_some([str(found) for found in measured.residue])}.")
    return " ".join(told)


def _some(names: Sequence[str]) -> str:
    """The first three, and how many more."""
    return "; ".join(names[:3]) + (f"; and {len(names) - 3} more" if len(names) > 3 else "")


def happened(measured: Measured) -> str:
    """What users saw, in two or three short sentences."""
    users = measured.users
    if users is None:
        return f"Nothing is known: {measured.no_users}."
    if measured.fault_at is None:
        return f"No fault was injected. {requests_failed(measured)} Time counts from the first request."
    parts = _outage_sentences(measured, users) if users.had_outage else [_no_outage(users)]
    return " ".join([*parts, "Time counts from the fault."])


def _no_outage(users: Users) -> str:
    since = users.since_fault
    if since is None:
        return "Nothing was observed after the fault."
    failed = hurt(since)
    some = f"{numbers.count(failed)} of " if failed else "none of "
    return f"There was no outage: {some}{numbers.plural(since.planned, 'request')} failed after the fault."


def _outage_sentences(measured: Measured, users: Users) -> list[str]:
    parts: list[str] = []
    fault_at = measured.fault_at or 0.0
    unserved, recovered = users.unserved, users.recovered_at
    partly = ""
    if unserved is not None and (recovered is None or unserved[0] < recovered):
        parts.append(f"Nobody was served for {numbers.seconds(unserved[1] - unserved[0])}.")
        if recovered is not None and recovered - unserved[1] > 1:
            partly = f"partly at {numbers.offset(unserved[1] - fault_at)}, fully "
    if recovered is None:
        return [*parts, "Service did not return before the undo." if measured.undo_at else "Service did not return."]
    stayed = f", and stayed in {users.served_after}" if users.moved else ""
    until = " until the undo" if stayed and measured.undo_at is not None else ""
    parts.append(f"Service returned {partly}at {numbers.offset(recovered - fault_at)}{stayed}{until}.")
    return parts


def lost_words(measured: Measured) -> str:
    """Beside the row of lost writes: ``7 in the last 0.61 s``, ``none of 9,100``, ``not checked``."""
    result, loss = measured.data.result, measured.data.loss
    if result is None or loss is None:
        return "not checked" if measured.data.gap else ""
    if not result.lost:
        return f"none of {numbers.count(result.acknowledged)}"
    lost = numbers.count(len(result.lost))
    return f"{lost} in the last {numbers.seconds(loss.seconds)}" if loss.seconds else lost


def data_loss(measured: Measured) -> str:
    """What the ledger shows, above the equation."""
    result, loss = measured.data.result, measured.data.loss
    if result is None or loss is None:
        return f"Not known: {measured.data.gap}."
    if not result.lost:
        checks = numbers.plural(result.checks, "complete read-back")
        return f"No acknowledged write was lost. Checked by {checks} after recovery."
    many = _all_of(len(result.lost), "lost write")
    by = sorted({lost.write.region for lost in result.lost if lost.write.region})
    whom = f" by {' and '.join(by)}" if by else ""
    when = f" in the {numbers.seconds(loss.seconds)} before the fault took hold" if loss.seconds else ""
    return (
        f"{many} acknowledged{whom}{when}, and absent when everything was read back.{ledger_rows.still_held(measured)}"
    )


def steps(measured: Measured, users: Users) -> str:
    """Which step to fix first, and which were not seen."""
    inside = [step for step in users.steps if step.seconds is not None]
    unseen = [step.name for step in users.steps if step.status == "unseen"]
    if not inside or users.recovery is None or not users.recovery.seconds:
        return ""
    longest = max(inside, key=lambda step: step.seconds or 0.0)
    took = longest.seconds or 0.0
    share = numbers.rough_percent(round(took * 1e6), round(users.recovery.seconds * 1e6))
    words = f"Longest: {longest.name}, {numbers.seconds(took)}, {share} of the recovery time."
    absent = [step.name for step in users.steps if step.status == "absent"]
    if absent:
        words += f" Did not happen: {', '.join(absent)}."
    if unseen:
        words += f" Not observed: {', '.join(unseen)}."
    return words


def changes(measured: Measured) -> str:
    """``3 made by the drill, 3 undone, 3 read back.``"""
    made = measured.changes
    if not made:
        return "None. The drill changed nothing."
    undone = sum(change.undone is not None or change.verified is not None for change in made)
    verified = sum(not change.left for change in made)
    by = sorted({change.by for change in made if change.by and change.undone is not None})
    whom = f" by the {' and the '.join(by)}" if by and by != ["drill"] else ""
    many = numbers.plural(len(made), "change")
    return f"{many} planned and made by the drill, {undone} undone{whom}, {verified} read back."


def trusted(verdict: Verdict) -> str:
    """Yes, or what stands against it."""
    if not verdict.doubts:
        return "Yes. Every check that could make the drill inconclusive passed."
    many = "1 check" if len(verdict.doubts) == 1 else f"{len(verdict.doubts)} checks"
    return f"Only in part. {many} did not pass:"


def result_words(objective: Objective) -> str:
    return {Result.MET: "✓ met", Result.MISSED: "✕ missed", Result.INCONCLUSIVE: "? inconclusive"}[objective.result]


def glyph(verdict: Verdict) -> str:
    return {"passed": "✓", "failed": "✕", "inconclusive": "?"}[verdict.word]


def join(parts: Sequence[str]) -> str:
    return " ".join(part for part in parts if part)

"""Why no drill kept the incident from happening, and which hypothesis would have caught it. Pure.

Each finding is a cause with a sentence that says what was seen, and one that says what to do; the first is the main
one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from blackstart.journals import numbers
from blackstart.reports.review import failures
from blackstart.reports.review.besides import besides, unheld
from blackstart.reports.review.causes import Cause, Finding, age
from blackstart.reports.review.compare import METRICS, Line, Metric, happened
from blackstart.reports.review.cover import Covered, Drill, Level
from blackstart.reports.review.draft import Draft, budget_seconds
from blackstart.reports.review.incident import Incident

Json = Any
MOST_TOLD = 2


@dataclass(frozen=True)
class Hypothesis:
    """An objective that would have failed at the incident's numbers. ``of`` names the drill or experiment that has it;
    ``drilled``: somebody had held it to a drill; ``met`` what that said."""

    metric: Metric
    target: float
    happened: float
    of: str
    drilled: bool
    met: bool | None = None


def findings(incident: Incident, covered: Covered, lines: tuple[Line, ...], stale_days: float) -> tuple[Finding, ...]:
    """The main cause, then all that adds to it."""
    main = tuple(_main(incident, covered, lines, stale_days))
    return (*main, *unheld(main, covered, lines), *besides(incident, covered))


def catching(lines: tuple[Line, ...], covered: Covered, incident: Incident, draft: Draft, objectives: Mapping[str, Json]
             ) -> tuple[Hypothesis, ...]:  # fmt: skip
    """Those of the newest drill of this failure; if there is none, those that its experiment has (``objectives``)."""
    newest = covered.newest
    if newest is not None:
        return tuple(
            Hypothesis(line.metric, line.promised, line.happened, newest.name, True, line.newest_met)
            for line in lines
            if line.broken and line.promised is not None and line.happened is not None
        )
    if draft.level is None:
        return ()
    found = []
    for metric in METRICS:
        ours, target = happened(incident, metric.key), objectives.get(metric.key)
        if metric.key == "error_budget_share" and target is not None:
            target = budget_seconds(target, objectives["yearly_availability"])
        if metric.judged and ours is not None and target is not None and metric.breaks(ours, target):
            found.append(Hypothesis(metric, float(target), ours, draft.source.name, False))
    return tuple(found)


def _main(incident: Incident, covered: Covered, lines: tuple[Line, ...], stale_days: float) -> Iterator[Finding]:
    words = failures.of(incident.failure).words + (f" ({incident.way})" if incident.way else "")
    newest = covered.newest
    if newest is None:
        yield _not_drilled(words, covered)
        return
    if not newest.conclusive:
        many = numbers.plural(len(covered.same), "drill")
        yield Finding(
            Cause.INCONCLUSIVE,
            f"No drill of {words} had proven anything: of {many}, the newest, {newest.name}, proves nothing: "
            f"{_why_not(newest)}",
            "Remove what made it inconclusive, and drill it again until it passes or fails.",
        )
        return
    stale = newest.days > stale_days
    broken = [line for line in lines if line.broken]
    known = [line for line in broken if line.newest_met is False]
    if known:
        yield _known(newest, known)
    if stale:
        yield Finding(
            Cause.STALE,
            f"The newest conclusive drill, {newest.name}, was {age(newest.days)} before the incident; "
            f"it counts for {numbers.plural(round(stale_days), 'day')}.",
            "Schedule it: what was true then says little of the platform as it was.",
        )
    if not known:
        yield from _unnoticed(incident, newest, lines, broken, stale)


def _why_not(drill: Drill) -> str:
    if drill.row.problem:
        return f"its journal is damaged ({drill.row.problem})."
    return drill.row.reason or "it does not say why."


def _not_drilled(words: str, covered: Covered) -> Finding:
    near = covered.nearest
    if near is None or near.level is Level.SYSTEM:
        none = "there is no journal at all"
        among = f"none of {numbers.plural(covered.looked_at, 'journal')} is of it" if covered.looked_at else none
        if near is not None:
            among += f"; other failures of the same system were drilled, as by {near.row.experiment}"
        return Finding(
            Cause.NOT_DRILLED,
            f"This had never been drilled ({words}): {among}.",
            "Drill it: the draft is a beginning.",
        )
    how = {
        Level.OTHER_WAY: "the same was, but in another way",
        Level.WIDER: "it was only part of a wider failure, in which other parts of the platform take over",
    }[near.level]
    return Finding(
        Cause.ANOTHER_WAY,
        f"This had not been drilled ({words}); {how}: {near.row.experiment}, drill {near.name}, "
        f"{age(near.days)} before the incident, {near.verdict}.",
        "Drill it the way it happened: the draft is a beginning.",
    )


def _known(newest: Drill, known: list[Line]) -> Finding:
    what = " and ".join(line.metric.title.lower() for line in known)
    return Finding(
        Cause.KNOWN,
        f"A drill had shown it: {newest.name} missed its {what}, {age(newest.days)} before the incident.",
        "Mend what that drill found, and let a failed drill hold up releases until it passes.",
    )


def _unnoticed(
    incident: Incident, newest: Drill, lines: tuple[Line, ...], broken: list[Line], stale: bool
) -> Iterator[Finding]:
    """The newest drill was conclusive, and had not shown it."""
    if broken:
        yield _felt_less(newest, broken)
        return
    comparable = [line for line in lines if line.broken is not None]
    said = [line for line in lines if line.happened is not None]
    required = _required(incident)
    if any(metric.breaks(ours, target) for metric, ours, target in required) or (comparable and not required):
        yield _too_loose(newest, comparable, required)
    elif untold := sorted(_untold(incident)):
        yield Finding(
            Cause.NOT_COMPARABLE,
            f"The incident says what must hold, but not what it was: {', '.join(untold)}.",
            "Say it in the incident, or find it out: what nobody knows may have been broken.",
        )
    elif comparable and not stale:
        within = "; ".join(_within(line) for line in comparable)
        yield Finding(
            Cause.HELD,
            f"What happened was within what drill {newest.name} promised, and within what must hold: {within}.",
            "Nothing, as far as drills go.",
        )
    elif not comparable and said:
        named = ", ".join(line.metric.title.lower() for line in said)
        yield Finding(
            Cause.NO_OBJECTIVE,
            f"Drill {newest.name} had no objective for what is known of the incident ({named}).",
            "Give the experiment these objectives: the draft has what the incident says must hold.",
        )
    elif not comparable:
        yield Finding(
            Cause.NOT_COMPARABLE,
            "The incident gives no number that a drill has, so nothing can be compared.",
            "Say when users were served again (recovered), and what was lost (data_loss).",
        )


def _felt_less(newest: Drill, broken: list[Line]) -> Finding:
    told = "; ".join(_felt(line) for line in broken[:MOST_TOLD])
    told += f"; and {len(broken) - MOST_TOLD} more" if len(broken) > MOST_TOLD else ""
    return Finding(
        Cause.FELT_LESS,
        f"Drill {newest.name} had the right hypothesis, but its fault was felt less than the incident: {told}.",
        "Find out what was different (load, data, place, duration, what else failed) and put it into the drill.",
    )


def _required(incident: Incident) -> list[tuple[Metric, float, float]]:
    """What the incident says must hold, with what it was; not the error budget, of which it gives a share."""
    said = incident.must_hold.model_dump(exclude_none=True)
    told = [(metric, happened(incident, metric.key), said.get(metric.key)) for metric in METRICS]
    return [
        (metric, ours, float(target))
        for metric, ours, target in told
        if ours is not None and target is not None and metric.key != "error_budget_share"
    ]


def _untold(incident: Incident) -> set[str]:
    """What must hold, and of which the incident tells nothing."""
    said = incident.must_hold.model_dump(exclude_none=True)
    return said.keys() - {metric.key for metric, _, _ in _required(incident)}


def _too_loose(newest: Drill, comparable: list[Line], required: list[tuple[Metric, float, float]]) -> Finding:
    within = "; ".join(_within(line) for line in comparable)
    broken = [each for each in required if each[0].breaks(each[1], each[2])]
    must = "; ".join(f"{metric.title.lower()} must be {metric.goal(target)}" for metric, _, target in broken)
    told = f" What must hold is stricter: {must}." if must else ""
    had = f"A platform that does what it did in the incident passes: {within}." if within else ""
    return Finding(
        Cause.TOO_LOOSE,
        f"The objectives of drill {newest.name} are too loose. {had}{told}".strip(),
        "Set the objectives to what users can bear; the draft makes a proposal.",
    )


def _felt(line: Line) -> str:
    title, metric = line.metric.title.lower(), line.metric
    drill = "not measured" if line.newest is None else metric.text(line.newest)
    goal = "" if line.promised is None else f" (objective {metric.goal(line.promised)})"
    return f"{title} {drill} in the drill, {metric.text(line.happened or 0.0)} in the incident{goal}"


def _within(line: Line) -> str:
    goal = "" if line.promised is None else f", required {line.metric.goal(line.promised)}"
    return f"{line.metric.title.lower()} {line.metric.text(line.happened or 0.0)}{goal}"

"""Which controls the drills of a period support, and which not. Pure.

Of each experiment in each environment the newest drill counts, so a failure is not outweighed by an older success.
A journal that cannot be verified supports nothing. Nothing is left out: a drill that failed stands beside the control
that it speaks to, as failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from blackstart.journals import numbers
from blackstart.reports.evidence.frameworks import Control, Framework
from blackstart.reports.evidence.shown import Kind, Shown

LAB = "lab"
"""The environment of drills in the embedded lab."""
MOST_NAMED = 5
_TOLD = {"failed": "failed", "inconclusive": "was inconclusive", "": "has no verdict that can be read"}


class State(StrEnum):
    """How far the drills of the period speak for a control."""

    SUPPORTED = "supported"
    PART = "in part"
    NOT_SUPPORTED = "not supported"
    NO_DRILL = "no drill"


@dataclass(frozen=True)
class Drilled:
    """A drill of the period. ``folder`` is that of its journal, under the root. ``verdict`` is "" where it cannot be
    read. ``problems``: why its journal cannot be taken as it is; empty: it is closed and was verified."""

    folder: str
    drill: str = ""
    experiment: str = ""
    title: str = ""
    environment: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    verdict: str = ""
    reason: str = ""
    shown: tuple[Shown, ...] = ()
    problems: tuple[str, ...] = ()
    report: str = ""

    @property
    def name(self) -> str:
        """For sentences."""
        day = f" of {self.started.astimezone(UTC):%Y-%m-%d}" if self.started else ""
        where = f" in {self.environment}" if self.environment else ""
        return f"{self.experiment or self.folder}{day}{where}"

    @property
    def series(self) -> tuple[str, str]:
        """Which drills are repetitions of each other. One that was cut off tells little, but counts as one of them."""
        return self.experiment, self.environment

    def of(self, kinds: Sequence[Kind]) -> tuple[Shown, ...]:
        return tuple(each for each in self.shown if each.kind in kinds)


@dataclass(frozen=True)
class Finding:
    """``because``: what keeps the state from being better; empty where nothing does. ``drills``: newest first, all
    that speak to the control; none where nothing that it needs was tried."""

    control: Control
    state: State
    because: tuple[str, ...]
    drills: tuple[Drilled, ...]


def findings(framework: Framework, drills: Sequence[Drilled], end: datetime) -> tuple[Finding, ...]:
    """One for each control, in the framework's order. ``end`` of the period."""
    ordered = newest_first(drills)
    return tuple(_finding(control, ordered, end) for control in framework.controls)


def newest_first(drills: Sequence[Drilled]) -> tuple[Drilled, ...]:
    """Those without a start last."""
    never = datetime.min.replace(tzinfo=UTC)
    return tuple(sorted(drills, key=lambda each: (each.started or never, each.folder), reverse=True))


def _finding(control: Control, drills: Sequence[Drilled], end: datetime) -> Finding:
    speaking = {drill.series for drill in drills if drill.of((*control.needs, *control.also))}
    experiments = {experiment for experiment, _ in speaking}
    # One that cannot be read may have been anywhere: whoever wants a failure out of sight must not find a way.
    relevant = tuple(
        drill
        for drill in drills
        if drill.series in speaking or (drill.experiment in experiments and not drill.environment)
    )
    deciding = _newest(relevant)
    if not any(drill.of(control.needs) for drill in relevant):
        missing = tuple(f"No drill of the period {kind.without}." for kind in control.needs)
        return Finding(control, State.NO_DRILL, missing, ())
    because = tuple(_because(control, relevant, deciding, end))
    held = any(each.held for drill in deciding for each in drill.of(control.needs))
    short = State.PART if held else State.NOT_SUPPORTED
    return Finding(control, short if because else State.SUPPORTED, because, relevant)


def _newest(drills: Sequence[Drilled]) -> tuple[Drilled, ...]:
    """Of those whose journals can be taken as they are, the newest of each experiment in each environment."""
    found: dict[tuple[str, str], Drilled] = {}
    for drill in drills:
        if not drill.problems:
            found.setdefault(drill.series, drill)
    return tuple(found.values())


def _because(
    control: Control, relevant: Sequence[Drilled], deciding: Sequence[Drilled], end: datetime
) -> Iterator[str]:
    for kind in control.needs:
        if not any(drill.of((kind,)) for drill in relevant):
            yield f"No drill of the period {kind.without}."
        elif not any(drill.of((kind,)) for drill in deciding):
            yield f"No drill that counts {kind.without}: those that did cannot be verified, or a newer one did not."
    spoiled = [drill.name for drill in relevant if drill.problems]
    if spoiled:
        yield f"What cannot be verified proves nothing: {_named(spoiled)}."
    for word, told in _TOLD.items():
        names = [drill.name for drill in deciding if drill.verdict == word]
        if names:
            yield f"The newest drill of its kind {told}: {_named(names)}."
    for drill in deciding:
        yield from _short(control, drill)
    good = [drill for drill in deciding if any(each.held for each in drill.of(control.needs))]
    if good:
        yield from _limits(control, [drill for drill in relevant if not drill.problems], good, end)


def _named(names: Sequence[str]) -> str:
    """The first of them; all are in the list of drills."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return "; ".join(names[:MOST_NAMED]) + more


def _short(control: Control, drill: Drilled) -> Iterator[str]:
    """What a newest drill did not show, though it passed. What no objective was set for is missed only where needed."""
    for each in drill.of((*control.needs, *control.also)) if drill.verdict == "passed" else ():
        if each.held is False or (each.held is None and each.kind in control.needs):
            yield f"{drill.name} does not show {each.kind.words}: {'; '.join(each.words)}."


def _limits(control: Control, usable: Sequence[Drilled], good: Sequence[Drilled], end: datetime) -> Iterator[str]:
    if all(drill.environment.lower() == LAB for drill in good):
        yield "Only drills in the lab show it, and the lab stands in for the real platform: it was rehearsed, no more."
    days = {drill.started.astimezone(UTC).date() for drill in usable if drill.started}
    if len(days) < control.days:
        yield f"Drilled on {numbers.plural(len(days), 'day')} of the period only, which says nothing of regularity."
    newest = max((drill.started for drill in good if drill.started), default=None)
    if control.within_days and newest and newest < end - timedelta(days=control.within_days):
        yield f"The newest drill that shows it is more than {control.within_days} days older than the period’s end."

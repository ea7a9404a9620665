"""Measured against true. Pure: takes what `truth_bed` brought and returns numbers.

Errors are measured minus true, in seconds (or shares): a positive mean is a bias to tell people of longer outages.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from truth_bed import Planted, Seen
from truth_plan import OUTAGES, SLOW

from blackstart.errors import NotMeasured
from blackstart.observer import analysis
from blackstart.observer.analysis import Outage, Recovery

LEAD_SECONDS = 0.3  # the fault is up to so long before users are hurt


@dataclass(frozen=True)
class Verdict:
    """One planted outage and what was said of it. ``rto``: from ``fault_at`` until its end, truly.

    ``pieces``: how many outages were reported in its place; 0: it was not detected.
    """

    planted: Planted
    fault_at: float
    pieces: int
    outage: Outage | None
    recovery: Recovery | None

    @property
    def rto(self) -> float:
        return self.planted.ended - self.fault_at

    @property
    def length_error(self) -> float | None:
        return None if self.outage is None else self.outage.seconds - self.planted.seconds

    @property
    def rto_error(self) -> float | None:
        found = self.recovery
        return None if found is None or found.seconds is None else found.seconds - self.rto

    @property
    def length_covered(self) -> bool | None:
        """Whether the true length lies inside the reported error bar; None if none was reported."""
        error = self.length_error
        if error is None or self.outage is None:
            return None
        return abs(error) <= self.outage.error_seconds + self.planted.slack

    @property
    def rto_covered(self) -> bool | None:
        error = self.rto_error
        if error is None or self.recovery is None:
            return None
        return abs(error) <= self.recovery.error_seconds + self.planted.slack


def outages(seen: Seen) -> list[Verdict]:
    """What was said of every planted outage, each judged as if it were a drill of its own: the fault up to
    `LEAD_SECONDS` before it, the undo right before the next."""
    samples, gap = seen.samples, seen.samples.gap
    found = analysis.outages(samples, samples.header.begin, samples.complete_until)
    planted = [each for each in seen.truth.planted if each.trouble.mode in OUTAGES and each.trouble.share == 1]
    served_in = seen.plan.usual + seen.plan.tail  # what was sent so shortly before the next outage fails with it
    ends = [each.began - 2 * gap - served_in for each in planted[1:]] + [samples.complete_until]
    verdicts = []
    for number, (each, until) in enumerate(zip(planted, ends, strict=True)):
        mine = [one for one in found if one.began < each.ended + gap and one.ended > each.began - gap]
        fault_at = each.began - LEAD_SECONDS * ((number * 0.618) % 1)
        longest = max(mine, key=lambda one: one.seconds, default=None)
        verdicts.append(Verdict(each, fault_at, len(mine), longest, _recovery(seen, fault_at, until)))
    return verdicts


def _recovery(seen: Seen, fault_at: float, until: float) -> Recovery | None:
    share, window = seen.observing.recovery_share, seen.observing.recovery_window_seconds
    try:
        return analysis.recovery(seen.samples.between(fault_at - 1, until), fault_at, share, window, until)
    except NotMeasured:
        return None


def false_alarms(seen: Seen) -> list[Outage]:
    """Outages that were reported where nothing was planted that could cause one."""
    samples, gap = seen.samples, seen.samples.gap
    planted = [(each.began - gap, each.ended + gap) for each in seen.truth.planted if each.trouble.mode != SLOW]
    found = analysis.outages(samples, samples.header.begin, samples.complete_until)
    return [one for one in found if not any(one.began < end and one.ended > begin for begin, end in planted)]


@dataclass(frozen=True)
class Spread:
    """Errors in one line. ``bias``: the signed mean."""

    count: int
    mean: float
    bias: float
    worst: float

    @classmethod
    def of(cls, errors: Iterable[float | None]) -> Spread | None:
        known = [each for each in errors if each is not None]
        if not known:
            return None
        count = len(known)
        return cls(count, sum(map(abs, known)) / count, sum(known) / count, max(known, key=abs))


def share(flags: Iterable[bool | None]) -> float | None:
    """Of those that are not None, the share that is True."""
    known = [each for each in flags if each is not None]
    return sum(known) / len(known) if known else None


def up_share(seen: Seen, start: float, end: float, timeout: float = 0.0) -> float:
    """The true availability of [start, end) as the planted outages make it. With ``timeout``: a user who comes in a
    stall so shortly before its end that the answer is still in time was served."""
    down = 0.0
    for each in seen.truth.planted:
        served = timeout if each.trouble.mode == "stall" else 0.0
        down += max(0.0, min(each.ended - served, end) - max(each.began, start)) * each.trouble.share
    return 1 - down / (end - start)


def quantile(values: Sequence[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def by_length(verdicts: Sequence[Verdict], edges: Sequence[float]) -> list[tuple[float, float, list[Verdict]]]:
    """``verdicts`` in classes between ``edges``; empty classes are left out."""
    classes = [
        (low, high, [each for each in verdicts if low <= each.planted.seconds < high]) for low, high in pairwise(edges)
    ]
    return [each for each in classes if each[2]]

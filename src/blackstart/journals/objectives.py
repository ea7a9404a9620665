"""Each objective as an interval against its target. Pure.

Met only if the whole interval of uncertainty is inside the target, missed only if it is wholly outside; otherwise
nothing is proven. A number that could not be measured at all is the widest interval there is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

SECONDS_PER_YEAR = 365 * 24 * 3600


class Result(StrEnum):
    """What an interval says about a target."""

    MET = "met"
    MISSED = "missed"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Interval:
    """Where the true value lies. ``value`` is the best single number, None if there is none."""

    low: float
    high: float
    value: float | None = None

    @classmethod
    def around(cls, value: float, error: float, least: float = 0.0) -> Interval:
        return cls(max(value - error, least), value + error, value)


@dataclass(frozen=True)
class Objective:
    """One objective, decided.

    ``key`` is its name in the settings. ``unit`` is seconds, latency (also in seconds), share (0–1) or writes.
    ``at_most``: smaller is better. ``why`` says why it could not be proven, or what limits it; "" otherwise.
    ``of`` is the count a number of writes is out of.
    """

    key: str
    title: str
    definition: str
    unit: str
    target: float
    interval: Interval
    at_most: bool = True
    why: str = ""
    of: int | None = None

    @property
    def result(self) -> Result:
        return compare(self.interval, self.target, self.at_most)

    @property
    def measured(self) -> float | None:
        return self.interval.value

    @property
    def margin(self) -> float | None:
        """How far inside the target the measured value is; negative outside."""
        if self.measured is None:
            return None
        return self.target - self.measured if self.at_most else self.measured - self.target


def compare(interval: Interval, target: float, at_most: bool) -> Result:
    """Is the whole of ``interval`` on the right side of ``target``? The target itself is inside."""
    if math.isnan(interval.low) or math.isnan(interval.high):
        return Result.INCONCLUSIVE
    inside, outside = (interval.high, interval.low) if at_most else (-interval.low, -interval.high)
    limit = target if at_most else -target
    if inside <= limit:
        return Result.MET
    return Result.MISSED if outside > limit else Result.INCONCLUSIVE


def unknown(low: float = 0.0, high: float = math.inf) -> Interval:
    """A number that was not measured: anything it can be."""
    return Interval(low, high)

"""Whether a drill went better or worse than those before it, beyond what they differ among themselves. Pure.

The newest number has an interval in which the true one lies; so has each of the last five before it. It is **worse**
only if its whole interval is beyond the *band*: the range of the last five with their intervals, and no narrower than
what they scatter around their median (three standard deviations, estimated from the median absolute deviation, which
one outlier does not move) or the least difference that is worth telling. What is inside is **within noise**.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from blackstart.journals.index import Row

LAST = 5
"""How many earlier drills the newest one is compared with."""
FEW = 3
"""With fewer than this, how much drills differ by chance can hardly be told from them."""
DEVIATIONS = 3.0
MAD_TO_DEVIATION = 1.4826
LEAST_SHARE, LEAST_SHARE_OF_FEW = 0.05, 0.25
"""Differences from the median that are not worth telling, as a share of it."""
LEAST_SECONDS, LEAST_LATENCY, LEAST_POINTS = 0.05, 0.002, 0.0001
HIGHER_IS_BETTER = frozenset({"availability"})
COUNTS = frozenset({"lost_writes"})
LATENCIES = frozenset({"p50_seconds", "p95_seconds", "p99_seconds"})
_ERRORS = {"rto_seconds": "rto_error_seconds", "rpo_seconds": "rpo_error_seconds"}

Word = Literal["better", "worse", "within noise", "first", "not measured"]


@dataclass(frozen=True)
class Point:
    """One drill's number: the true one lies in [low, high]. ``value`` is None where only a bound is known."""

    value: float | None
    low: float
    high: float
    row: Row


@dataclass(frozen=True)
class Reading:
    """How the newest number reads. ``delta``: newest minus the last before it, None where one of them has no value.

    ``previous``: at most LAST, oldest first. ``band``: what counts as noise, low and high; None with no previous ones.
    """

    word: Word
    key: str
    newest: Point | None = None
    previous: tuple[Point, ...] = ()
    delta: float | None = None
    band: tuple[float, float] | None = None


def trend(rows: Sequence[Row], key: str) -> Reading:
    """How the last of ``rows`` (oldest first, all of one experiment) compares in ``key`` with those before it.

    ``key``: a number of ``Row``, or of an objective. "first": none before it has the number; "not measured": it has
    none itself, not even a bound.
    """
    if not rows:
        return Reading("not measured", key)
    newest = point(rows[-1], key)
    earlier = (found for row in reversed(rows[:-1]) if (found := point(row, key)) and found.value is not None)
    previous = tuple(reversed(tuple(islice(earlier, LAST))))
    if newest is None:
        return Reading("not measured", key, None, previous)
    if not previous:
        return Reading("first", key, newest)
    band = noise(previous, key)
    last = previous[-1].value
    delta = None if newest.value is None or last is None else newest.value - last
    return Reading(_word(newest, band, key), key, newest, previous, delta, band)


def points(rows: Sequence[Row], key: str) -> tuple[Point, ...]:
    """The numbers of ``rows`` in ``key``, where they have one."""
    return tuple(found for found in (point(row, key) for row in rows) if found)


def point(row: Row, key: str) -> Point | None:
    """The number of one drill; None where it was not measured, the drill was cut off, or its journal is damaged."""
    if row.cut_off or row.problem:
        return None
    objective = row.objectives.get(key, {})
    value = getattr(row, key, None)
    value = _finite(objective.get("measured")) if value is None else _finite(value)
    low, high = _finite(objective.get("low")), _finite(objective.get("high"))
    if value is None:
        return _bound(low, high, key, row)
    error = _finite(getattr(row, _ERRORS.get(key, ""), None)) or 0.0
    low = value - error if low is None else min(low, value)
    high = value + error if high is None else max(high, value)
    return Point(value, low, high, row)


def _bound(low: float | None, high: float | None, key: str, row: Row) -> Point | None:
    """What never ended lasted at least so long; a bound of 0 says nothing, nor does one of all requests."""
    if key in HIGHER_IS_BETTER:
        return None
    return Point(None, low, math.inf if high is None else high, row) if low is not None and low > 0 else None


def noise(previous: Sequence[Point], key: str) -> tuple[float, float]:
    """The band, low and high, that ``previous`` (at least one with a value) span."""
    values = [each.value for each in previous if each.value is not None]
    middle = statistics.median(values)
    scatter = statistics.median(abs(value - middle) for value in values)
    reach = max(DEVIATIONS * MAD_TO_DEVIATION * scatter, _least(middle, key, len(values)))
    low = min(middle - reach, *(each.low for each in previous))
    high = max(middle + reach, *(each.high for each in previous))
    return low, high


def _least(middle: float, key: str, many: int) -> float:
    """The least difference from ``middle`` that is worth telling, in the unit of ``key``."""
    share = LEAST_SHARE if many >= FEW else LEAST_SHARE_OF_FEW
    if key in COUNTS:  # as many as come by chance where so many do on average; none where there were none
        return max(math.sqrt(max(middle, 0.0)), share * middle)
    if key in HIGHER_IS_BETTER:
        return max(share * (1 - middle), LEAST_POINTS)
    return max(share * abs(middle), LEAST_LATENCY if key in LATENCIES else LEAST_SECONDS)


def _word(newest: Point, band: tuple[float, float], key: str) -> Word:
    low, high = band
    if newest.low > high:
        return "better" if key in HIGHER_IS_BETTER else "worse"
    if newest.high < low:
        return "worse" if key in HIGHER_IS_BETTER else "better"
    return "within noise"


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None

"""Whether a measured value is what we hold to be true. Pure.

Each takes what a probe gave as ``value`` and answers whether it holds. What was not measured (None, or no number)
never holds.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["at_least", "at_most", "between", "empty", "lost_no_more_than", "one_of", "recovered_within"]


def at_least(minimum: float, value: float | None = None) -> bool:
    """``value`` is ``minimum`` or more."""
    number = _number(value)
    return number is not None and number >= minimum


def at_most(maximum: float, value: float | None = None) -> bool:
    """``value`` is ``maximum`` or less."""
    number = _number(value)
    return number is not None and number <= maximum


def between(minimum: float, maximum: float, value: float | None = None) -> bool:
    """``value`` is ``minimum`` or more, and ``maximum`` or less."""
    return at_least(minimum, value) and at_most(maximum, value)


def empty(value: Sequence[Any] | Mapping[str, Any] | None = None) -> bool:
    """``value``, a list or a mapping of what is wrong, holds nothing."""
    return isinstance(value, list | tuple | dict) and not value


def recovered_within(limit_seconds: float, value: float | None = None) -> bool:
    """``value``, seconds until recovery, is there at all and no more than ``limit_seconds``."""
    return at_most(limit_seconds, value)


def lost_no_more_than(writes: int, value: int | None = None) -> bool:
    """``value``, acknowledged writes that are gone, is no more than ``writes``."""
    return at_most(writes, value)


def one_of(names: Sequence[str], value: str | None = None) -> bool:
    """``value`` is one of ``names``."""
    return isinstance(value, str) and value in list(names)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return None
    return float(value)

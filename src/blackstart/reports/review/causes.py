"""Why drills did not prevent an incident, in words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from blackstart.journals import numbers


class Cause(StrEnum):
    """Why the drills did not prevent it; ``HELD``: there is no gap. All but those before ``PLACE`` only add to one."""

    NOT_DRILLED = "not drilled"
    ANOTHER_WAY = "drilled another way"
    INCONCLUSIVE = "inconclusive"
    KNOWN = "known, not mended"
    STALE = "drill stale"
    FELT_LESS = "felt less in the drill"
    TOO_LOOSE = "objective too loose"
    NO_OBJECTIVE = "no objective"
    NOT_COMPARABLE = "not comparable"
    HELD = "as promised"
    PLACE = "another place"
    SHORTER = "shorter in the drill"
    ENVIRONMENT = "another environment"
    DURING = "a drill was running"


@dataclass(frozen=True)
class Finding:
    """``seen`` and ``advice`` are whole sentences."""

    cause: Cause
    seen: str
    advice: str


def age(days: float) -> str:
    """``203 days``, ``5 hours``, ``12 minutes``; the sign is the caller's."""
    days = abs(days)
    if days >= 2:
        return numbers.plural(int(days), "day")
    hours = days * 24
    return numbers.plural(int(hours), "hour") if hours >= 2 else numbers.plural(max(round(hours * 60), 1), "minute")

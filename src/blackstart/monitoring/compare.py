"""What monitoring says of the time after a fault, in the terms in which users' own numbers are given. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blackstart.monitoring.model import Point, Signal

TROUBLE = 0.001
"""Share of requests above which there is trouble, where there was less before the fault."""


@dataclass(frozen=True)
class Trouble:
    """Shares of requests that were not served, from the fault on.

    ``peak``: the worst share. ``seconds``: how long there was trouble in all, ``error_seconds`` more or less: where it
    began and ended is known to one value of monitoring. ``down_seconds``: share × time, as if nobody had been served
    for so long; a window over which monitoring takes its rate smears peak and length, and leaves this as it is.
    ``blind_seconds``: for how long there was no value. ``until``: when the last value ends.
    """

    peak: float
    seconds: float
    error_seconds: float
    down_seconds: float
    blind_seconds: float
    until: float


def not_served(signal: Signal) -> tuple[Point, ...]:
    """``signal``, a share that failed or was served, as shares that were not served."""
    if signal.means == "failed":
        return signal.points
    return tuple(Point(p.start, p.end, None if p.value is None else max(1 - p.value, 0.0)) for p in signal.points)


def trouble(points: Sequence[Point], fault_at: float, resolution_seconds: float) -> Trouble | None:
    """From the fault to the last of ``points``; None if not one of them has a value after it.

    What was no better before the fault is not put down to it.
    """
    usual = max((p.value for p in points if p.end <= fault_at and p.value is not None), default=0.0)
    limit = max(TROUBLE, usual)
    after = [Point(max(p.start, fault_at), p.end, p.value) for p in points if p.end > fault_at]
    known = [(p, p.value) for p in after if p.value is not None]
    if not known:
        return None
    over = [(p, value) for p, value in known if value > limit]
    return Trouble(
        peak=max(value for _, value in known),
        seconds=sum(p.end - p.start for p, _ in over),
        error_seconds=resolution_seconds if over else 0.0,
        down_seconds=sum((p.end - p.start) * value for p, value in over),
        blind_seconds=sum(p.end - p.start for p in after if p.value is None),
        until=max(p.end for p in after),
    )


def worst(points: Sequence[Point], fault_at: float, lowest: bool = False) -> tuple[float | None, float | None]:
    """The last value before the fault, and the highest (``lowest``: the lowest) after it; None where there is none."""
    before = [p.value for p in points if p.end <= fault_at and p.value is not None]
    after = [p.value for p in points if p.end > fault_at and p.value is not None]
    return (before[-1] if before else None), ((min if lowest else max)(after) if after else None)

"""Bars beside numbers: how far from the objective (bullets), and where the time went (waterfall). Pure SVG.

They stretch to their cell: widths are in thousandths, upright ticks keep their thickness.
"""

from __future__ import annotations

import math
from html import escape

from blackstart.journals.objectives import Objective, Result
from blackstart.reports import svg

WIDTH = 1000.0


def scale_end(objective: Objective) -> float:
    """Where the bar's ground ends: 1.5 × the objective or all of it for shares, more if the measured value is."""
    known = [v for v in (objective.measured, objective.interval.low, objective.interval.high) if v is not None]
    largest = max((value for value in known if math.isfinite(value)), default=0.0)
    if objective.unit == "share":
        return 1.0
    if objective.unit == "writes" and objective.target == 0:
        return float(max(10, math.ceil(largest * 1.4)))
    return max(1.5 * objective.target, largest * 1.1)


def bullet(objective: Objective, words: str) -> str:
    """Bar = measured, upright tick = objective, darker ground = the side that passes; hatched = where it may lie."""
    x = svg.Scale(0.0, scale_end(objective), 0.0, WIDTH)
    target = x(objective.target)
    passes = (0.0, target) if objective.at_most else (target, WIDTH)
    parts = [
        svg.rect(0, 4, WIDTH, 13, "ground"),
        svg.rect(passes[0], 4, passes[1] - passes[0], 13, "ground-passes"),
    ]
    low, high = x(objective.interval.low), x(objective.interval.high)
    if high - low > 4 and (objective.measured is not None or low > 0):
        parts.append(svg.rect(low, 8, high - low, 5, "perhaps"))
    if objective.measured is not None:
        css = "bar-bad" if objective.result is Result.MISSED else "bar"
        parts.append(svg.rect(0, 8, max(x(objective.measured), 4.0) if objective.measured else 0.0, 5, css))
    elif objective.result is Result.MISSED:
        parts.append(svg.rect(0, 8, low, 5, "bar-bad"))
    parts.append(_tick(target, 1, 20))
    return _stretched("".join(parts), 21, words)


def step_bar(began: float, ended: float, end: float, words: str, longest: bool) -> str:
    """One step on the common axis from the fault to ``end``, in seconds from the fault."""
    x = svg.Scale(0.0, end, 0.0, WIDTH)
    width = max(x(ended) - x(began), 3.0)
    css = "bar-longest" if longest else "bar-step"
    return _stretched(svg.rect(0, 19, WIDTH, 0.7, "rule") + svg.rect(x(began), 5, width, 9, css), 20, words)


def total_bar(total: float, end: float, objective: float | None, words: str) -> str:
    """All steps together, with the objective as a tick where it lies on the axis."""
    x = svg.Scale(0.0, end, 0.0, WIDTH)
    tick = _tick(x(objective), 1, 19) if objective is not None and objective <= end else ""
    return _stretched(svg.rect(0, 5, x(total), 9, "bar") + tick, 20, words)


def _tick(at: float, top: float, bottom: float) -> str:
    at = min(max(at, 2.0), WIDTH - 2.0)
    return svg.tag("line", x1=at, x2=at, y1=top, y2=bottom, css="tick", vector_effect="non-scaling-stroke")


def _stretched(body: str, height: float, words: str) -> str:
    title = svg.tag("title", escape(words))
    box = f"0 0 {svg.number(WIDTH)} {svg.number(height)}"
    return svg.tag("svg", title + body, viewBox=box, preserveAspectRatio="none", role="img", css="stretched")

"""A sparkline: one number of the last runs, with its objective as a dashed line. Pure SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from blackstart.reports import svg

WIDTH, HEIGHT, EDGE = 132.0, 30.0, 6.0


def draw(values: Sequence[float | None], target: float | None, missed: bool, words: str) -> str:
    """Oldest first, the newest marked; None, a run that did not measure it, leaves a gap. ``words`` say it all."""
    known = [value for value in (*values, target) if value is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    spread = (high - low) or abs(high) or 1.0
    y = svg.Scale(low - 0.12 * spread, high + 0.12 * spread, HEIGHT - EDGE, EDGE)
    x = svg.Scale(0.0, max(len(values) - 1, 1), EDGE, WIDTH - EDGE)
    parts = [svg.tag("title", escape(words))]
    if target is not None:
        parts.append(svg.line(0, y(target), WIDTH, y(target), "spark-goal"))
    points = [(x(place), y(value)) for place, value in enumerate(values) if value is not None]
    if len(points) > 1:
        parts.append(svg.polyline(points, "spark-line"))
    for number, (left, top) in enumerate(points):
        newest = number == len(points) - 1 and values[-1] is not None
        parts.append(
            _newest(left, top, missed) if newest else svg.tag("circle", cx=left, cy=top, r=1.8, css="spark-dot")
        )
    box = f"0 0 {svg.number(WIDTH)} {svg.number(HEIGHT)}"
    return svg.tag("svg", "".join(parts), viewBox=box, role="img", css="spark")


def _newest(x: float, y: float, missed: bool) -> str:
    """A cross where the objective was missed, a dot otherwise: not by colour alone."""
    if missed:
        arms = ((-3.5, -3.5, 3.5, 3.5), (-3.5, 3.5, 3.5, -3.5))
        return "".join(svg.line(x + a, y + b, x + c, y + d, "spark-missed") for a, b, c, d in arms)
    return svg.tag("circle", cx=x, cy=y, r=3.2, css="spark-newest")

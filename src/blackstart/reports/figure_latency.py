"""The latency row of the big picture: median line, p5–p95 band, the slowest of each column, time-outs. SVG."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from blackstart.journals import numbers
from blackstart.reports import svg
from blackstart.reports.picture import Column, Picture

HEIGHT = 122.0


def row(drawing: svg.Drawing, picture: Picture, x: svg.Scale, top: float, *, size: float) -> None:
    """From a few milliseconds at the bottom to the time-out at ``top``, on a log scale."""
    y = _scale(picture, top)
    _grid(drawing, picture, x, y)
    _timeouts(drawing, picture, x, y, size=size)
    for known, stretch in groupby(picture.columns, key=lambda column: column.p50 is not None):
        if known:
            drawing.add(_band(list(stretch), x, y))
    for column in picture.columns:
        if column.slowest is not None:
            drawing.add(svg.rect(_middle(column, x) - 0.8, y(column.slowest) - 0.8, 1.6, 1.6, "slowest"))
    _words(drawing, picture, x, top + HEIGHT + 12, size=size)


def _middle(column: Column, x: svg.Scale) -> float:
    return x((column.start + column.end) / 2)


def _scale(picture: Picture, top: float) -> svg.LogScale:
    fastest = min((c.p5 for c in picture.columns if c.p5 is not None), default=0.01)
    low = next(edge for edge in (0.003, 0.001, 0.0003, 0.0001) if edge <= fastest or edge == 0.0001)
    return svg.LogScale(low, max(picture.timeout_seconds, low * 10), top + HEIGHT, top)


def _grid(drawing: svg.Drawing, picture: Picture, x: svg.Scale, y: svg.LogScale) -> None:
    used: list[float] = []
    for value in (picture.timeout_seconds, 1.0, 0.1, 0.01, 0.001):
        at = y(value)
        if value < y.low or value > y.high or any(abs(at - other) < 11 for other in used):
            continue
        used.append(at)
        label = numbers.latency_goal(value)
        if x.start < 60:
            label = label.replace(f"{numbers.NBSP}ms", "")
        drawing.add(svg.line(x.start, at, x.end, at, "grid"))
        drawing.write(x.start - 7, at + 4, label, "", "end")


def _timeouts(drawing: svg.Drawing, picture: Picture, x: svg.Scale, y: svg.LogScale, *, size: float) -> None:
    """A tick at the time-out for every column in which a request got no answer."""
    silent = [column for column in picture.columns if column.timed_out]
    top = y(picture.timeout_seconds) - 3
    drawing.add(*(svg.rect(_middle(column, x) - 0.6, top, 1.2, 6, "failure") for column in silent))
    inside = [c for c in silent if picture.outage and picture.outage.start <= c.start < picture.outage.end]
    words = f"no answer in {numbers.seconds_goal(picture.timeout_seconds)}"
    if inside:
        left, right = x(inside[0].start), x(inside[-1].end)
        if svg.text_width(words, size, bold=True) <= right - left:
            drawing.write((left + right) / 2, top + 20, words, "bold bad halo-shade", "middle")


def _band(columns: Sequence[Column], x: svg.Scale, y: svg.LogScale) -> str:
    def points(name: str) -> list[svg.Point]:
        return [(_middle(column, x), y(getattr(column, name) or y.low)) for column in columns]

    if len(columns) == 1:
        at, height = points("p50")[0]
        return svg.line(at - 1, height, at + 1, height, "median")
    return svg.polygon(points("p95") + points("p5")[::-1], "band") + svg.polyline(points("p50"), "median")


def _words(drawing: svg.Drawing, picture: Picture, x: svg.Scale, y: float, *, size: float) -> None:
    """Before the fault on the left, after recovery on the right; nothing where it would not fit."""
    fault = x(0.0) if picture.fault is not None else x.end
    if picture.before and svg.text_width(picture.before, size) <= fault - x.start:
        drawing.write(x.start + 2, y, picture.before, "halo")
    if picture.after:
        left = x(picture.recovered if picture.recovered is not None else 0.0)
        if svg.text_width(picture.after, size) + 8 <= x.end - left:
            drawing.write(left + 8, y, picture.after, "halo")

"""What monitoring saw against what users saw, drawn on the time axis of the big picture. Pure SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blackstart.journals import numbers
from blackstart.monitoring.model import Point
from blackstart.reports import svg

PANEL = 92.0
TOP = 34.0
BAR = 20.0
MOST_ALERTS = 6


@dataclass(frozen=True)
class AlertBar:
    """One alert: from when until when (None: to the end) it fired, in seconds from the fault. ``words``: when, or why
    it did not."""

    name: str
    fired: Sequence[tuple[float, float | None]]
    words: str


@dataclass(frozen=True)
class Compared:
    """Everything that is drawn. Times in seconds from the fault, shares 0–1. ``users`` and ``seen``: not served."""

    start: float
    end: float
    users: Sequence[Point]
    seen: Sequence[Point]
    seen_name: str
    alerts: Sequence[AlertBar]
    description: str
    undone_from: float | None = None


@dataclass(frozen=True)
class Layout:
    """Where things go, in pixels, as in the big picture. ``beside``: names stand left of the plot."""

    key: str
    width: float
    left: float
    right: float
    size: float
    beside: bool

    @property
    def plot(self) -> float:
        return self.width - self.left - self.right


WIDE = Layout("wide", width=1012, left=134, right=14, size=12, beside=True)
NARROW = Layout("narrow", width=358, left=36, right=4, size=11, beside=False)


def draw(picture: Compared, layout: Layout) -> str:
    """The whole figure as one ``<svg>``."""
    x = svg.Scale(picture.start, picture.end, layout.left, layout.left + layout.plot)
    drawing = svg.Drawing()
    bottom = TOP + PANEL
    _legend(drawing, picture, layout)
    drawing.add(svg.line(x.start, TOP, x.end, TOP, "grid"), svg.line(x.start, bottom, x.end, bottom, "grid"))
    drawing.write(x.start - 7, TOP + 4, f"100{numbers.NBSP}%" if layout.beside else "100", "", "end")
    drawing.write(x.start - 7, bottom + 4, "0", "", "end")
    _users(drawing, picture, x)
    _seen(drawing, picture, x)
    axis = _alerts(drawing, picture, x, layout)
    _axis(drawing, picture, x, top=axis, layout=layout)
    drawing.add(svg.line(x(0), TOP - 8, x(0), axis, "line-fault"))
    if picture.undone_from is not None:
        drawing.add(svg.line(x(picture.undone_from), TOP - 8, x(picture.undone_from), axis, "line-undo"))
    title, body = "What monitoring saw, and what users saw", "".join([*drawing.shapes, *drawing.words])
    size, key = (layout.width, axis + 24), f"monitoring-{layout.key}"
    return svg.figure(body, size, title, picture.description, key, f"timeline {layout.key}")


def _legend(drawing: svg.Drawing, picture: Compared, layout: Layout) -> None:
    at = layout.left
    if layout.beside:
        drawing.write(0, TOP + PANEL / 2 - 2, "Not served", "bold")
        drawing.write(0, TOP + PANEL / 2 + 13, "share of requests", "muted")
    drawing.add(svg.rect(at, 5, 11, 11, "failure"))
    drawing.write(at + 16, 15, "users", "bold")
    at += 22 + svg.text_width("users", layout.size, bold=True)
    drawing.add(svg.line(at, 11, at + 18, 11, "seen"))
    drawing.write(at + 23, 15, _fitting(picture.seen_name, layout.width - at - 23, layout.size), "bold")


def _fitting(words: str, room: float, size: float) -> str:
    most = int(room / svg.text_width("x", size, bold=True))
    return words if len(words) <= most else f"{words[: max(most - 1, 1)]}…"


def _users(drawing: svg.Drawing, picture: Compared, x: svg.Scale) -> None:
    """A filled stretch for each run of seconds with a value; at least a pixel wide where anybody was hurt."""
    for run in _runs(thinned(picture.users, int(x.end - x.start))):
        edge = [(x(run[0].start), TOP + PANEL)]
        for point in run:
            height = TOP + PANEL * (1 - (point.value or 0.0))
            edge += [(x(point.start), height), (x(point.end), height)]
        drawing.add(svg.polygon([*edge, (x(run[-1].end), TOP + PANEL)], "failure"))


def _seen(drawing: svg.Drawing, picture: Compared, x: svg.Scale) -> None:
    """A step line; hatched at the foot where monitoring had no value."""
    for run in _runs(picture.seen):
        edge = []
        for point in run:
            height = TOP + PANEL * (1 - (point.value or 0.0))
            edge += [(x(point.start), height), (x(point.end), height)]
        drawing.add(svg.polyline(edge, "seen-halo"), svg.polyline(edge, "seen"))
    blind = [Point(p.start, p.end, 0.0) if p.value is None else Point(p.start, p.end, None) for p in picture.seen]
    for run in _runs(blind):
        left, right = x(run[0].start), x(run[-1].end)
        drawing.add(svg.rect(left, TOP + PANEL - 16, right - left, 16, "nobody"))
        if svg.text_width("no value", 10.5) + 8 <= right - left:
            drawing.write((left + right) / 2, TOP + PANEL - 4.5, "no value", "small halo", "middle")


def _runs(points: Sequence[Point]) -> list[list[Point]]:
    """Neighbouring points that have a value."""
    runs: list[list[Point]] = []
    for point in points:
        if point.value is None:
            continue
        if runs and point.start - runs[-1][-1].end < 1e-3:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """At most ``most`` points, each the worst of those that it stands for."""
    every = -(-len(points) // max(most, 1))
    if every <= 1:
        return list(points)
    groups = [points[first : first + every] for first in range(0, len(points), every)]
    return [
        Point(group[0].start, group[-1].end, max((p.value for p in group if p.value is not None), default=None))
        for group in groups
    ]


def _alerts(drawing: svg.Drawing, picture: Compared, x: svg.Scale, layout: Layout) -> float:
    """A bar for each alert while it fired; where the axis goes."""
    top = TOP + PANEL + 14
    for alert in picture.alerts[:MOST_ALERTS]:
        if layout.beside:
            drawing.write(0, top + 12, _fitting(alert.name, layout.left - 8, layout.size), "bold")
        else:
            drawing.write(layout.left, top + 10, _fitting(alert.name, layout.plot, layout.size), "muted small")
            top += 14
        bars = [(x(began), x(picture.end if ended is None else ended)) for began, ended in alert.fired]
        if not bars:
            drawing.write(x.start + 2, top + 12, _fitting(alert.words, layout.plot, layout.size), "muted halo")
        else:
            drawing.add(*(svg.rect(left, top + 3, max(right - left, 3), 11, "alert") for left, right in bars))
            _beside(drawing, alert.words, bars, top + 12, layout=layout)
        top += BAR
    return top + 6


def _beside(drawing: svg.Drawing, words: str, bars: Sequence[tuple[float, float]], y: float, *, layout: Layout) -> None:
    """Right of the first bar if there is room before the next one, else right of the last or left of the first."""
    width = svg.text_width(words, layout.size) + 8
    until = bars[1][0] if len(bars) > 1 else layout.width
    if bars[0][1] + width <= until:
        drawing.write(bars[0][1] + 6, y, words, "halo")
    elif bars[-1][1] + width <= layout.width:
        drawing.write(bars[-1][1] + 6, y, words, "halo")
    elif bars[0][0] - width >= layout.left:
        drawing.write(bars[0][0] - 6, y, words, "halo", "end")


def _axis(drawing: svg.Drawing, picture: Compared, x: svg.Scale, *, top: float, layout: Layout) -> None:
    drawing.add(svg.line(x.start, top, x.end, top, "axis"))
    step = svg.nice_step(picture.end - picture.start, int(layout.plot / 74))
    mark = step * -int(-picture.start // step)
    while mark <= picture.end + 1e-9:
        at, zero = x(mark), abs(mark) < 1e-9
        anchor = "start" if at - x.start < 24 else "end" if x.end - at < 24 else "middle"
        words = "fault" if zero else ("+" if mark > 0 else numbers.MINUS) + numbers.seconds_goal(round(abs(mark), 3))
        drawing.add(svg.line(at, top, at, top + 5, "axis"))
        drawing.write(at, top + 18, words, "bold" if zero else "", anchor)
        mark += step

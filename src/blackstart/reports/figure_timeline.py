"""The big picture of a drill: what users saw over time, drawn as SVG. Pure; two layouts, for wide and narrow pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from blackstart.journals import numbers
from blackstart.reports import figure_latency as latency
from blackstart.reports import figure_rows as rows
from blackstart.reports import svg
from blackstart.reports.picture import Picture


@dataclass(frozen=True)
class Layout:
    """Where things go, in pixels: ``left`` and ``right`` of the plot, and the tops of the rows.

    ``beside``: the rows' names stand left of the plot; else small above each row.
    """

    key: str
    width: float
    left: float
    right: float
    size: float
    tick_room: float
    beside: bool
    served: float
    requests: float
    latency: float
    lost: float
    fault: float
    axis: float
    column: float = 2
    steps: float = 34

    @property
    def plot(self) -> float:
        return self.width - self.left - self.right

    @property
    def height(self) -> float:
        return self.axis + 38

    @property
    def columns(self) -> int:
        """How many columns there is room for."""
        return int(self.plot / self.column)


WIDE = Layout(
    "wide", width=1012, left=134, right=14, size=12, tick_room=86, beside=True,
    served=55, requests=101, latency=178, lost=352, fault=376, axis=398,
)  # fmt: skip
NARROW = Layout(
    "narrow", width=358, left=36, right=4, size=11, tick_room=62, beside=False,
    served=55, requests=114, latency=198, lost=374, fault=410, axis=434,
)  # fmt: skip


def draw(picture: Picture, layout: Layout) -> str:
    """The whole figure as one ``<svg>``."""
    x = svg.Scale(picture.start, picture.end, layout.left, layout.left + layout.plot)
    drawing = svg.Drawing()
    _shade(drawing, picture, x, layout)
    _names(drawing, layout)
    rows.steps(drawing, picture, x, layout.steps)
    rows.served_by(drawing, picture, x, layout.served, size=layout.size)
    rows.requests(drawing, picture, x, layout.requests, size=layout.size)
    latency.row(drawing, picture, x, layout.latency, size=layout.size)
    rows.lost_writes(drawing, picture, x, layout.lost, size=layout.size)
    rows.fault_bar(drawing, picture, x, layout.fault, size=layout.size)
    _axis(drawing, picture, x, layout)
    _lines(drawing, picture, x, layout)
    _headings(drawing, picture, x, layout)
    drawing.add(svg.line(0, 0, 0, layout.axis, "cursor"))
    body, key = "".join([*drawing.shapes, *drawing.words]), f"timeline-{layout.key}"
    size = (layout.width, layout.height)
    return svg.figure(body, size, "What users saw over time", picture.description, key, f"timeline {layout.key}")


def _shade(drawing: svg.Drawing, picture: Picture, x: svg.Scale, layout: Layout) -> None:
    if picture.outage is not None:
        left = x(picture.outage.start)
        drawing.add(svg.rect(left, 20, x(picture.outage.end) - left, layout.axis - 20, "shade"))


def _names(drawing: svg.Drawing, layout: Layout) -> None:
    """The rows' names left of the plot, or small above each row where the page is narrow."""
    if layout.beside:
        named = (
            (layout.served + 14, "Served by", ""),
            (layout.requests + 25, "Requests", "succeeding"),
            (layout.latency + 70, "Latency", "log scale"),
            (layout.lost + 12, "Lost writes", ""),
            (layout.fault + 12, "Fault", ""),
        )
        for y, name, below in named:
            drawing.write(0, y, name, "bold")
            drawing.write(0, y + 15, below, "muted")
        return
    small = (
        (layout.requests - 22, "Requests succeeding, %"),
        (layout.latency - 9, "Latency (log): median, p5–p95, slowest"),
        (layout.lost - 6, "Lost writes"),
        (layout.fault, "Fault in place"),
    )
    for y, words in small:
        drawing.write(layout.left, y, words, "muted small halo")


def _lines(drawing: svg.Drawing, picture: Picture, x: svg.Scale, layout: Layout) -> None:
    """Full-height lines: fault (thick), recovered (thin), undo (dashed)."""
    marks = (
        (0.0 if picture.fault is not None else None, 4, "line-fault"),
        (picture.recovered, 4, "line-recovered"),
        (picture.undone_from, 22, "line-undo"),
    )
    drawing.add(*(svg.line(x(at), top, x(at), layout.axis, css) for at, top, css in marks if at is not None))


def _headings(drawing: svg.Drawing, picture: Picture, x: svg.Scale, layout: Layout) -> None:
    """The words on top of the lines. The fault's stand left of its line, the others' right of theirs."""
    if picture.fault is None:
        return
    fault, until = x(0), layout.width
    if picture.recovered is not None:
        until = x(picture.recovered)
        _beside(drawing, f"Recovered {numbers.offset(picture.recovered)}", until, 14, layout=layout)
    words = next((w for w in (picture.fault, "Fault") if svg.text_width(w, layout.size, True) <= fault - 6), "")
    drawing.write(fault - 5, 14, words, "bold bad", "end")
    _recovery_label(drawing, picture, fault, until, size=layout.size)
    if picture.undone_from is not None:
        _beside(drawing, "Undo starts" if layout.beside else "Undo", x(picture.undone_from), 32, layout=layout)


def _recovery_label(drawing: svg.Drawing, picture: Picture, fault: float, until: float, *, size: float) -> None:
    """RTO between the two lines if there is room; the never-recovered case says so to the right of the fault."""
    words = picture.recovery_text
    if picture.recovered is None:
        drawing.write(fault + 6, 14, words, "bold bad")
    elif svg.text_width(words, size, bold=True) + 8 <= until - fault:
        drawing.write((fault + until) / 2, 14, words, "bold", "middle")


def _beside(drawing: svg.Drawing, words: str, at: float, y: float, *, layout: Layout) -> None:
    """Right of the line at ``at``; left of it where the page would end."""
    if at + 5 + svg.text_width(words, layout.size, bold=True) <= layout.width:
        drawing.write(at + 5, y, words, "bold halo")
    else:
        drawing.write(at - 5, y, words, "bold halo", "end")


def ticks(picture: Picture, layout: Layout) -> list[float]:
    """Multiples of a round step that lie on the axis, in seconds from the fault."""
    step = svg.nice_step(picture.end - picture.start, int(layout.plot / layout.tick_room))
    first = -int(-picture.start // step) if picture.start < 0 else int(-(-picture.start // step))
    marks: list[float] = []
    value = first * step
    while value <= picture.end + 1e-9:
        if value >= picture.start - 1e-9:
            marks.append(round(value, 6))
        value += step
    return marks


def _axis(drawing: svg.Drawing, picture: Picture, x: svg.Scale, layout: Layout) -> None:
    left, right, top = layout.left, layout.left + layout.plot, layout.axis
    drawing.add(svg.line(left, top, right, top, "axis"))
    # The fault's own words come first; others only where they run into nothing.
    order = sorted(ticks(picture, layout), key=lambda mark: (abs(mark) > 1e-9, mark))
    taken: list[tuple[float, float]] = []
    clocks: list[tuple[float, float]] = []
    for mark in order:
        at = x(mark)
        anchor = _anchor(at, left, right)
        drawing.add(svg.line(at, top, at, top + 5, "axis"))
        words = _tick_words(picture, mark)
        if _claim(taken, _extent(at, words, anchor, layout.size)):
            drawing.write(at, top + 18, words, "bold" if abs(mark) < 1e-9 else "", anchor)
        clock = numbers.clock_time(picture.origin + timedelta(seconds=mark))
        if _claim(clocks, _extent(at, clock, anchor, layout.size)):
            drawing.write(at, top + 33, clock, "muted", anchor)


def _tick_words(picture: Picture, mark: float) -> str:
    if abs(mark) < 1e-9:
        return "fault" if picture.fault is not None else numbers.seconds_goal(0)
    return ("+" if mark > 0 else numbers.MINUS) + numbers.seconds_goal(abs(mark))


def _extent(at: float, words: str, anchor: str, size: float) -> tuple[float, float]:
    """From where to where ``words`` will reach, with a little air."""
    width = svg.text_width(words, size) + 6
    start = {"start": at, "middle": at - width / 2, "end": at - width}[anchor]
    return start, start + width


def _claim(taken: list[tuple[float, float]], wanted: tuple[float, float]) -> bool:
    """Whether nothing is there yet; if so it is taken now."""
    if any(start < wanted[1] and wanted[0] < end for start, end in taken):
        return False
    taken.append(wanted)
    return True


def _anchor(at: float, left: float, right: float) -> str:
    if at - left < 24:
        return "start"
    return "end" if right - at < 24 else "middle"

"""Small multiples of the history: one number of one experiment over a time axis that all of them share. Pure SVG."""

from __future__ import annotations

from datetime import datetime, timedelta

from blackstart.journals import numbers
from blackstart.reports import svg
from blackstart.reports.history_trends import Line, Mark

WIDTH, HEIGHT = 320.0, 104.0
LEFT, RIGHT, TOP, BOTTOM = 8.0, 212.0, 12.0, 74.0
ARM = 3.4
CLOSE = 13.0
"""Labels nearer to each other than this would overlap."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def draw(line: Line, start: datetime, end: datetime, key: str) -> str:
    """``key`` makes the picture's ids unique on its page. Values have a scale of their own, whose lower end is the
    least value or 0, whatever is nearer."""
    values = [mark.value for mark in line.marks] + ([line.target] if line.target is not None else [])
    low, high = min(values), max(values)
    if line.at_most and low < 0.5 * high:
        low = 0.0
    spread = (high - low) or abs(high) or 1.0
    y = svg.Scale(low - 0.04 * spread, high + 0.04 * spread, BOTTOM, TOP)
    x = svg.Scale(start.timestamp(), end.timestamp(), LEFT, RIGHT)
    made = svg.Drawing()
    points = [(x(mark.at.timestamp()) if end > start else (LEFT + RIGHT) / 2, y(mark.value)) for mark in line.marks]
    if len(points) > 1:
        made.add(svg.polyline(points, "trend-line"))
    if line.target is not None:
        made.add(svg.line(LEFT - 6, y(line.target), RIGHT + 8, y(line.target), "trend-goal"))
    for (left, top), mark in zip(points, line.marks, strict=True):
        made.add(_mark(left, top, mark))
    _labels(made, line, y)
    first, last = dates(start, end)
    made.write(LEFT - 6, HEIGHT - 8, first, "muted")
    if last:
        made.write(RIGHT + 6, HEIGHT - 8, last, "muted", "end")
    body = "".join(made.shapes + made.words)
    return svg.figure(body, (WIDTH, HEIGHT), f"{line.experiment}: {line.title}", described(line), key, "trend")


def _labels(made: svg.Drawing, line: Line, y: svg.Scale) -> None:
    newest = line.marks[-1]
    at = y(newest.value)
    if line.target is not None:
        goal = y(line.target)
        if abs(goal - at) < CLOSE:
            at = goal + CLOSE if at >= goal else goal - CLOSE
        made.write(RIGHT + 11, goal + 4, line.goal, "muted")
    made.write(
        RIGHT + 11, at + 4, line.newest.replace("more than ", "> "), "bold bad" if newest.met == "missed" else "bold"
    )


def _mark(x: float, y: float, mark: Mark) -> str:
    """A dot, a cross or a ring: not by colour alone."""
    if mark.met == "missed":
        arms = ((-ARM, -ARM, ARM, ARM), (-ARM, ARM, ARM, -ARM))
        return "".join(svg.line(x + a, y + b, x + c, y + d, "trend-missed") for a, b, c, d in arms)
    css = "trend-met" if mark.met == "met" else "trend-unsure"
    return svg.tag("circle", cx=x, cy=y, r=ARM, css=css)


def described(line: Line) -> str:
    """The same for people who hear it: the newest numbers, oldest of them first."""
    words = {"met": "", "missed": " (missed)", "unsure": " (inconclusive)"}
    told = [f"{numbers.day(mark.at)} {line.words(mark)}{words[mark.met]}" for mark in line.marks[-6:]]
    goal = f" Objective {line.goal}." if line.goal else ""
    return f"{numbers.plural(line.drills, 'drill')}, the last {len(told)} with this number: {'; '.join(told)}.{goal}"


def dates(start: datetime, end: datetime) -> tuple[str, str]:
    """What the ends of the axis are called: months, days or times of day, whatever tells them apart."""
    span = end - start
    if span >= timedelta(days=60):
        shown = [f"{_MONTHS[each.month - 1]} {each.year}" for each in (start, end)]
    elif span >= timedelta(days=2):
        shown = [f"{each.day} {_MONTHS[each.month - 1]}" for each in (start, end)]
    else:
        shown = [f"{each.day} {_MONTHS[each.month - 1]}, {each:%H:%M}Z" for each in (start, end)]
    return (shown[0], shown[1]) if shown[0] != shown[1] else (shown[0], "")

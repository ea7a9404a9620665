"""The rows of the big picture around latency. Each draws the data on the time scale, from its own top edge down."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from blackstart.journals import numbers
from blackstart.reports import svg
from blackstart.reports.picture import Column, Picture, Ribbon, clusters, ribbons

SERVED_HEIGHT = 20.0
REQUESTS_HEIGHT = 53.0
LEAST_MARK = 4.0  # a column with a single failure among thousands must still be seen


def steps(drawing: svg.Drawing, picture: Picture, x: svg.Scale, top: float) -> None:
    """The numbered steps from fault to recovery; two greys in turn, so that neighbours can be told apart."""
    for number, step in enumerate(picture.steps, start=1):
        left, right = x(step.start), x(step.end)
        drawing.add(svg.rect(left, top, right - left - 0.8, 13, "step-even" if number % 2 else "step-odd"))
        if right - left >= 11:
            drawing.write((left + right) / 2, top + 10.4, str(number), "on-step", "middle")


def served_by(drawing: svg.Drawing, picture: Picture, x: svg.Scale, top: float, *, size: float) -> None:
    """Who answered: one colour a region, hatched where nobody did, pale where only some requests were served."""
    for stretch in ribbons(picture.columns, picture.regions):
        left, width = x(stretch.start), x(stretch.end) - x(stretch.start)
        drawing.add(svg.rect(left, top, width, SERVED_HEIGHT, f"region-{colour(stretch, picture)}"))
        if not stretch.region:
            drawing.add(svg.rect(left, top + 0.5, width, SERVED_HEIGHT - 1, "nobody"))
        names = [stretch.region, short_name(stretch.region, picture.regions)] if stretch.region else ["nobody"]
        fitting = [name for name in names if svg.text_width(name, size, bold=True) + 6 <= width]
        if fitting:
            css = f"bold on-{colour(stretch, picture)}"
            drawing.write(left + width / 2, top + 14.4, fitting[0], css, "middle")


def colour(stretch: Ribbon, picture: Picture) -> str:
    """``nobody``, ``home``, ``other`` or ``third``; with ``-pale`` where only part of the requests were served."""
    if not stretch.region:
        return "nobody"
    others = [region for region in picture.regions if region != picture.home]
    known = {picture.home: "home", **dict.fromkeys(others[:1], "other")}
    name = known.get(stretch.region, "third")
    return name if stretch.whole else f"{name}-pale"


def short_name(region: str, regions: Sequence[str]) -> str:
    """What tells ``region`` apart from the others: us-east-1 beside us-west-2 is ``east-1``."""
    others = [name.split("-") for name in regions if name != region]
    parts = region.split("-")
    while len(parts) > 1 and others and all(other[:1] == parts[:1] for other in others):
        parts, others = parts[1:], [other[1:] for other in others]
    return "-".join(parts)


def requests(drawing: svg.Drawing, picture: Picture, x: svg.Scale, top: float, *, size: float) -> None:
    """Succeeding requests as a filled row from which failures hang down; isolated ones get a triangle and a count."""
    bottom = top + REQUESTS_HEIGHT
    drawing.write(x.start - 7, top + 4, f"100{numbers.NBSP}%" if x.start > 60 else "100", "", "end")
    drawing.write(x.start - 7, bottom + 4, "0", "", "end")
    for left, right in _with_data(picture.columns):
        drawing.add(svg.rect(x(left), top, x(right) - x(left), REQUESTS_HEIGHT, "success"))
    for failing, stretch in groupby(picture.columns, key=lambda column: column.failed > 0):
        if failing:
            drawing.add(_hanging(list(stretch), x, top))
    _isolated(drawing, picture, x, top - 3, size=size)


def _hanging(columns: Sequence[Column], x: svg.Scale, top: float) -> str:
    """Failures of neighbouring columns as one shape, so that no seams show."""
    points = [(x(columns[0].start), top)]
    for column in columns:
        bottom = top + max(REQUESTS_HEIGHT * column.failed / column.n, LEAST_MARK)
        points += [(x(column.start), bottom), (x(column.end), bottom)]
    return svg.polygon([*points, (x(columns[-1].end), top)], "failure")


def _with_data(columns: Sequence[Column]) -> list[tuple[float, float]]:
    runs: list[tuple[float, float]] = []
    for column in columns:
        if column.n == 0:
            continue
        if runs and column.start - runs[-1][1] < 1e-6:
            runs[-1] = (runs[-1][0], column.end)
        else:
            runs.append((column.start, column.end))
    return runs


def _isolated(drawing: svg.Drawing, picture: Picture, x: svg.Scale, tip: float, *, size: float) -> None:
    """Marks over failures outside the outage; words only where they run into no line, mark or other word."""
    per_pixel = (picture.end - picture.start) / max(x.end - x.start, 1)
    found = [(cluster, x((cluster.start + cluster.end) / 2)) for cluster in clusters(picture, gap=12 * per_pixel)]
    lines = [x(moment) for moment in (0.0, picture.recovered, picture.undone_from) if moment is not None]
    taken = [*((line - 1, line + 1) for line in lines), *((at - 6, at + 6) for _, at in found), (-x.end, x.start)]
    for cluster, at in found:
        drawing.add(svg.down_triangle(at, tip, "failure"))
        words = f"{numbers.count(cluster.failed)} failed"
        width = svg.text_width(words, size, bold=True)
        for start, anchor, edge in ((at + 7, "start", at + 7), (at - 7 - width, "end", at - 7)):
            free = not any(left < start + width and start < right for left, right in taken)
            if free and start + width <= x.end:
                drawing.write(edge, tip, words, "bold bad", anchor)
                taken.append((start, start + width))
                break


def lost_writes(drawing: svg.Drawing, picture: Picture, x: svg.Scale, top: float, *, size: float) -> None:
    """One tall tick for each lost write at the moment it was acknowledged, with the count beside."""
    middle = top + 8
    drawing.add(svg.line(x.start, middle, x.end, middle, "grid"))
    if not picture.lost:
        drawing.write(x.start + 2, middle + 4, picture.lost_text, "muted halo")
        return
    drawing.add(*(svg.rect(x(moment) - 0.7, top - 2, 1.4, 20, "failure") for moment in picture.lost))
    first, last = x(min(picture.lost)), x(max(picture.lost))
    drawing.add(svg.down_triangle(last, top - 3, "failure"))
    if first - 8 - svg.text_width(picture.lost_text, size, bold=True) >= 100:
        drawing.write(first - 8, middle + 4, picture.lost_text, "bold bad halo", "end")
    else:
        drawing.write(last + 8, middle + 4, picture.lost_text, "bold bad halo")


def fault_bar(drawing: svg.Drawing, picture: Picture, x: svg.Scale, top: float, *, size: float) -> None:
    """How long the fault was in place; its words inside the bar if they fit, else after it."""
    if picture.fault is None:
        drawing.write(x.start + 2, top + 12, "no fault was injected", "muted")
        return
    left, right = x(0.0), x(picture.fault_end)
    drawing.add(svg.rect(left, top + 3, max(right - left, 2), 11, "failure"))
    width = svg.text_width(picture.fault_text, size - 1.5, bold=True)
    if width + 16 <= right - left:
        drawing.write(left + 14, top + 12, picture.fault_text, "on-failure small")
    elif width + 8 <= x.end - right:
        drawing.write(right + 6, top + 13, picture.fault_text, "bold bad small")

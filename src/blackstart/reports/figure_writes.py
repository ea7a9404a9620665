"""The last moments of acknowledged writes before the fault: lost ones tall. Pure SVG."""

from __future__ import annotations

from collections.abc import Sequence

from blackstart.journals import numbers
from blackstart.reports import svg

HEIGHT = 66.0
BASE = 46.0
MOST_TICKS = 400


def window(lost: Sequence[float]) -> float:
    """How many seconds before the fault are shown: at least one, and a little more than the oldest lost write."""
    oldest = max((-at for at in lost), default=0.0)
    return max(1.0, oldest * 1.15)


def draw(kept: Sequence[float], lost: Sequence[float], key: str, width: float) -> str:
    """``kept`` and ``lost``: when acknowledged, in seconds from the fault (so mostly negative)."""
    first = -window(lost)
    room = 58.0
    last = max([0.0, *(at * 1.1 for at in lost)])
    x = svg.Scale(first, last, 8.0, width - room)
    shown = [at for at in kept if first <= at <= last]
    # With thousands of writes the ticks would merge anyway; every n-th keeps their spacing honest.
    thin = shown[:: max(-(-len(shown) // MOST_TICKS), 1)]
    parts = [svg.line(x(at), 23, x(at), 36, "write-kept") for at in thin]
    for at in lost:
        if first <= at <= last:
            parts += [svg.rect(x(at) - 1, 14, 2, 26, "failure"), svg.down_triangle(x(at), 14, "failure")]
    parts += [svg.line(x(0), 6, x(0), BASE, "line-fault"), svg.text(x(0) + 4, 11, "fault", "bold bad small")]
    parts.append(svg.line(8, BASE, width, BASE, "axis"))
    step = svg.nice_step(last - first, int((width - room) / 90))
    mark = step * int(last / step)
    while mark >= first - 1e-9:
        anchor = "start" if x(mark) < 30 else "middle"
        sign = "" if abs(mark) < 1e-9 else "+" if mark > 0 else numbers.MINUS
        label = sign + numbers.seconds_goal(abs(round(mark, 3)))
        parts += [svg.line(x(mark), BASE, x(mark), BASE + 4, "axis"), svg.text(x(mark), BASE + 17, label, "", anchor)]
        mark -= step
    title, body = "Writes acknowledged just before the fault", "".join(parts)
    return svg.figure(body, (width, HEIGHT), title, _words(shown, lost), f"writes-{key}", f"writes {key}")


def _words(shown: Sequence[float], lost: Sequence[float]) -> str:
    return f"{numbers.plural(len(shown), 'write')} kept and {numbers.plural(len(lost), 'write')} lost before the fault."

"""Small pieces of SVG as text. Everything from outside is escaped here; colours are classes: the page decides them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

Point = tuple[float, float]


def number(value: float) -> str:
    """A coordinate to a tenth of a pixel, without trailing zeros."""
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def tag(name: str, content: str = "", **attributes: str | float) -> str:
    """One element. Underscores in attribute names become hyphens; ``css`` is ``class``."""
    parts = [name]
    for key, value in attributes.items():
        label = "class" if key == "css" else key.replace("_", "-")
        shown = value if isinstance(value, str) else number(value)
        parts.append(f'{label}="{escape(shown, quote=True)}"')
    return f"<{' '.join(parts)}>{content}</{name}>" if content else f"<{' '.join(parts)}/>"


def rect(x: float, y: float, width: float, height: float, css: str) -> str:
    return tag("rect", x=x, y=y, width=max(width, 0), height=max(height, 0), css=css)


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> str:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, css=css)


def text(x: float, y: float, words: str, css: str = "", anchor: str = "start") -> str:
    attributes: dict[str, str | float] = {"x": x, "y": y}
    if css:
        attributes["css"] = css
    if anchor != "start":
        attributes["text_anchor"] = anchor
    return tag("text", escape(words), **attributes)


def polyline(points: Sequence[Point], css: str) -> str:
    return path("M" + "L".join(f"{number(x)} {number(y)}" for x, y in points), css)


def polygon(points: Sequence[Point], css: str) -> str:
    return path("M" + "L".join(f"{number(x)} {number(y)}" for x, y in points) + "Z", css)


def path(commands: str, css: str) -> str:
    return tag("path", d=commands, css=css)


def down_triangle(x: float, y: float, css: str, size: float = 4) -> str:
    """A triangle whose tip points down to (x, y)."""
    return polygon([(x - size, y - 1.5 * size), (x + size, y - 1.5 * size), (x, y)], css)


def text_width(words: str, size: float = 12, bold: bool = False) -> float:
    """About how wide ``words`` will be, on the safe side: fonts differ from reader to reader."""
    return len(words) * size * (0.66 if bold else 0.6)


def figure(body: str, size: tuple[float, float], title: str, description: str, key: str, css: str) -> str:  # noqa: PLR0917
    """A whole picture with its title and description for people who hear it. ``key`` makes the ids unique."""
    head = tag("title", escape(title), id=f"{key}-title") + tag("desc", escape(description), id=f"{key}-desc")
    box = f"0 0 {number(size[0])} {number(size[1])}"
    labels = f"{key}-title {key}-desc"
    return tag("svg", head + body, viewBox=box, role="img", aria_labelledby=labels, css=css)


@dataclass
class Drawing:
    """A picture in the making: ``words`` lie above all ``shapes``, so that no line crosses them out."""

    shapes: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def write(self, x: float, y: float, words: str, css: str = "", anchor: str = "start") -> None:
        self.words.append(text(x, y, words, css, anchor))

    def add(self, *shapes: str) -> None:
        self.shapes.extend(shapes)


@dataclass(frozen=True)
class Scale:
    """A straight map from [low, high] to pixels [start, end]; values outside are clamped."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        if self.high <= self.low:
            return self.start
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


@dataclass(frozen=True)
class LogScale:
    """Like Scale, for values above zero, with equal ratios equally far apart."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        inner = Scale(math.log(self.low), math.log(self.high), self.start, self.end)
        return inner(math.log(max(value, self.low)))


def nice_step(span: float, room: int) -> float:
    """A step of 1, 2, 3, 5, 10, 15, 30 … seconds that puts at most ``room`` ticks on ``span`` seconds."""
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200)
    for step in steps:
        if span / step <= max(room, 1):
            return step
    return steps[-1] * math.ceil(span / steps[-1] / max(room, 1))

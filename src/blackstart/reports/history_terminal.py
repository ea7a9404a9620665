"""The history on the terminal: how things stand, what must be drilled, what got worse, the newest drills."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.text import Text

from blackstart.journals import numbers
from blackstart.journals.coverage import Catalogue, Cell, State, cells
from blackstart.journals.index import Row
from blackstart.reports import history_words as words
from blackstart.reports.history_trends import Line, called, lines, noise_words
from blackstart.reports.history_view import square
from blackstart.reports.plain import WIDTH, ascii_text

NEWEST = 10
MOST_DAMAGED = 10
MOST_WORSE = 10
_STYLES = {"passed": "", "failed": "bold red", "inconclusive": "dim", "stale": "red", "never": "dim"}

Told = Iterator[tuple[str, str]]
"""Lines with their style."""


def told(
    rows: Sequence[Row], catalogue: Catalogue | None, now: datetime, experiment: str, ascii_only: bool = False
) -> Text:
    """At most 80 columns; words and signs carry the meaning, colour only underlines it. ``experiment``: the only one
    in ``rows``, of which all drills are shown then; "" for all."""
    found = cells(catalogue, rows, now) if catalogue else ()
    text = Text(no_wrap=True)
    for line, style in _all(rows, found, now, experiment):
        text.append(ascii_text(line.rstrip(), ascii_only) + "\n", style)
    text.rstrip()
    return text


def _all(rows: Sequence[Row], found: Sequence[Cell], now: datetime, experiment: str) -> Told:
    bold, rest = words.below(found, rows, now)
    yield from _wrapped(words.headline(found, rows), "", "bold")
    yield from _wrapped(f"{bold} {rest}".strip(), "")
    yield from _coverage(found, now)
    trends = lines(rows)
    yield from _changes(trends)
    if experiment:
        yield from _trends(trends)
    yield from _drills([row for row in rows if row.started is not None], None if experiment else NEWEST)
    yield from _damaged([row for row in rows if row.problem])


def _coverage(found: Sequence[Cell], now: datetime) -> Told:
    if not found:
        return
    yield "", ""
    system = ""
    for cell in sorted(found, key=lambda each: [one.entry.system for one in found].index(each.entry.system)):
        name = cell.entry.system if cell.entry.system != system else ""
        system = cell.entry.system
        shown = square(cell, now, lambda row: "")
        head = f"  {_fit(name, 19)} {shown.glyph or '·'} {_fit(cell.entry.failure, 13)} {_fit(shown.word, 15)} "
        about = "; ".join(part for part in (_number(cell, shown.number), shown.age) if part)
        style = "red" if shown.late else _STYLES[shown.css]
        yield from _wrapped(about, head, style)


def _number(cell: Cell, text: str) -> str:
    return "" if cell.state is State.NEVER else text


def _changes(trends: Sequence[Line]) -> Told:
    changed = [line for line in trends if line.reading.word in ("worse", "better")]
    if not changed:
        return
    yield "", ""
    yield "Beyond noise, newest against the last five", "bold"
    worst = sorted(changed, key=lambda line: line.reading.word == "better")
    for line in worst[:MOST_WORSE]:
        bad = line.reading.word == "worse"
        head = f"  {'✕' if bad else '✓'} {line.reading.word.ljust(7)}"
        yield from _wrapped(
            f"{called(line, trends)}: {line.title} {line.newest}; {noise_words(line)}", head, "red" if bad else ""
        )
    yield from _more(len(changed) - MOST_WORSE)


def _trends(trends: Sequence[Line]) -> Told:
    if not trends:
        return
    yield "", ""
    yield "Each number, oldest first", "bold"
    for line in trends:
        marks = {"met": "", "missed": "✕", "unsure": "?"}
        shown = [f"{line.words(mark)}{marks[mark.met]}".replace(" ", numbers.NBSP) for mark in line.marks[-6:]]
        goal = f" ({line.goal})" if line.goal else ""
        yield from _wrapped(f"{', '.join(shown)}{goal}: {line.reading.word}", f"    {_fit(line.title, 17)} ")


def _drills(known: Sequence[Row], most: int | None) -> Told:
    newest = list(reversed(known))
    if not newest:
        return
    yield "", ""
    yield "Newest drills" if most else "Drills, newest first", "bold"
    for row in newest[:most]:
        when = f"{row.started:%Y-%m-%d %H:%MZ}" if row.started is not None else "–"
        head = f"  {words.glyph(row)} {when}  {_fit(row.experiment or row.folder, 24)} "
        yield from _wrapped(_verdict(row), head, _STYLES.get(row.verdict, "red"))
    yield from _more(len(newest) - most if most else 0)


def _verdict(row: Row) -> str:
    return f"{words.word(row) or 'no verdict'}; {words.decisive(row)}".rstrip("; ")


def _damaged(damaged: Sequence[Row]) -> Told:
    if not damaged:
        return
    yield "", ""
    yield "Damaged journals, which count for nothing", "bold"
    for row in damaged[:MOST_DAMAGED]:
        folder = row.folder.encode(errors="replace").decode()
        yield from _wrapped(f"{folder}: {row.problem}", "  ! ")
    yield from _more(len(damaged) - MOST_DAMAGED)


def _more(many: int) -> Told:
    if many > 0:
        yield f"    and {numbers.count(many)} more", "dim"


def _fit(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"


def _wrapped(text: str, head: str, style: str = "") -> Told:
    below = " " * min(len(head), 24)
    for line in textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=below, break_on_hyphens=False) or [
        head
    ]:
        yield line, style

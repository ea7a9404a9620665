"""Everything that the history's template prints, computed beforehand. Pure: the template only arranges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from blackstart.journals import numbers
from blackstart.journals.coverage import Catalogue, Cell, State, cells
from blackstart.journals.index import Row
from blackstart.reports import figure_history
from blackstart.reports import history_words as words
from blackstart.reports.history_trends import Line, called, lines, noise_words

MOST_PANELS = 24
MOST_DRAWN = 240
MOST_DRILLS = 1000
FIRST_DRILLS = 50
MOST_DAMAGED = 200
MOST_WORSE = 40
CSS = {State.FAILING: "failed", State.NEVER: "never", State.STALE: "stale", State.INCONCLUSIVE: "inconclusive",
       State.PROVEN: "passed"}  # fmt: skip
GLYPH = {State.FAILING: "✕", State.NEVER: "", State.STALE: "✓", State.INCONCLUSIVE: "?", State.PROVEN: "✓"}

Link = Callable[[Row], str]


@dataclass(frozen=True)
class Square:
    """One cell of the matrix; ``css`` is "none" where the catalogue asks for nothing."""

    failure: str
    css: str = "none"
    glyph: str = ""
    word: str = ""
    number: str = ""
    age: str = ""
    late: bool = False
    title: str = ""
    link: str = ""


@dataclass(frozen=True)
class Panel:
    """``svg`` is markup made here, safe to embed."""

    title: str
    goal: str
    svg: str


@dataclass(frozen=True)
class Change:
    """One number that got worse, or better, beyond noise."""

    what: str
    number: str
    newest: str
    before: str
    word: str
    bad: bool
    link: str


@dataclass(frozen=True)
class DrillLine:
    """One drill in the list of all."""

    when: str
    experiment: str
    where: str
    css: str
    glyph: str
    word: str
    number: str
    link: str


@dataclass(frozen=True)
class View:
    """The template's whole world."""

    title: str
    meta: str
    css: str
    headline: str
    bold: str
    rest: str
    failures: Sequence[str]
    systems: Sequence[tuple[str, Sequence[Square]]]
    listed: Sequence[tuple[str, Square]]
    changes: Sequence[Change]
    more_changes: int
    panels: Sequence[Panel]
    more_panels: Sequence[Panel]
    drills: Sequence[DrillLine]
    more_drills: Sequence[DrillLine]
    untold: str
    damaged: Sequence[tuple[str, str]]
    more_damaged: int


MOST_COLUMNS = 8
"""More failures than this do not fit beside each other: then the pairs are listed."""


def view(rows: Sequence[Row], catalogue: Catalogue | None, now: datetime, link: Link) -> View:
    """``rows`` as ``index.read`` gives them. ``link``: where a drill's report is; "" for none."""
    found = cells(catalogue, rows, now) if catalogue else ()
    head = words.headline(found, rows)
    bold, rest = words.below(found, rows, now)
    known = [row for row in rows if row.started is not None]
    trends = lines(rows)
    failures = list(dict.fromkeys(cell.entry.failure for cell in found))
    newest = list(reversed(known))
    shown = [_drill(row, link) for row in newest[:MOST_DRILLS]]
    changed = [line for line in trends if line.reading.word in ("worse", "better")]
    changed.sort(key=lambda line: line.reading.word == "better")
    panels = _panels(trends)
    return View(
        title=f"Drill history: {head}",
        meta=_meta(rows, known),
        css=_mood(found, rows),
        headline=head,
        bold=bold,
        rest=rest,
        failures=failures if len(failures) <= MOST_COLUMNS else [],
        systems=_systems(found, failures, now, link) if len(failures) <= MOST_COLUMNS else [],
        listed=[] if len(failures) <= MOST_COLUMNS else [(c.entry.system, square(c, now, link)) for c in found],
        changes=[_change(line, called(line, trends), rows, link) for line in changed[:MOST_WORSE]],
        more_changes=max(len(changed) - MOST_WORSE, 0),
        panels=panels[:MOST_PANELS],
        more_panels=panels[MOST_PANELS:],
        drills=shown[:FIRST_DRILLS],
        more_drills=shown[FIRST_DRILLS:],
        untold=_untold(len(newest) - len(shown)),
        damaged=[(row.folder, row.problem) for row in rows if row.problem][:MOST_DAMAGED],
        more_damaged=max(sum(1 for row in rows if row.problem) - MOST_DAMAGED, 0),
    )


def _meta(rows: Sequence[Row], known: Sequence[Row]) -> str:
    many = numbers.plural(len(rows), "drill")
    starts = [row.started for row in known if row.started is not None]
    if not starts:
        return many
    first, last = numbers.day(starts[0]), numbers.day(starts[-1])
    return f"{many} · {first if first == last else f'{first} to {last}'} UTC"


def _mood(found: Sequence[Cell], rows: Sequence[Row]) -> str:
    """As the verdict of a drill is shown: failed if anything fails or is overdue, inconclusive if anything is."""
    states = {cell.state for cell in found}
    if any(cell.alarming for cell in found):
        return "failed"
    if not found:
        last = {row.series: row for row in rows}
        if any(row.verdict == "failed" for row in last.values()):
            return "failed"
        return "inconclusive"
    return "passed" if states == {State.PROVEN} else "inconclusive"


def _systems(
    found: Sequence[Cell], failures: Sequence[str], now: datetime, link: Link
) -> list[tuple[str, list[Square]]]:
    by_system: dict[str, dict[str, Cell]] = {}
    for cell in found:
        by_system.setdefault(cell.entry.system, {})[cell.entry.failure] = cell
    return [
        (system, [square(its[failure], now, link) if failure in its else Square(failure) for failure in failures])
        for system, its in by_system.items()
    ]


def square(cell: Cell, now: datetime, link: Link) -> Square:
    """One pair as the matrix shows it: what decided it, and the newest drill's number and age."""
    entry, newest = cell.entry, cell.newest
    if newest is None:
        age = words.cell_age(cell, now)
        return Square(entry.failure, "never", "", "never drilled", "", age, entry.required, _asked(cell))
    told = cell.decided if cell.state is State.FAILING and cell.decided is not None else newest
    return Square(
        entry.failure,
        CSS[cell.state],
        GLYPH[cell.state],
        words.cell_word(cell),
        "" if words.word(told) == "cut off" else words.decisive(told),
        words.cell_age(cell, now),
        cell.overdue and entry.required,
        f"{told.experiment}: {told.reason}" if told.reason else _asked(cell),
        link(told),
    )


def _asked(cell: Cell) -> str:
    experiments = ", ".join(cell.entry.experiments)
    return f"drilled by {experiments}" if experiments else "no experiment drills it yet"


def _change(line: Line, name: str, rows: Sequence[Row], link: Link) -> Change:
    reading = line.reading
    row = reading.newest.row if reading.newest is not None else rows[-1]
    return Change(
        what=name,
        number=line.title,
        newest=line.newest,
        before=noise_words(line) + ("; the newest is inconclusive" if row.verdict == "inconclusive" else ""),
        word=reading.word,
        bad=reading.word == "worse",
        link=link(row),
    )


def _panels(trends: Sequence[Line]) -> list[Panel]:
    drawn = trends[:MOST_DRAWN]
    times = [mark.at for line in drawn for mark in line.marks]
    return [
        Panel(
            title=f"{called(line, trends)}: {line.title}",
            goal=_goal(line),
            svg=figure_history.draw(line, min(times), max(times), f"trend-{number}"),
        )
        for number, line in enumerate(drawn)
    ]


def _goal(line: Line) -> str:
    goal = f"objective {line.goal}" if line.goal else "no objective"
    return f"{goal} · {line.reading.word}" if line.reading.word in ("worse", "better") else goal


def _drill(row: Row, link: Link) -> DrillLine:
    css = "damaged" if row.problem else row.verdict or "damaged"
    when = f"{numbers.day(row.started)} {row.started:%H:%M}Z" if row.started is not None else "–"
    where = " · ".join(each for each in (row.service, row.environment) if each)
    return DrillLine(
        when, row.experiment or row.folder, where, css, words.glyph(row), words.word(row) or "no verdict",
        words.decisive(row), link(row),
    )  # fmt: skip


def _untold(more: int) -> str:
    if more <= 0:
        return ""
    return f"And {numbers.plural(more, 'older drill')}: `blackstart history --json` tells them all."

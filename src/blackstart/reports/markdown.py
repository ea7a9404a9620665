"""The report of a drill as Markdown, fit for a pull request or the summary of a CI job. Pure.

It says what the page says, in the page's words; the pictures become a line of blocks and tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from blackstart.reports.trust import Line
from blackstart.reports.view import View

MOST_CHANGES = 30
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~$&]|^[-+=#]|^\d+(?=[.)]\s))")
# What sites like GitHub turn into a mention or a link after the markup is done, whatever was escaped.
_LINKED = re.compile(r"([@#](?=\w)|\b(?:https?|ftp|mailto):(?=\S)|\bwww(?=\.))", re.IGNORECASE)
NOTHING = "\u200b"  # a space without width
Cells = Sequence[str]


def document(view: View) -> str:
    """The whole file. Text from a journal stays text: nothing in it can become a heading, a link, a mention or HTML."""
    parts = [
        *_head(view),
        *_objectives(view),
        *_happened(view),
        *_steps(view),
        *_data(view),
        *_changes(view),
        *_section("Planned, and did not happen", view.unheld.sentence, _lines(view.unheld.lines)),
        *_compared(view),
        *_trust(view),
        *_section("Environment", "", _lines(view.setting)),
        *_folded("Evidence", _lines(view.evidence)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str) -> str:
    """``text`` as one line in which nothing is markup."""
    plain = _LINKED.sub(rf"\1{NOTHING}", " ".join(text.split()))
    return _SPECIAL.sub(_escape, plain)


def _escape(found: re.Match[str]) -> str:
    text = found.group(1)
    return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(text) or (f"\\{text}" if not text[0].isdigit() else f"{text}\\")


def _head(view: View) -> Iterator[str]:
    if view.warning:
        ways = "".join(f"  \n{escaped(words)} {_code(command)}" for words, command in view.ways_out)
        yield f"> **✕ Not everything is put back.** {escaped(view.warning)}{ways}".replace("\n", "\n> ")
    yield f"# {view.glyph} {view.word.upper()}: {escaped(view.reason)}"
    yield " · ".join(map(escaped, view.meta))
    undo = " ".join(part for part in (view.undo_bold, view.undo_rest) if part)
    yield f"**{escaped(view.met)}** {escaped(view.failed)} {escaped(undo)}"


def _objectives(view: View) -> Iterator[str]:
    yield "## Objectives"
    if not view.objectives:
        yield "No objective is set, so nothing could be met or missed."
        return
    rows = [(row.title, row.measured, row.required, row.result, row.margin) for row in view.objectives]
    yield _table(("Objective", "Measured", "Required", "Result", "Margin"), rows, right=(1, 2))


def _happened(view: View) -> Iterator[str]:
    yield "## What happened"
    yield escaped(view.happened)
    if view.strip:
        yield f"```text\n{view.strip}\n```"
    rows = [(r.since, r.n, r.failed, r.timed_out, r.served_by, r.median, r.p95, r.slowest) for r in view.numbers]
    heads = ("From", "Requests", "Failed", "No answer", "Served by", "Median", "p95", "Slowest")
    if rows:
        yield from _folded("The numbers over time", _table(heads, rows, right=(0, 1, 2, 3, 5, 6, 7)))


def _steps(view: View) -> Iterator[str]:
    if view.steps is None:
        return
    steps = view.steps
    rows = [(f"{r.number} {r.name}".strip(), r.took, r.share, r.note or r.meaning) for r in (*steps.rows, steps.total)]
    yield f"## {escaped(view.steps_title)}"
    yield escaped(view.steps_sentence)
    yield _table(("Step", "Took", "Share", "Seen by"), rows, right=(1, 2))


def _data(view: View) -> Iterator[str]:
    yield f"## {escaped(view.data_title)}"
    yield escaped(view.data_sentence)
    if view.terms:
        yield " ".join(f"{term.sign} **{escaped(term.number)}** {escaped(term.words)}".strip() for term in view.terms)
    if view.lost:
        rows = [(row.key, row.acknowledged, row.before, row.region, row.checked) for row in view.lost]
        told = _table(("Write", "Acknowledged", "From fault", "By", "Checked"), rows, right=(1, 2))
        yield from _folded(f"{view.lost_total:,} lost", told)


def _changes(view: View) -> Iterator[str]:
    yield f"## {escaped(view.changes_title)}"
    yield escaped(view.changes_sentence)
    rows = [(r.made, f"{r.sign} {r.summary}", r.by, r.undone, r.verified) for r in view.changes]
    if rows:
        yield _table(("Made", "Change", "By", "Undone", "Verified"), rows[:MOST_CHANGES])
    more = len(rows) - len(rows[:MOST_CHANGES]) + len(view.more_changes)
    if more:
        yield f"{more:,} more are in report.html."
    yield _lines(view.proof)


def _compared(view: View) -> Iterator[str]:
    compared = view.compared
    rows = [(r.title, r.now, r.last, r.change, r.reading, r.runs) for r in compared.rows]
    heads = ("Measure", "Now", "Last", "Change", "Reading", "Last runs")
    yield f"## {escaped(compared.title)}"
    yield escaped(compared.sentence)
    if rows:
        yield _table(heads, rows, right=(1, 2, 3))
    yield _lines(compared.changed)


def _trust(view: View) -> Iterator[str]:
    yield "## Can this result be trusted?"
    yield escaped(view.trusted)
    if view.doubts:
        yield "\n".join(f"- {escaped(doubt)}" for doubt in view.doubts)
    yield from _folded("Every check", _lines(view.checks))


def _section(title: str, sentence: str, body: str) -> Iterator[str]:
    yield f"## {title}"
    yield escaped(sentence)
    yield body


def _folded(title: str, body: str) -> Iterator[str]:
    if body:
        yield f"<details><summary>{escaped(title)}</summary>"
        yield body
        yield "</details>"


def _lines(lines: Sequence[Line]) -> str:
    """A list; lines without a label go with the one above."""
    return "\n".join(
        f"{'-' if line.label else '  -'} {f'**{escaped(line.label)}**: ' if line.label else ''}"
        f"{f'{line.glyph} ' if line.glyph else ''}{escaped(line.words)}"
        for line in lines
    )


def _table(heads: Cells, rows: Sequence[Cells], right: Sequence[int] = ()) -> str:
    rule = ["--:" if place in right else "---" for place in range(len(heads))]
    body = [[escaped(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in ([escaped(head) for head in heads], rule, *body))


def _code(command: str) -> str:
    return f"`{command.replace('`', chr(39))}`"

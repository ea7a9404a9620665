"""The outcome of a drill on the terminal: verdict and reason, a short table, what was put back, where the report is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

from blackstart.journals import numbers
from blackstart.journals.measure import Measured
from blackstart.journals.objectives import Result
from blackstart.journals.users import hurt
from blackstart.journals.verdict import Verdict, Word
from blackstart.reports import crowd, journey_lines, ledger_rows, noticed, proof, regions, sentences, tables
from blackstart.reports.plain import WIDTH, ascii_text, speaks_unicode

NAME, VALUE, REQUIRED = 18, 16, 12
_STYLES = {Word.PASSED: "bold", Word.FAILED: "bold red", Word.INCONCLUSIVE: "bold dim"}


def show(console: Console, measured: Measured, verdict: Verdict, report: Path | None) -> None:
    """Print the outcome on ``console`` (which knows whether it may use colours)."""
    console.print(final(measured, verdict, report, ascii_only=not speaks_unicode(console)), soft_wrap=True)


def final(measured: Measured, verdict: Verdict, report: Path | None, ascii_only: bool = False) -> Text:
    """At most 80 columns; words and signs carry the meaning, colour only underlines it."""
    text = Text(no_wrap=True)
    for warning in _wrapped(sentences.leftover_warning(measured), "NOT PUT BACK  "):
        text.append(ascii_text(warning, ascii_only) + "\n", "bold red")
    head = f"{verdict.word.upper()}  "
    for number, line in enumerate(_wrapped(verdict.reason, head)):
        text.append(ascii_text(line[: len(head)], ascii_only), _STYLES[verdict.word] if number == 0 else "")
        text.append(ascii_text(line[len(head) :], ascii_only) + "\n", "bold")
    text.append("\n")
    for line, style in (*_objectives(measured, verdict), *_facts(measured, verdict)):
        text.append(ascii_text(line, ascii_only) + "\n", style)
    if report is not None:
        text.append(f"\n  report  {report}\n")
    text.rstrip()
    return text


def _wrapped(words: str, head: str) -> list[str]:
    if not words:
        return []
    return textwrap.wrap(words, WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False)


def _objectives(measured: Measured, verdict: Verdict) -> Iterator[tuple[str, str]]:
    styles = {Result.MET: "", Result.MISSED: "red", Result.INCONCLUSIVE: "dim"}
    for row in tables.objective_rows(measured, verdict):
        yield from _row(row.result[0], row.title.lower(), (row.measured, row.required, row.margin), styles[row.state])


def _facts(measured: Measured, verdict: Verdict) -> Iterator[tuple[str, str]]:
    """What the table of objectives does not say already."""
    judged = {objective.key for objective in verdict.objectives}
    users, result, loss = measured.users, measured.data.result, measured.data.loss
    if result is not None and loss is not None and "lost_writes" not in judged:
        yield from _fact("lost writes", f"{numbers.count(len(result.lost))} of {numbers.count(result.acknowledged)}")
    for count, words, _ in ledger_rows.oddities(result) if result is not None else ():
        yield from _fact("writes", f"{numbers.count(count)} {words}")
    if users is not None:
        failed = f"{numbers.count(hurt(users.whole))} of {numbers.plural(users.whole.planned, 'request')} failed"
        if "availability" not in judged:
            share = numbers.percent(users.whole.ok, users.whole.planned)
            yield from _row(" ", "availability", (share, "", failed), "")
        longest = users.longest
        if "longest_outage_seconds" not in judged:
            shown = numbers.seconds_with_error(longest.seconds, longest.error_seconds) if longest else "none"
            yield from _fact("longest outage", shown)
        took = [
            f"{step.name}{numbers.NBSP}{numbers.seconds(step.seconds)}"
            for step in users.steps
            if step.seconds is not None
        ]
        if len(took) > 1:
            yield from _fact("steps", ", ".join(took))
    for name, words in (
        *regions.facts(measured),
        *journey_lines.facts(users),
        *noticed.facts(measured),
        *crowd.facts(measured),
    ):
        yield from _fact(name, words)
    yield from _fact("undone", _undone(measured))


def _undone(measured: Measured) -> str:
    made, left = len(measured.changes), len(measured.leftovers)
    if not made:
        return "nothing was changed"
    if left:
        way = ", or ".join(command for _, command in proof.ways_out(measured))
        return f"{made - left} of {made} changes; run {way}"
    return f"{made} of {numbers.plural(made, 'change')}, read back, {proof.residue_words(measured)}"


def _fact(name: str, value: str) -> Iterator[tuple[str, str]]:
    head = f"    {name.ljust(NAME)}"
    for line in _wrapped(value, head):
        yield line, ""


def _row(glyph: str, name: str, cells: tuple[str, str, str], style: str) -> Iterator[tuple[str, str]]:
    """One line if it fits; what explains the row goes below where it does not."""
    value, required, margin = cells
    line = f"  {glyph} {name.ljust(NAME)}{value.ljust(VALUE)}{required.ljust(REQUIRED)}"
    if len(line) + len(margin) <= WIDTH:
        yield (line + margin).rstrip(), style
        return
    yield line.rstrip(), style
    for below in _wrapped(margin, " " * (4 + NAME)):
        yield below, style

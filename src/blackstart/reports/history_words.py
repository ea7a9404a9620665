"""What is said of many drills: ages, decisive numbers, the sentence above all. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from blackstart.journals import numbers
from blackstart.journals.coverage import Cell, State, decides
from blackstart.journals.index import Row
from blackstart.journals.index_rows import finite, shown

DAY = timedelta(days=1)
LONGEST = 64
GLYPHS = {"passed": "✓", "failed": "✕", "inconclusive": "?", "": "!"}


def word(row: Row) -> str:
    """What became of a drill, with what was cut off, is not closed or cannot be read told apart."""
    if row.problem:
        return "damaged"
    if row.cut_off and not row.closed:
        return "not closed"
    cut = "cut off" if row.cut_off else ""
    return row.verdict if not cut else cut if row.verdict == "inconclusive" else f"{row.verdict}, {cut}"


def glyph(row: Row) -> str:
    return GLYPHS["" if row.problem else row.verdict]


def age(then: datetime, now: datetime) -> str:
    """``today``, ``yesterday``, ``12 days ago``: by whole days of 24 hours, as intervals are."""
    days = (now - then) // DAY
    if days <= 0:
        return "today"
    return "yesterday" if days == 1 else f"{numbers.plural(days, 'day')} ago"


def days_goal(interval: timedelta) -> str:
    """``90 days``, ``0.5 days``."""
    days = interval / DAY
    return f"{days:.10g}{numbers.NBSP}{'day' if days == 1 else 'days'}"


def value_text(key: str, value: float, unit: str = "") -> str:
    """A measured number in the words of reports."""
    if unit == "share" or key in ("availability",):
        return numbers.share_percent(value)
    if unit == "latency" or key in ("p95_seconds", "p99_seconds"):
        return numbers.latency(value)
    if unit == "writes" or key == "lost_writes":
        return numbers.count(round(value))
    return numbers.seconds(value) if key.endswith("_seconds") or unit == "seconds" else f"{value:.6g}"


def goal_text(key: str, value: float, unit: str = "") -> str:
    """A number that people chose."""
    if unit == "share" or key in ("availability",):
        return numbers.share_goal(value)
    if unit == "latency" or key in ("p95_seconds", "p99_seconds"):
        return numbers.latency_goal(value)
    if unit == "writes" or key == "lost_writes":
        return numbers.count(round(value))
    return numbers.seconds_goal(round(value, 1)) if key.endswith("_seconds") else f"{value:.6g}"


def decisive(row: Row) -> str:
    """The number that decided a drill, or why none did; at most LONGEST characters."""
    if row.problem:
        return _cut(row.problem)
    if row.cut_off and row.verdict != "failed":
        return _cut(row.reason) if row.closed else "still runs, or was killed and left alone"
    if row.verdict == "passed":
        return _went_well(row)
    wanted = False if row.verdict == "failed" else None
    for objective in row.objectives.values():
        text = objective.get("text")
        if objective.get("met") is wanted and isinstance(text, str) and text:
            return _cut(_short(objective, text))
    return _cut(row.reason)


def _short(objective: Mapping[str, Any], text: str) -> str:
    """``Recovery time: 71.2 s, required ≤ 60 s`` is the objective's own text; where no number was measured, what is
    known of it, or why there is none."""
    if objective.get("measured") is not None:
        return text
    low, why = finite(objective.get("low")), objective.get("why")
    if low and objective.get("unit") == "seconds":
        return text.replace("not measured", f"more than {numbers.seconds(low)}", 1)
    return f"{text.partition(':')[0]}: {why}" if isinstance(why, str) and why else text


def _went_well(row: Row) -> str:
    lost = f", {numbers.count(row.lost_writes)} lost" if row.lost_writes else ""
    if row.failed_requests == 0:
        return f"no request failed{lost}"
    if row.rto_seconds:
        return f"recovered in {numbers.seconds(row.rto_seconds)}{lost}"
    if row.availability is not None:
        return f"{numbers.share_percent(row.availability)} of requests served{lost}"
    return _cut(row.reason)


def _cut(text: str) -> str:
    text = shown(text).rstrip(".")
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def headline(cells: Sequence[Cell], rows: Sequence[Row]) -> str:
    """How things stand today, in one sentence."""
    if not rows and not cells:
        return "There is no journal here yet."
    if not cells:
        return _newest(rows)
    many = Counter(cell.state for cell in cells)
    head = f"of {numbers.plural(len(cells), 'system and failure pair')}"
    parts: list[str] = []
    for state, one, more in (
        (State.FAILING, "fails today", "fail today"),
        (State.INCONCLUSIVE, "is inconclusive", "are inconclusive"),
        (State.STALE, "is stale", "are stale"),
        (State.NEVER, "was never drilled", "were never drilled"),
    ):
        if many[state]:
            parts.append(
                f"{numbers.count(many[state])} {head + ' ' if not parts else ''}{one if many[state] == 1 else more}"
            )
    if not parts:
        return f"All {numbers.plural(len(cells), 'system and failure pair')} are proven within their interval."
    return f"{listed(parts)}."


def _newest(rows: Sequence[Row]) -> str:
    """Without a catalogue: what the newest drill of each experiment said."""
    last = {row.series: row for row in rows if row.experiment}
    words = Counter("inconclusive" if not decides(row) else row.verdict for row in last.values())
    verbs = {"failed": "", "inconclusive": "is " if words["inconclusive"] == 1 else "are ", "passed": ""}
    parts = [f"{numbers.count(words[each])} {verb}{each}" for each, verb in verbs.items() if words[each]]
    if not parts:
        return f"None of {numbers.plural(len(rows), 'journal')} can be read."
    return f"Of the newest drills of {numbers.plural(len(last), 'experiment')}, {listed(parts)}."


def below(cells: Sequence[Cell], rows: Sequence[Row], now: datetime) -> tuple[str, str]:
    """What stands under the headline: in bold, and not."""
    damaged = sum(1 for row in rows if row.problem)
    hurt = f" {numbers.plural(damaged, 'journal')} {'is' if damaged == 1 else 'are'} damaged." if damaged else ""
    if not cells:
        return "", f"No catalogue says what must be drilled, so what was never drilled is not known.{hurt}"
    proven = sum(1 for cell in cells if not cell.overdue and cell.state is not State.FAILING)
    bold = f"{numbers.count(proven)} of {numbers.count(len(cells))} are proven within their interval."
    coming = [cell for cell in cells if cell.state is State.PROVEN and cell.due is not None]
    if not coming:
        return bold, hurt.strip()
    first = min(coming, key=lambda cell: (cell.due or now, cell.entry.system))
    return bold, f"Next due: {first.entry.system}, {first.entry.failure}, {within(first.due or now, now)}.{hurt}"


def within(due: datetime, now: datetime) -> str:
    """``within 2 days``; the part of a day that is left counts as a day."""
    days = -((now - due) // DAY)
    return "today" if days <= 1 else f"within {numbers.plural(days, 'day')}"


def cell_age(cell: Cell, now: datetime) -> str:
    """When it was drilled last, with what is overdue about it; what is known of it if it never was."""
    newest, decided, proven = cell.newest, cell.decided, cell.proven
    if newest is None or newest.started is None:
        return cell.entry.note or ("no evidence" if cell.entry.experiments else "no experiment yet")
    told = age(newest.started, now)
    if cell.state is State.FAILING and decided is not None and decided is not newest and decided.started is not None:
        told = f"{age(decided.started, now)}, then {word(newest)} {told}"
    if proven is None:
        return f"{told}, never passed"
    if proven is not newest and proven.started is not None:
        told += f", passed {age(proven.started, now)}"
    return f"{told}, due every {days_goal(cell.interval)}" if cell.overdue else told


def cell_word(cell: Cell) -> str:
    """The state, and what the newest drill said where that is something else."""
    if cell.state is State.STALE:
        return "passed, stale"
    if cell.state is State.INCONCLUSIVE and cell.newest is not None:
        return word(cell.newest) or "no verdict"
    return str(cell.state)


def listed(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"

"""A plan on the terminal: what each fault would change, what it takes, what speaks against it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from blackstart.changes.rates import CALL_SECONDS, buckets
from blackstart.journals import numbers
from blackstart.reports.plain import ascii_text, speaks_unicode
from blackstart.reports.plan_view import FaultView, PlanView

WIDTH = 100
RESTORED, LOST = "~", "−"
LEGEND = f"{RESTORED} undo gives it back   {LOST} gone for good: who is named heals it"


def show(console: Console, seen: PlanView) -> None:
    """Print the plan on ``console`` (which knows its width, and whether it may use colours)."""
    plan, page = seen.plan, _Page(console)
    page.rows([("PLAN", plan.title), ("", f"{plan.file} · {plan.environment} · seed {plan.seed}")], 4)
    for fault in seen.faults:
        page.line()
        page.line(_head(fault), "bold")
        if fault.proposal.changes:
            page.line()
            page.changes(fault)
            page.line(f"  {LEGEND}", "dim")
        page.line()
        page.rows(_facts(fault))
        page.rows(_guards(fault))
    page.line()
    if plan.foreign:
        what = "not by Blackstart, so nobody can say what they change"
        page.rows([("  others", f"{what}: {', '.join(plan.foreign)}")])
    if seen.read:
        page.rows([("  read", f"{', '.join(seen.read)}; nothing was changed")])
    page.line()
    _end(page, seen)


class _Page:
    """Lines and tables, at most ``WIDTH`` columns wide, in the letters that the terminal knows."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._ascii = not speaks_unicode(console)
        self._width = min(console.width, WIDTH)

    def line(self, words: str = "", style: str = "") -> None:
        self._console.print(self._text(words, style), width=self._width)

    def rows(self, rows: Iterable[tuple[str, str]], width: int = 14) -> None:
        """A name (in so many columns) and what there is to say of it, which may take several lines."""
        table = Table.grid(padding=(0, 2))
        table.add_column(width=width, no_wrap=True, style="bold")
        table.add_column()
        for name, words in rows:
            table.add_row(self._text(name), self._text(words))
        self._console.print(table, width=self._width)

    def changes(self, fault: FaultView) -> None:
        """One line for each, unbroken where it fits, so that ids can be copied; how they are undone after those of
        which the same can be said."""
        table = Table.grid(padding=(0, 1))
        table.add_column(width=3, justify="right")
        table.add_column()
        for (lost, undone), same in groupby(
            fault.proposal.changes, lambda change: (change.id in fault.lost, change.undo_summary)
        ):
            several = list(same)
            for change in several:
                table.add_row(self._text(LOST if lost else RESTORED, "bold"), self._text(change.summary))
            each = "each " if len(several) > 1 else ""
            table.add_row("", self._text(f"  {each}{'healed' if lost else 'undone'} by {undone}", "dim"))
        self._console.print(table, width=self._width)

    def _text(self, words: str, style: str = "") -> Text:
        known = ascii_text(words.replace("×", "x"), True).encode("ascii", "replace").decode() if self._ascii else words
        return Text(ascii_text(known, self._ascii), style, overflow="fold")


def _head(fault: FaultView) -> str:
    proposal = fault.proposal
    if not proposal.found:
        return f"{proposal.activity}: {proposal.subject}"
    limit = proposal.duration_seconds
    ends = "stays until it is undone" if limit is None else f"ends by itself after {numbers.seconds_goal(limit)}"
    changes = numbers.plural(len(proposal.changes), "change")
    again = ", again and again" if proposal.kept else ""
    return f"{proposal.activity}: {proposal.subject} · {changes}{again} · {ends}"


def _facts(fault: FaultView) -> list[tuple[str, str]]:
    if not fault.proposal.changes:
        return []
    calls = ", ".join(
        f"{numbers.count(each.requests)} × {each.call}" + (f" in {each.region}" if each.region else "")
        for each in fault.calls
    )
    lost = [change for change in fault.proposal.changes if change.id in fault.lost]
    healers = sorted({change.undo_summary for change in lost})
    gone = f"{numbers.plural(len(lost), 'change')}; healed by {'; '.join(healers)}" if lost else "nothing"
    return [
        ("  calls", calls),
        ("  time", _time(fault)),
        ("  not undone", gone),
        ("  permissions", ", ".join(fault.permissions) or "none"),
        ("  cost", _cost(fault)),
    ]


def _time(fault: FaultView) -> str:
    found = fault.estimate
    assumed = f"at {CALL_SECONDS * 1000:.0f} ms a call, {found.at_once} at once"
    if found.limited is None:
        unknown = sorted({each.call.partition(":")[0] for each in fault.calls if not buckets(each.call)})
        rest = f" (none is published for {', '.join(unknown)})" if unknown else ""
        return f"about {numbers.seconds(found.seconds)} {assumed}; no rate limit is reached{rest}"
    bucket = buckets(found.limited.call)[0]
    limit = f"{bucket.burst} at once, then {bucket.per_second:g} a second"
    waits = f"of which {numbers.seconds(found.waits)} for the rate limit of {found.limited.call} ({limit})"
    return f"at least {numbers.seconds(found.seconds)}, {waits}"


def _cost(fault: FaultView) -> str:
    found, parts = fault.cost, []
    if len(found.unpriced) < len({change.kind for change in fault.proposal.changes}):
        parts.append(f"at most {found.amount:,.2f} {found.currency}")
    if found.unpriced:
        parts.append(f"no price for {', '.join(found.unpriced)}")
    if found.endless:
        parts.append(f"by the hour, for as long as it stays: {', '.join(found.endless)}")
    return "; ".join(parts)


def _guards(fault: FaultView) -> list[tuple[str, str]]:
    """Those that agree on one line; each objection on its own."""
    agreed = [finding.guard for finding in fault.proposal.findings if not finding.objection]
    rows = [f"✓ {', '.join(agreed)}"] if agreed else []
    rows += [f"✕ {finding.guard}: {finding.objection}" for finding in fault.proposal.objections]
    return [("" if number else "  guards", words) for number, words in enumerate(rows)]


def _end(page: _Page, seen: PlanView) -> None:
    if not seen.faults:
        page.line("WOULD RUN, and change nothing: no action of Blackstart is in it.", "bold")
    elif seen.plan.would_run:
        page.line("WOULD RUN: no guard objects.", "bold")
    else:
        page.line("WOULD BE REFUSED", "bold red")
        page.rows((("✕", reason) for reason in seen.reasons), 1)
    page.line(f"run exactly this: {seen.command}")

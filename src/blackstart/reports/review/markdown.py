"""``review.md``. Pure. Text from incidents and journals stays text, whatever markup it holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from blackstart.journals import numbers
from blackstart.reports.review import failures
from blackstart.reports.review.causes import Cause, Finding, age
from blackstart.reports.review.compare import Line
from blackstart.reports.review.cover import Covered, Drill, Level
from blackstart.reports.review.draft import Draft
from blackstart.reports.review.gap import Hypothesis
from blackstart.reports.review.incident import Incident

MOST_ROWS = 20
UNKNOWN = "–"
_SPECIAL = re.compile(r"([\\`*\[\]<>|&~$!])")
_BORDERS = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_FIRST = re.compile(r"^([#+=\-:]|\d+(?=[.)]))")


@dataclass(frozen=True)
class Review:
    """All that the page tells. ``notes``: what could not be used."""

    incident: Incident
    covered: Covered
    lines: tuple[Line, ...]
    findings: tuple[Finding, ...]
    catching: tuple[Hypothesis, ...]
    draft: Draft
    notes: tuple[str, ...] = ()

    @property
    def gap(self) -> bool:
        """Whether something was missing; what only adds to a cause is none of its own."""
        return self.findings[0].cause is not Cause.HELD


def page(review: Review) -> str:
    """The whole page, with a line break at its end."""
    parts = [
        _head(review),
        _happened(review.incident),
        _compared(review),
        _drills(review.covered),
        _hypotheses(review),
        _gap(review),
        _regression(review),
        _not_counted(review),
    ]
    return "\n\n".join(part for part in ("\n".join(lines) for lines in parts) if part) + "\n"


def text(raw: str) -> str:
    """``raw`` as Markdown that shows it: one line, nothing in it is markup."""
    line = " ".join("".join(each if each.isprintable() else " " for each in raw).split())
    line = _SPECIAL.sub(r"\\\1", line)
    line = _BORDERS.sub(r"\\_", line)
    return _FIRST.sub(lambda found: f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}", line)


def main_sentence(review: Review) -> str:
    """What the review comes to, in one sentence or two."""
    return review.findings[0].seen


def moment(at: datetime | None) -> str:
    return UNKNOWN if at is None else at.strftime("%Y-%m-%d %H:%M:%SZ")


def _head(review: Review) -> Iterator[str]:
    incident = review.incident
    yield f"# Review of {text(incident.id)}: {text(incident.title)}"
    yield ""
    where = [incident.service, failures.of(incident.failure).words, incident.way, incident.where, incident.environment]
    yield f"{' · '.join(text(each) for each in where if each)} · {moment(incident.started)}"
    yield ""
    first = review.findings[0]
    yield f"**{first.cause.value.capitalize()}.** {text(first.seen)}"
    yield ""
    newest = review.covered.newest
    covered = f"{_many(review.covered.same)}, the newest {age(newest.days)} before" if newest else "No"
    yield from _table(
        ("question", "answer"),
        [
            ("Had this failure been drilled?", covered),
            ("Would a hypothesis have caught it?", _answer(review)),
            ("What was missing?", ", ".join(dict.fromkeys(each.cause.value for each in review.findings))),
            ("What next?", f"`{review.draft.name}.yaml`, made of {text(review.draft.source.name)}"),
        ],
    )


def _many(drills: Sequence[Drill]) -> str:
    verdicts = [drill.verdict for drill in drills]
    parts = [f"{verdicts.count(word)} {word}" for word in dict.fromkeys(sorted(verdicts))]
    return f"By {numbers.plural(len(drills), 'drill')} ({', '.join(parts)})"


def _answer(review: Review) -> str:
    if not review.catching:
        return "None that there was"
    first = review.catching[0]
    goal = f"{first.metric.title.lower()} {first.metric.goal(first.target)}"
    who = f"drill {text(first.of)}" if first.drilled else f"{text(first.of)}, had it been run"
    return f"{goal}, of {who}"


def _happened(incident: Incident) -> Iterator[str]:
    yield "## What happened"
    yield ""
    loss = incident.data_loss
    rows = [
        ("started", moment(incident.started), ""),
        ("detected", moment(incident.detected), _after(incident.detected_seconds)),
        ("users served again", moment(incident.recovered), _after(incident.hurt_seconds)),
        ("back as before", moment(incident.ended), _after(incident.fault_seconds)),
        ("requests served", _share(incident.availability), ""),
        ("acknowledged writes lost", UNKNOWN if loss.lost_writes is None else numbers.count(loss.lost_writes),
         "" if loss.rpo_seconds is None else f"the oldest {numbers.seconds(loss.rpo_seconds)} old"),
        ("systems", text(", ".join(incident.systems)) or UNKNOWN, ""),
    ]  # fmt: skip
    yield from _table(("", "when or how much", "after the start"), rows)
    if incident.symptoms:
        yield from ("", "Symptoms:", "", *(f"- {text(each)}" for each in incident.symptoms))
    if incident.actions:
        yield from ("", "What was done:", "")
        done = [(moment(each.at), text(each.what), text(each.by) or UNKNOWN) for each in incident.actions]
        yield from _table(("when", "what", "by"), done)


def _share(value: float | None) -> str:
    return UNKNOWN if value is None else numbers.share_percent(value)


def _after(seconds: float | None) -> str:
    return "" if seconds is None else numbers.seconds(seconds)


def _compared(review: Review) -> Iterator[str]:
    yield "## Promised, and what happened"
    yield ""
    newest = review.covered.newest
    if newest is None:
        yield "No drill of this failure had promised anything."
        yield ""
    elif not newest.conclusive:
        yield "No drill of this failure was conclusive, so these promises were never kept or broken."
        yield ""
    rows = []
    for line in review.lines:
        worst = _value(line, line.worst)
        if line.worst_of is not None and line.measured > 1:
            worst += f" ({text(line.worst_of.name)})"
        rows.append((
            line.metric.title, UNKNOWN if line.promised is None else line.metric.goal(line.promised),
            _value(line, line.newest) + _mark(line), worst, f"**{_value(line, line.happened)}**", line.reading,
        ))  # fmt: skip
    if rows:
        newest_name = f"newest drill ({text(newest.name)})" if newest else "newest drill"
        yield from _table(("", "objective", newest_name, "worst drill", "incident", "reading"), rows)
        yield ""
        yield "Downtime counts a time in which half of the requests failed as half. ✓ met, ✕ missed, ? not proven."
    else:
        yield "The incident gives no number that a drill has."


def _value(line: Line, value: float | None) -> str:
    return UNKNOWN if value is None else line.metric.text(value)


def _mark(line: Line) -> str:
    if line.promised is None:
        return ""
    return {True: " ✓", False: " ✕", None: " ?"}[line.newest_met]


def _drills(covered: Covered) -> Iterator[str]:
    yield "## Drills that covered it"
    yield ""
    if not covered.before:
        yield f"None, of {numbers.plural(covered.looked_at, 'journal')}."
    else:
        yield from _drill_table(covered.before, "before")
    if covered.since:
        yield from ("", "Since the incident:", "")
        yield from _drill_table(covered.since, "after")


def _drill_table(drills: Sequence[Drill], side: str) -> Iterator[str]:
    rows = []
    for drill in drills[:MOST_ROWS]:
        row = drill.row
        took = UNKNOWN if row.rto_seconds is None else numbers.seconds(row.rto_seconds)
        lost = UNKNOWN if row.lost_writes is None else numbers.count(row.lost_writes)
        rows.append((
            f"{text(drill.name)}", text(row.experiment), drill.level.value, f"{age(drill.days)} {side}",
            f"{_glyph(drill.verdict)} {drill.verdict}", took, lost, text(row.reason or row.problem),
            text(row.folder),
        ))  # fmt: skip
    yield from _table(
        ("drill", "experiment", "covers", "when", "verdict", "recovery", "lost writes", "reason", "journal"), rows
    )
    if len(drills) > MOST_ROWS:
        yield from ("", f"And {numbers.count(len(drills) - MOST_ROWS)} more; all are in `review.json` (`--json`).")


def _glyph(verdict: str) -> str:
    return {"passed": "✓", "failed": "✕"}.get(verdict, "?")


def _hypotheses(review: Review) -> Iterator[str]:
    yield "## Which hypothesis would have caught it"
    yield ""
    for each in review.catching:
        said = {True: "the drill met it", False: "the drill missed it", None: "the drill proved nothing of it"}[
            each.met
        ]
        whose = f"drill {text(each.of)}; {said}" if each.drilled else f"{text(each.of)}, which had not been run"
        was = each.metric.text(each.happened)
        yield f"- **{each.metric.title} {each.metric.goal(each.target)}** ({whose}): the incident had {was}."
    if review.catching:
        return
    if review.covered.newest is None and review.draft.level is None:
        yield "None: no experiment breaks this, neither a shipped one nor one of those that were named."
    elif any(line.broken is False for line in review.lines):
        yield "None: what happened stayed within every objective that the newest drill had."
    else:
        yield "None: what is known of the incident meets no objective of a drill of this failure."


def _gap(review: Review) -> Iterator[str]:
    yield "## The gap"
    yield ""
    for number, each in enumerate(review.findings, 1):
        yield f"{number}. **{each.cause.value.capitalize()}.** {text(each.seen)} {text(each.advice)}"


def _regression(review: Review) -> Iterator[str]:
    draft = review.draft
    yield "## Regression experiment"
    yield ""
    yield f"`{draft.name}.yaml`, made of {text(draft.source.name)}."
    if draft.level is None:
        yield ""
        yield (
            f"**It only stands in.** No experiment breaks this; here, {text(draft.instead)}. It shows whether people "
            "and platform notice and recover, not whether the cause is mended."
        )
    elif draft.level is not Level.SAME:
        yield ""
        yield (
            f"**It breaks the same in another way** than “{text(review.incident.way)}”, which no experiment does. "
            "Change its method, or write one that does and tag it with both words."
        )
    yield ""
    rows = [
        (f"`{each.key}`", "taken out" if each.target is None else f"{each.target:g}",
         text(each.why) + ("; **decide this**" if each.guessed else ""))
        for each in draft.held
    ]  # fmt: skip
    yield from _table(("objective", "value", "why"), rows)
    yield from ("", "```", f"chaos validate {draft.name}.yaml", f"blackstart plan {draft.name}.yaml", "```")


def _not_counted(review: Review) -> Iterator[str]:
    covered = review.covered
    lines = []
    if covered.elsewhere:
        services = ", ".join(sorted({text(drill.row.service) for drill in covered.elsewhere}))
        lines.append(f"- {numbers.plural(len(covered.elsewhere), 'drill')} near it, of other services: {services}.")
    untold = "it does not say what was drilled, or when"
    lines += [
        f"- Journal {text(row.folder)} cannot be placed: {text(row.problem or untold).rstrip('.')}."
        for row in covered.damaged[:MOST_ROWS]
    ]
    if len(covered.damaged) > MOST_ROWS:
        lines.append(f"- And {numbers.plural(len(covered.damaged) - MOST_ROWS, 'journal')} more that cannot be placed.")
    lines += [f"- {text(note)}" for note in review.notes]
    if lines:
        yield from ("## Not counted", "", *lines)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"

"""Can this result be trusted, and on what does it rest: the report's last two parts and its event log. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from blackstart.journals import numbers, reasons
from blackstart.journals.measure import Measured
from blackstart.journals.users import Users, hurt
from blackstart.journals.verdict import Verdict
from blackstart.observer.steps import STEPS
from blackstart.reports import journey_lines, ledger_rows
from blackstart.reports.events import described

MOST_EVENTS = 500


@dataclass(frozen=True)
class Line:
    """A labelled line. ``glyph`` is ✓, ✕, ? or "" where there is nothing to pass."""

    label: str
    words: str
    glyph: str = ""


def checks(measured: Measured, verdict: Verdict) -> list[Line]:
    """Everything that could make the result worthless, with its numbers."""
    users = measured.users
    lines = [_ending(measured)]
    if users is None:
        lines.append(Line("Samples", measured.no_users, "✕"))
    else:
        lines += [_steady(measured, users), *_effects(measured, users), *_samples(users)]
    lines += [_ledger(measured), *_databases(measured), _activities(measured)]
    if measured.damaged:
        lines.append(Line("Unreadable", "; ".join(measured.damaged), "?"))
    return [*lines, Line("Not tested", "; ".join(not_tested(measured, verdict)) + ".")]


def _ending(measured: Measured) -> Line:
    if measured.cut_off:
        return Line("Ending", "the drill’s own process was gone before it ended; this was put together afterwards", "✕")
    return Line("Ending", "the drill ended by itself", "✓")


def _steady(measured: Measured, users: Users) -> Line:
    before, latency = users.baseline, users.before
    if before is None:
        return Line("Steady state before", users.gaps.get("baseline", "not observed"), "✕")
    seconds = numbers.seconds((users.baseline_end if users.baseline_end is not None else users.end) - users.start)
    ok = f"{numbers.count(before.ok)} of {numbers.count(before.planned)} succeeded"
    median = f", median {numbers.latency(latency.p50)}" if latency else ""
    healthy = before.ok > 0 and hurt(before) <= (1 - measured.observing.recovery_share) * before.planned
    return Line("Steady state before", f"{seconds} observed, {ok}{median}", "✓" if healthy else "✕")


def _effects(measured: Measured, users: Users) -> Iterator[Line]:
    if measured.fault_at is None:
        yield Line("The fault was real", "no fault was injected", "✕")
    elif not users.effects:
        yield Line("The fault was real", "no request failed, and every region, zone and pod went on answering", "✕")
    else:
        for number, effect in enumerate(users.effects):
            yield Line("" if number else "The fault was real", effect, "✓")


def _samples(users: Users) -> Iterator[Line]:
    trust = users.trust
    sent = f"{numbers.count(trust.sent)} of {numbers.count(trust.planned)} planned sent"
    gap = f"longest gap {numbers.latency(trust.longest_gap_seconds)}"
    yield Line("Samples", f"{sent}, {gap}", "✓" if trust.sent == trust.planned else "?")
    late = f"99 % of requests left within {numbers.latency(trust.p99_lateness_seconds)} of when they were due"
    worst = f"the latest {numbers.latency(trust.worst_lateness_seconds)} after"
    yield Line("Schedule", f"{late}, {worst}; latency counts from when they were due")
    problem = reasons.late_observer(users)
    if problem:
        yield Line("", problem, "?")
    for name, words in journey_lines.facts(users):
        yield Line(name.capitalize(), words)
    yield Line("Clocks", "one machine, one monotonic clock for requests, changes and events; no skew to allow for", "✓")
    where = ", ".join(users.samples.header.addresses) or "nowhere"
    yield Line("Probe location", f"a client outside the regions, in its own process; sent to {where}")


def _ledger(measured: Measured) -> Line:
    result = measured.data.result
    if result is None:
        return Line("Ledger", measured.data.gap, "✕")
    reads = numbers.plural(result.checks, "complete read-back") + ledger_rows.judged_by(measured)
    attempted = numbers.plural(result.attempted, "write")
    return Line("Ledger", f"{attempted} sent, {reads} after recovery", "✓" if result.checks > 1 else "")


def _databases(measured: Measured) -> Iterator[Line]:
    for sentence, whole in ledger_rows.databases(measured):
        yield Line("", sentence, "✓" if whole else "?")


def _activities(measured: Measured) -> Line:
    raised = measured.toolkit.raised
    if raised:
        told = "; ".join(f"{each.kind} “{each.name}” ({each.phase}): {each.problem}" for each in raised[:3])
        return Line("Probes and actions", told, "✕")
    if not measured.toolkit.status:
        return Line("Probes and actions", "Chaos Toolkit left no journal", "?")
    missed = [each.name for each in measured.toolkit.deviations if each.phase == "after"]
    if missed:
        return Line("Probes and actions", f"outside their tolerance afterwards: {', '.join(missed)}", "✕")
    return Line("Probes and actions", f"none raised an error; Chaos Toolkit ended as {measured.toolkit.status}", "✓")


def not_tested(measured: Measured, verdict: Verdict) -> Iterator[str]:
    """What a reader might think was shown, and was not."""
    yield f"load above {measured.observing.rate:g} requests per second"
    users = measured.users
    if users and not users.moved:
        yield "fail-over to another region"
    if users and users.moved:
        seen = {step.name for step in users.steps if step.status != "unseen"}
        unseen = [step for step in STEPS if step not in seen]
        if unseen:
            yield f"the steps {', '.join(unseen)} (not observed)"
    if measured.data.result is not None:
        yield "whether the values of found writes are right"
    names = {
        "lost_writes": "lost writes",
        "availability": "availability",
        "longest_outage_seconds": "the longest outage",
    }
    judged = {objective.key for objective in verdict.objectives}
    unset = [name for key, name in names.items() if key not in judged]
    if unset:
        yield f"no objective is set for {', '.join(unset)}"


def evidence(measured: Measured, hashes: Mapping[str, str]) -> list[Line]:
    """``hashes``: file name → SHA-256 in hex, of the files of the journal."""
    drill = measured.drill
    lines = [Line("Experiment", f"{drill.file} · sha-256 {drill.sha256 or 'not recorded'}")]
    lines += [Line(name, f"sha-256 {digest}") for name, digest in hashes.items()]
    return lines


@dataclass(frozen=True)
class Happening:
    """One line of the event log. ``offset`` from the fault."""

    at: float
    offset: str
    clock: str
    words: str


def happenings(measured: Measured, zero: float) -> list[Happening]:
    """Events and transitions of changes in the order of time, at most MOST_EVENTS. ``zero`` in seconds since origin."""
    told = described(measured.events, measured.changes)
    return [
        Happening(at, numbers.offset(at - zero), numbers.clock_time(measured.wall(at), 2), words)
        for at, words in told[:MOST_EVENTS]
    ]

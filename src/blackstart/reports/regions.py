"""The report's parts about regions: two writers at once, the way home, calls to a region that was lost. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from blackstart.journals import numbers
from blackstart.journals.calls import Caller, LostCalls
from blackstart.journals.failback import Failback
from blackstart.journals.measure import Measured
from blackstart.observer.ledger import Write
from blackstart.observer.writers import Span
from blackstart.reports.trust import Line

MOST_WRITES = 30
MOST_STINTS = 8


@dataclass(frozen=True)
class DoubledRow:
    """One write that was acknowledged while two databases took writes."""

    key: str
    region: str
    clock: str
    since: str
    found: str


@dataclass(frozen=True)
class CallRow:
    """The calls of one operation by one caller."""

    who: str
    operation: str
    count: str
    first: str
    waited: str
    unanswered: str


@dataclass(frozen=True)
class RegionView:
    """What the template prints. A part whose title is empty is left out."""

    doubled_title: str
    doubled_sentence: str
    doubled: Sequence[DoubledRow]
    doubled_total: int
    failback_title: str
    failback_sentence: str
    failback: Sequence[Line]
    calls_title: str
    calls_sentence: str
    calls: Sequence[CallRow]


def view(measured: Measured) -> RegionView:
    """All three parts of one drill."""
    doubled = measured.writers.doubled
    rows = [write for two in doubled for write in two.writes]
    moved = measured.users is not None and measured.users.moved and measured.undo_at is not None
    calls = measured.calls
    return RegionView(
        doubled_title="Two writers at once" if doubled else "",
        doubled_sentence=doubled_sentence(measured) if doubled else "",
        doubled=[_doubled_row(measured, write) for write in rows[:MOST_WRITES]],
        doubled_total=len(rows),
        failback_title=_failback_title(measured.failback) if moved else "",
        failback_sentence=failback_sentence(measured) if moved else "",
        failback=failback_lines(measured.failback) if moved else (),
        calls_title=f"Calls to {calls.region} while it was lost" if calls else "",
        calls_sentence=calls_sentence(calls) if calls else "",
        calls=[_call_row(caller) for caller in calls.callers] if calls else (),
    )


def doubled_sentence(measured: Measured) -> str:
    """Who, for how long, from when, and how that is known."""
    parts = []
    for two in measured.writers.doubled:
        first = two.stretches[0][0] - (measured.fault_at or 0.0)
        times = "" if len(two.stretches) == 1 else f" in {numbers.count(len(two.stretches))} stretches"
        both = " and ".join(two.regions)
        parts.append(f"{both}: for at least {numbers.seconds(two.seconds)}{times}, from {numbers.offset(first)} on.")
    by = Counter(write.region for two in measured.writers.doubled for write in two.writes)
    some = " and ".join(f"{numbers.count(by[region])} by {region}" for region in sorted(by))
    told = f"Meanwhile {numbers.plural(by.total(), 'write was', 'writes were')} acknowledged: {some}." if some else ""
    return " ".join(part for part in (*parts, told, blind_sentence(measured)) if part)


def blind_sentence(measured: Measured) -> str:
    """Regions that could not be asked, and for how long; "" if all could be all the time."""
    return " ".join(_blind(measured, region) for region in measured.writers.looked if _spans(measured, region))


def _blind(measured: Measured, region: str) -> str:
    spans, end = _spans(measured, region), _watched_until(measured)
    seconds = sum(max(min(span.before, end) - span.asked, 0.0) for span in spans)
    only = "during that time only its acknowledgements tell"
    if region in measured.writers.unseen:
        return f"{region} could never be asked ({spans[0].problem}); only its acknowledgements tell."
    return f"{region} could not be asked for {numbers.seconds(seconds)}; {only}."


def _spans(measured: Measured, region: str) -> list[Span]:
    return [span for span in measured.writers.blind if span.region == region]


def _watched_until(measured: Measured) -> float:
    ends = [measured.users.end] if measured.users else []
    return max([*ends, *(event.at for event in measured.events if event.kind == "database")], default=0.0)


def _doubled_row(measured: Measured, write: Write) -> DoubledRow:
    result = measured.data.result
    at = write.sent if write.at is None else write.at
    lost = result is not None and any(lost.write.op == write.op for lost in result.lost)
    found = "not checked" if result is None else "lost" if lost else "found again"
    return DoubledRow(
        key=write.key,
        region=write.region,
        clock=numbers.clock_time(measured.wall(at), 2),
        since=numbers.offset(at - (measured.fault_at or 0.0)),
        found=found,
    )


def watch_line(measured: Measured) -> Line:
    """For "can this be trusted": was anybody looking for a second writer?"""
    label, found = "One writer", measured.writers
    if len(found.looked) < 2:
        return Line(label, "not watched: [stores] names the databases of fewer than two regions")
    if found.doubled:
        return Line(label, f"no: two at once for at least {numbers.seconds(found.seconds)}", "✕")
    names = " and ".join(found.looked)
    told = f"the databases in {names} were asked throughout, and no two were writers at once"
    blind = blind_sentence(measured)
    return Line(label, f"{told}. {blind}" if blind else told, "?" if found.unseen else "✓")


def _failback_title(found: Failback) -> str:
    if found.seconds is None:
        return "Fail-back: not measured"
    return f"Fail-back: home again in {numbers.seconds(found.seconds)}"


def failback_sentence(measured: Measured) -> str:
    """What the way home cost, in a sentence."""
    found, home = measured.failback, measured.service.home_region
    if found.seconds is None or found.downtime is None:
        return f"Not measured, because {found.gap}."
    took = f"From the undo, {home} served all users again after {numbers.seconds(found.seconds)}"
    down = "with no outage on the way"
    if found.downtime:
        down = f"with {numbers.seconds(found.downtime)} of outage on the way"
    return f"{took}, {down}; {_lost_words(found)}."


def _lost_words(found: Failback) -> str:
    if found.lost is None:
        return f"whether it lost writes is not known, because {found.lost_gap}"
    return f"it lost {numbers.plural(len(found.lost), 'acknowledged write')}" if found.lost else "it lost no write"


def failback_lines(found: Failback) -> list[Line]:
    """The numbers of the way home, from the undo."""
    if found.seconds is None or found.downtime is None:
        return []
    served = [f"{stint.region or 'nobody'} from {numbers.offset(stint.began)}" for stint in found.served[:MOST_STINTS]]
    rest = len(found.served) - MOST_STINTS
    more = f", and {numbers.plural(rest, 'more turn')}" if rest > 0 else ""
    writer = "not seen to return" if found.writer_home is None else f"at home at {numbers.offset(found.writer_home)}"
    lost = "not known: " + found.lost_gap if found.lost is None else numbers.count(len(found.lost))
    glyph = "?" if found.lost is None else "✕" if found.lost else "✓"
    return [
        Line("Duration", numbers.seconds_with_error(found.seconds, found.error)),
        Line("Downtime", numbers.seconds_with_error(found.downtime, found.downtime_error)),
        Line("Database writer", writer),
        Line("Served by", ", ".join(served) + more),
        Line("Lost on the way", lost, glyph),
    ]


def calls_sentence(found: LostCalls) -> str:
    """Whether anybody needed the region, and who could have told."""
    within = f"in the {numbers.seconds(found.ended - found.began)} from its loss until users were served again"
    if found.none:
        return f"None, {within}: neither the drill’s own record nor the platform’s has one."
    parts = []
    ours = sum(caller.count for caller in found.callers if caller.ours)
    theirs = sum(caller.count for caller in found.callers if not caller.ours)
    parts.append(_counted("by the drill", ours, found.no_own))
    parts.append(_counted("by others", theirs, found.no_platform))
    return f"{' '.join(parts)} Counted {within}."


def _counted(whom: str, count: int, unknown: str) -> str:
    if unknown:
        some = f"{numbers.plural(count, 'call')} {whom} at least; " if count else ""
        told = f"{some}calls {whom} are not known, because {unknown}."
    else:
        told = f"{numbers.plural(count, 'call') if count else 'no call'} {whom}."
    return told[:1].upper() + told[1:]


def _call_row(caller: Caller) -> CallRow:
    return CallRow(
        who=caller.who,
        operation=caller.operation,
        count=numbers.count(caller.count),
        first=numbers.offset(caller.first),
        waited=numbers.seconds(caller.waited),
        unanswered=numbers.count(caller.unanswered),
    )


def facts(measured: Measured) -> list[tuple[str, str]]:
    """For the terminal: name and words of what is worth a line there."""
    told: list[tuple[str, str]] = []
    if measured.writers.doubled:
        told.append(("two writers", f"for at least {numbers.seconds(measured.writers.seconds)}"))
    found = measured.failback
    if found.seconds is not None and found.downtime is not None:
        took = numbers.seconds_with_error(found.seconds, found.error)
        told.append(("fail-back", f"{took}, down for {numbers.seconds(found.downtime)}; {_lost_words(found)}"))
    elif measured.users is not None and measured.users.moved and measured.undo_at is not None:
        told.append(("fail-back", f"not measured: {found.gap}"))
    calls = measured.calls
    if calls is not None:
        total = sum(caller.count for caller in calls.callers)
        gap = calls.no_own or calls.no_platform
        many = f"{numbers.plural(total, 'call')} of {calls.region}" if total else f"no call of {calls.region}"
        told.append(("lost region", f"{many} known; {gap}" if gap else many))
    return told

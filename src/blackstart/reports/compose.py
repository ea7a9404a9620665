"""From what was measured to what the big picture shows. Pure."""

from __future__ import annotations

from blackstart.journals import numbers
from blackstart.journals.measure import Measured
from blackstart.journals.users import Users
from blackstart.observer.analysis import Percentiles
from blackstart.reports import columns, sentences
from blackstart.reports.picture import Picture, Span


def picture(measured: Measured, users: Users, most_columns: int) -> Picture:
    """The picture with at most ``most_columns`` columns; times from the fault, without one from the first request."""
    origin = zero(measured, users)
    regions = regions_of(measured, users)
    start, end = users.start - origin, users.end - origin
    borders = columns.edges(start, end, most_columns, len(users.samples))
    recovered = _from(users.recovered_at, origin) if users.had_outage else None
    return Picture(
        start=start,
        end=end,
        origin=measured.wall(origin),
        columns=columns.reduce(users.samples, borders, origin, regions),
        regions=regions,
        home=measured.service.home_region,
        timeout_seconds=users.samples.header.timeout_seconds,
        fault=f"Fault: {measured.drill.fault}" if measured.fault_at is not None else None,
        fault_end=_fault_end(measured, users) - origin,
        fault_text=_fault_text(measured, users),
        recovered=recovered,
        recovery_text=_recovery_text(measured, users),
        outage=_outage(users, origin),
        steps=_steps(users, origin),
        undone_from=_from(measured.undo_at, origin),
        lost=_lost(measured, origin),
        lost_text=sentences.lost_words(measured),
        before=_percentiles(users.before, with_p99=False),
        after=_percentiles(users.after, with_p99=True),
        description=sentences.happened(measured),
    )


def zero(measured: Measured, users: Users) -> float:
    """Where the axis has its 0, in seconds since the origin."""
    return users.start if measured.fault_at is None else measured.fault_at


def regions_of(measured: Measured, users: Users) -> tuple[str, ...]:
    """Home first, then standby, then whoever else answered."""
    known = [measured.service.home_region, measured.service.standby_region, *sorted(users.samples.header.regions)]
    return tuple(dict.fromkeys(region for region in known if region))


def _from(at: float | None, origin: float) -> float | None:
    return None if at is None else at - origin


def _fault_end(measured: Measured, users: Users) -> float:
    """When the last change was undone; the end of the samples while one is not."""
    undone = measured.undone_at
    return users.end if undone is None else min(undone, users.end)


def _fault_text(measured: Measured, users: Users) -> str:
    if measured.fault_at is None:
        return ""
    many = numbers.plural(sum(change.made for change in measured.changes), "change")
    if measured.undone_at is None:
        return f"{many} in place, not proven undone"
    return f"{many} in place for {numbers.seconds(measured.undone_at - measured.fault_at)}"


def _recovery_text(measured: Measured, users: Users) -> str:
    recovery = users.recovery
    if recovery is None or not users.had_outage:
        return ""
    if recovery.seconds is None:
        return "not recovered"
    return f"RTO {numbers.seconds(recovery.seconds)}"


def _outage(users: Users, origin: float) -> Span | None:
    """What is shaded: from the fault to recovery, or to where recovery was given up; nothing if nobody was hurt."""
    recovery = users.recovery
    if recovery is None or not users.had_outage:
        return None
    end = recovery.at if recovery.at is not None else users.until
    return Span("outage", 0.0, (users.end if end is None else end) - origin)


def _steps(users: Users, origin: float) -> tuple[Span, ...]:
    inside = [step for step in users.steps if step.status == "inside"]
    if len(inside) < 2:  # nothing was seen that divides the time
        return ()
    return tuple(
        Span(step.name, step.began - origin, step.ended - origin)
        for step in inside
        if step.began is not None and step.ended is not None
    )


def _lost(measured: Measured, origin: float) -> tuple[float, ...] | None:
    result = measured.data.result
    return None if result is None else tuple(sorted(lost.acknowledged - origin for lost in result.lost))


def _percentiles(latency: Percentiles | None, with_p99: bool) -> str:
    if latency is None:
        return ""
    words = f"median {numbers.latency(latency.p50)}"
    return f"{words}, p99 {numbers.latency(latency.p99)}" if with_p99 else words

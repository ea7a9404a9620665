"""What adds to the cause of a gap: what nobody held to anything, and what else was different in the drill. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from blackstart.journals import numbers
from blackstart.reports.review.causes import Cause, Finding
from blackstart.reports.review.compare import Line
from blackstart.reports.review.cover import Covered, Drill
from blackstart.reports.review.incident import Incident

_WATCHED = ("rto_seconds", "time_to_detect_seconds", "longest_outage_seconds", "lost_writes", "rpo_seconds")


def unheld(main: tuple[Finding, ...], covered: Covered, lines: tuple[Line, ...]) -> Iterator[Finding]:
    """Numbers of the incident that no objective was held to, although others were."""
    newest = covered.newest
    if newest is None or not newest.conclusive or any(each.cause is Cause.NO_OBJECTIVE for each in main):
        return
    left = [line for line in lines if line.promised is None and line.happened and line.metric.key in _WATCHED]
    if not left:
        return
    told = "; ".join(f"{line.metric.title.lower()} ({line.metric.text(line.happened or 0.0)})" for line in left)
    detect = any(line.metric.key == "time_to_detect_seconds" for line in left)
    alerts = "; for the time to detect, name the alerts that should fire under [monitoring]" if detect else ""
    yield Finding(
        Cause.NO_OBJECTIVE,
        f"Drill {newest.name} was not held to some of what the incident had: {told}.",
        f"Put what must hold under must_hold, and into the experiment{alerts}.",
    )


def besides(incident: Incident, covered: Covered) -> Iterator[Finding]:
    """What makes the incident different from the newest drill, beside its numbers."""
    for row in covered.during:
        yield Finding(
            Cause.DURING,
            f"Drill {row.drill or row.folder} ({row.experiment}) was running when the incident began, or had just "
            "ended.",
            "Look into its journal first: what it changed may be the cause.",
        )
    newest = covered.newest
    if newest is None:
        return
    if incident.where and newest.row.fault and incident.where.lower() not in newest.row.fault.lower():
        yield Finding(
            Cause.PLACE,
            f"The drill was of another place ({newest.row.fault}) than the incident ({incident.where}).",
            "Drill each place in turn: what one lacks, another may have.",
        )
    whole = _whole_seconds(newest)
    if whole is not None and incident.fault_seconds is not None and whole < incident.fault_seconds:
        yield Finding(
            Cause.SHORTER,
            f"What failed was gone for {numbers.seconds(incident.fault_seconds)}; the whole drill took "
            f"{numbers.seconds(whole)}.",
            "Keep the fault in place for longer: queues fill, caches and sessions expire, pools run dry with time.",
        )
    if newest.row.environment and newest.row.environment.lower() != incident.environment.lower():
        yield Finding(
            Cause.ENVIRONMENT,
            f"The drill was in {newest.row.environment}, the incident in {incident.environment}.",
            f"Run the same file against {incident.environment}, within its scope.",
        )


def _whole_seconds(drill: Drill) -> float | None:
    if drill.row.started is None or drill.row.ended is None:
        return None
    return (drill.row.ended - drill.row.started).total_seconds()

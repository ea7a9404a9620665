"""Puts the objectives of a drill beside what its journal holds: Measured → Objectives. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from blackstart.journals import noticed, numbers
from blackstart.journals.measure import Measured
from blackstart.journals.objectives import SECONDS_PER_YEAR, Interval, Objective, unknown
from blackstart.journals.users import Users, hurt
from blackstart.observer.analysis import Availability

LEAST_FOR_P95 = 20
LEAST_FOR_P99 = 100
_NO_FAULT = "no fault was injected"


def assess(measured: Measured) -> tuple[Objective, ...]:
    """One Objective for each target that is set and applies, in the order of the report.

    Without a fault, or without samples, every one of them is inconclusive.
    """
    return (
        *_recovery_time(measured),
        *_lost_writes(measured),
        *_data_age(measured),
        *_dns_failover(measured),
        *_availability(measured),
        *_error_budget(measured),
        *_longest_outage(measured),
        *_latency(measured),
        *_failback(measured),
        *noticed.objective(measured),
    )


def _missing(measured: Measured) -> str:
    """Why nothing can be said about users; "" if something can."""
    if measured.fault_at is None:
        return _NO_FAULT
    return "" if measured.users else measured.no_users


def _recovery_time(measured: Measured) -> Iterator[Objective]:
    target = measured.objectives.rto_seconds
    if target is None:
        return
    share = numbers.share_goal(measured.observing.recovery_share)
    window = numbers.seconds_goal(measured.observing.recovery_window_seconds)
    definition = f"fault → {share} of requests succeed for {window}"
    interval, why = _recovery_interval(measured)
    yield Objective("rto_seconds", "Recovery time", definition, "seconds", target, interval, why=why)


def _recovery_interval(measured: Measured) -> tuple[Interval, str]:
    missing = _missing(measured)
    users = measured.users
    if missing or users is None:
        return unknown(), missing
    recovery = users.recovery
    if recovery is None:
        return unknown(), users.gaps.get("recovery time", "recovery was not measured")
    if recovery.doubt:
        return unknown(), recovery.doubt
    if recovery.seconds is not None and recovery.lowest is not None and recovery.highest is not None:
        return Interval(recovery.lowest, recovery.highest, recovery.seconds), ""
    last = users.still_failing
    if last is None or users.until is None or measured.fault_at is None:
        return unknown(), recovery.reason
    # Still failing in the last window: whenever it recovers, it was not before that window.
    low = max(users.until - measured.fault_at - measured.observing.recovery_window_seconds, 0.0)
    return unknown(low), f"{numbers.rough_percent(hurt(last), last.planned)} of requests still failed at the end"


def _lost_writes(measured: Measured) -> Iterator[Objective]:
    target = measured.objectives.lost_writes
    if target is None:
        return
    interval, why, of = unknown(), _data_gap(measured), None
    if not why and measured.data.result is not None:
        lost = float(len(measured.data.result.lost))
        interval, of = Interval(lost, lost, lost), measured.data.result.acknowledged
    yield Objective(
        "lost_writes", "Lost writes", "acknowledged, then missing after the fault", "writes", target, interval,
        why=why, of=of,
    )  # fmt: skip


def _data_age(measured: Measured) -> Iterator[Objective]:
    target = measured.objectives.rpo_seconds
    if target is None:
        return
    interval, why = unknown(), _data_gap(measured)
    loss = measured.data.loss
    if not why and loss is not None:
        interval = Interval.around(loss.seconds, loss.error_seconds)
    yield Objective(
        "rpo_seconds", "Data age", "oldest lost write, before the fault took hold", "seconds", target, interval, why=why
    )


def _data_gap(measured: Measured) -> str:
    """Why nothing can be said about lost writes; "" if something can."""
    if measured.fault_at is None:
        return _NO_FAULT
    if measured.data.gap:
        return measured.data.gap
    if measured.data.acknowledged_before == 0:
        return "no write was acknowledged before the fault, so none could be lost"
    return ""


def _dns_failover(measured: Measured) -> Iterator[Objective]:
    """Only where the service moved, or its name did: a drill that stays at home has no DNS fail-over to time."""
    target, users = measured.objectives.dns_failover_seconds, measured.users
    if target is None or users is None or not (users.moved or users.dns):
        return
    interval, why = unknown(), "users were served elsewhere, but no new answer of the name server was seen"
    if users.dns is not None:
        interval, why = Interval.around(users.dns.seconds, users.dns.error_seconds), ""
    yield Objective(
        "dns_failover_seconds", "DNS fail-over", "fault → first new answer, TTL included", "seconds", target, interval,
        why=why,
    )  # fmt: skip


def _availability(measured: Measured) -> Iterator[Objective]:
    target = measured.objectives.availability
    if target is None:
        return
    interval, why, window = unknown(0.0, 1.0), _missing(measured), "the drill"
    if not why and measured.users:
        users = measured.users
        interval = _availability_interval(users.whole)
        window = f"the whole {numbers.seconds(users.end - users.start)}"
    definition = f"{window}, every request counted"
    yield Objective("availability", "Availability", definition, "share", target, interval, at_most=False, why=why)


def _availability_interval(availability: Availability) -> Interval:
    return Interval(availability.lowest, availability.highest, availability.share)


def _error_budget(measured: Measured) -> Iterator[Objective]:
    share = measured.objectives.error_budget_share
    if share is None:
        return
    yearly = measured.objectives.yearly_availability
    budget = (1 - yearly) * SECONDS_PER_YEAR
    interval, why = unknown(), _missing(measured)
    users = measured.users
    if not why and users and users.since_fault and measured.fault_at is not None:
        seconds = users.end - measured.fault_at
        now = users.since_fault
        interval = Interval((1 - now.highest) * seconds, (1 - now.lowest) * seconds, (1 - now.share) * seconds)
    definition = f"downtime of this drill; a year at {numbers.share_goal(yearly)} has {numbers.seconds(budget)}"
    yield Objective("error_budget_share", "Error budget", definition, "seconds", share * budget, interval, why=why)


def _longest_outage(measured: Measured) -> Iterator[Objective]:
    target = measured.objectives.longest_outage_seconds
    if target is None:
        return
    interval, why = unknown(), _missing(measured)
    if not why and measured.users:
        longest = measured.users.longest
        interval = (
            Interval(0.0, 0.0, 0.0) if longest is None else Interval.around(longest.seconds, longest.error_seconds)
        )
        if measured.users.longest_doubt:
            interval, why = unknown(), measured.users.longest_doubt
        elif longest is not None and longest.open:
            interval, why = unknown(interval.low), "the outage was not over when the samples end"
    yield Objective(
        "longest_outage_seconds", "Longest outage", "no request succeeded", "seconds", target, interval, why=why
    )


def _latency(measured: Measured) -> Iterator[Objective]:
    wanted = (
        ("p95_seconds", "p95", measured.objectives.p95_seconds, LEAST_FOR_P95),
        ("p99_seconds", "p99", measured.objectives.p99_seconds, LEAST_FOR_P99),
    )
    for key, name, target, least in wanted:
        if target is None:
            continue
        interval, why = _latency_interval(measured, name, least)
        title = f"Latency {name}"
        yield Objective(key, title, f"{name} of all requests outside the outage", "latency", target, interval, why=why)


def _latency_interval(measured: Measured, name: str, least: int) -> tuple[Interval, str]:
    """The observer's own lateness is inside every latency, so the service's true one may be lower by that much."""
    missing = _missing(measured)
    users = measured.users
    if missing or users is None:
        return unknown(), missing
    if users.latency is None:
        return unknown(), users.gaps.get("latency", "no request succeeded outside the outage")
    if users.latency.count < least:
        return unknown(), f"only {numbers.plural(users.latency.count, 'request')} succeeded outside the outage"
    value = users.latency.p95 if name == "p95" else users.latency.p99
    return Interval(max(value - _lateness(users), 0.0), value, value), ""


def _failback(measured: Measured) -> Iterator[Objective]:
    target, found = measured.objectives.failback_downtime_seconds, measured.failback
    if target is None:
        return
    interval, why = unknown(), found.gap
    if found.downtime is not None:
        interval, why = Interval.around(found.downtime, found.downtime_error), ""
    definition = "from the undo until home serves again"
    yield Objective("failback_downtime_seconds", "Fail-back outage", definition, "seconds", target, interval, why=why)


def _lateness(users: Users) -> float:
    return users.trust.p99_lateness_seconds

"""The one sentence that says why a verdict is what it is. Pure; every word follows from a number.

System, what it did, the number, its objective, the worst consequence. Past tense, no adjectives, no blame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from blackstart.journals import numbers
from blackstart.journals.measure import Measured
from blackstart.journals.objectives import Objective, Result
from blackstart.journals.toolkit import Deviation
from blackstart.journals.users import Users, hurt
from blackstart.observer.samples import LATE_SHARE

THIN = 0.05  # of the objective: with less than this to spare, the sentence says how much


def subject(measured: Measured) -> str:
    """The service's name, fit to begin a sentence."""
    name = measured.service.name
    return name[:1].upper() + name[1:]


def passed(measured: Measured, objectives: Sequence[Objective]) -> str:
    """All objectives are met, and nothing else is in the way."""
    rto = _find(objectives, "rto_seconds")
    if rto is not None and rto.margin is not None and rto.margin < THIN * rto.target:
        goal, spare = numbers.seconds_goal(rto.target), numbers.seconds(rto.margin)
        return f"{did(measured, exact=True)}; the objective is {goal}, so only {spare} to spare."
    outage = measured.users is not None and measured.users.had_outage
    goal = f" (objective {numbers.seconds_goal(rto.target)})" if rto is not None and outage else ""
    loss = _loss(measured)
    lead = _down_until_undone(measured) if rto is None else ""
    return f"{lead or did(measured)}{goal}{' and ' + loss if loss else ''}."


def _down_until_undone(measured: Measured) -> str:
    """For a drill whose fault users have to be freed from, and that does not ask how soon; "" for all others."""
    users = measured.users
    if users is None or users.longest is None or users.recovery is None or users.recovery.seconds is not None:
        return ""
    return (
        f"{subject(measured)} was down for {numbers.seconds(users.longest.seconds)} at most until the drill was undone"
    )


def failed(measured: Measured, objectives: Sequence[Objective], deviations: Sequence[Deviation]) -> str:
    """Two databases took writes at once, an objective is proven missed, or a hypothesis of the experiment did not
    hold."""
    if measured.writers.doubled:
        return split_brain(measured)
    missed = sorted((o for o in objectives if o.result is Result.MISSED), key=lambda o: _SEVERITY.index(o.key))
    rto = _find(objectives, "rto_seconds")
    if rto is not None and rto.result is Result.MISSED:
        return _too_late(measured, rto, [o for o in missed if o is not rto])
    if not missed:
        worst = deviations[0]
        return f"{did(measured)}, but “{worst.name}” did not hold afterwards: it gave {worst.output}."
    lead = did(measured)
    if rto is not None and rto.result is Result.MET and measured.users is not None and measured.users.had_outage:
        lead += f", inside its {numbers.seconds_goal(rto.target)} objective"
    return f"{lead}, but {_consequence(missed[0])}{_more(len(missed) - 1)}."


def split_brain(measured: Measured) -> str:
    """Two regions took writes at the same time: for how long, and how many they acknowledged meanwhile."""
    worst = max(measured.writers.doubled, key=lambda two: two.seconds)
    counts = [sum(write.region == region for write in worst.writes) for region in worst.regions]
    told = f"{subject(measured)} had two writers at once, in {worst.regions[0]} and {worst.regions[1]}"
    took = f"{told}, for at least {numbers.seconds(worst.seconds)}"
    return f"{took}; they acknowledged {numbers.count(counts[0])} and {numbers.plural(counts[1], 'write')} meanwhile."


def _too_late(measured: Measured, rto: Objective, others: Sequence[Objective]) -> str:
    recovery = measured.users.recovery if measured.users else None
    goal = numbers.seconds_goal(rto.target)
    if recovery is None or recovery.seconds is None:
        return f"{never_came_back(measured)}; the objective is {goal}."
    moved = f"move to {measured.users.served_after}" if measured.users and measured.users.moved else "recover"
    took = numbers.seconds_with_error(recovery.seconds, recovery.error_seconds)
    lead = f"{subject(measured)} took {took} to {moved}; the objective is {goal}"
    if others:
        lead += f", and it {_consequence(others[0])}{_more(len(others) - 1)}"
    return f"{lead}."


def never_came_back(measured: Measured) -> str:
    """For a drill in which users were still hurt at its end, or when it was undone."""
    users, fault_at = measured.users, measured.fault_at
    if users is None or fault_at is None:
        return f"{subject(measured)} was not seen to recover"
    after = numbers.seconds((users.until or users.end) - fault_at)
    undone = ", so the drill was undone" if measured.undo_at is not None else ""
    last = users.still_failing
    if last is None:
        seen = users.recovery.reason if users.recovery else "nothing was seen of it"
        return f"{subject(measured)} was not seen to recover within {after} ({seen}){undone}"
    failing = numbers.rough_percent(hurt(last), last.planned)
    return f"{subject(measured)} never came back: after {after}, {failing} of requests still failed{undone}"


def close_call(measured: Measured, objective: Objective) -> str:
    """An objective whose interval holds its target, or that was not measured."""
    goal = target_text(objective)
    low, high = objective.interval.low, objective.interval.high
    if objective.key == "rto_seconds" and objective.measured is None and low > 0 and math.isinf(high):
        return f"{never_came_back(measured)}; the objective is {goal}, so nothing is proven."
    if objective.measured is None:
        return f"{objective.title}: not measured, because {objective.why or 'nothing was seen of it'}."
    between = f"{value_text(objective, low)} and {value_text(objective, high)}"
    if math.isinf(high):
        between = f"{value_text(objective, low)} or more"
    lies = (
        f"{objective.title.lower()} lies between {between}"
        if not math.isinf(high)
        else f"{objective.title.lower()} is {between}"
    )
    gap = _observer_gap(measured.users)
    cause = f"The observer sent nothing for {gap}, so " if gap else ""
    sentence = f"{cause}{lies}; the objective is {goal}."
    return sentence[:1].upper() + sentence[1:]


def _observer_gap(users: Users | None) -> str:
    """The longest time without a request, if it is worth a word."""
    if users is None:
        return ""
    gap = users.trust.longest_gap_seconds
    return numbers.seconds(gap) if gap > max(1.0, 5 * users.samples.gap) else ""


def late_observer(users: Users) -> str:
    """A sentence when the observer kept its schedule too badly for its numbers to be taken as they are; else ""."""
    trust, allowed = users.trust, LATE_SHARE * users.samples.header.timeout_seconds
    if trust.p99_lateness_seconds > allowed:
        late = numbers.seconds(trust.p99_lateness_seconds)
        return f"One request in a hundred left {late} late or more, so what failed then tells nothing."
    if trust.worst_lateness_seconds > allowed:
        late = numbers.seconds(trust.worst_lateness_seconds)
        return f"Some requests left up to {late} late; what of them failed tells nothing."
    gap = _observer_gap(users)
    return f"Nothing was sent for {gap}." if gap else ""


def unhealthy(measured: Measured) -> str:
    """Failing before the fault: subject and verb, without full stop; "" if it was healthy."""
    users = measured.users
    before = users.baseline if users else None
    if before is None or before.planned == 0:
        return ""
    failing = hurt(before)
    healthy = before.ok >= measured.observing.recovery_share * (before.ok + failing) and before.ok > 0
    if healthy:
        return ""
    shown = numbers.rough_percent(failing, before.ok + failing)
    return f"{subject(measured)} was failing {shown} of requests before the fault"


def value_text(objective: Objective, value: float) -> str:
    """``value`` in the objective's unit, as measured."""
    if objective.unit == "latency":
        return numbers.latency(value)
    if objective.unit == "share":
        return numbers.share_percent(value)
    if objective.unit == "writes":
        return numbers.count(round(value))
    return numbers.seconds(value)


def target_text(objective: Objective) -> str:
    """The target in the objective's unit, as people wrote it."""
    if objective.unit == "latency":
        return numbers.latency_goal(objective.target)
    if objective.unit == "share":
        return numbers.share_goal(objective.target)
    if objective.unit == "writes":
        return numbers.count(round(objective.target))
    if objective.key == "error_budget_share":
        return numbers.seconds(objective.target)  # computed from a share of a year, so its digits are nobody's choice
    return numbers.seconds_goal(objective.target)


def did(measured: Measured, exact: bool = False) -> str:
    """What the service did, with the number, without full stop: "Checkout moved to eu-central-1 in 71.2 s"."""
    users, name = measured.users, subject(measured)
    if users is None or users.recovery is None:
        return f"{name} went through the {measured.drill.fault}"
    if not users.had_outage and users.since_fault is not None:
        where = f" and moved to {users.served_after}" if users.moved else ""
        many, failing = numbers.plural(users.since_fault.planned, "request"), hurt(users.since_fault)
        some = numbers.count(failing) if failing else "none"
        return f"{name} kept serving{where} ({some} of {many} failed after the fault)"
    if users.recovery.seconds is None:
        return never_came_back(measured)
    took = numbers.seconds(users.recovery.seconds)
    if exact:
        took = numbers.seconds_with_error(users.recovery.seconds, users.recovery.error_seconds)
    return f"{name} moved to {users.served_after} in {took}" if users.moved else f"{name} recovered in {took}"


def _loss(measured: Measured) -> str:
    """What became of acknowledged writes, to follow "and"; "" if that was not checked."""
    result, loss = measured.data.result, measured.data.loss
    if result is None or loss is None:
        return ""
    total = numbers.count(result.acknowledged)
    if not result.lost:
        return f"lost none of {total} acknowledged writes"
    lost = f"lost {numbers.count(len(result.lost))} of {total} acknowledged writes"
    return f"{lost}, the oldest {numbers.seconds(loss.seconds)} before the fault took hold" if loss.seconds else lost


_SEVERITY = (
    "rto_seconds", "lost_writes", "rpo_seconds", "availability", "longest_outage_seconds", "dns_failover_seconds",
    "failback_downtime_seconds", "error_budget_share", "time_to_detect_seconds", "p99_seconds", "p95_seconds",
)  # fmt: skip


def _consequence(objective: Objective) -> str:
    """A missed objective, to follow "but": a verb and its number."""
    goal = target_text(objective)
    value = value_text(objective, objective.interval.low if objective.measured is None else objective.measured)
    sentences = {
        "lost_writes": f"lost {value} acknowledged writes where {'none' if not objective.target else goal} may be lost",
        "rpo_seconds": f"lost writes up to {value} old (objective {goal})",
        "availability": f"answered only {value} of requests (objective {goal})",
        "longest_outage_seconds": f"answered nobody for {value} (objective {goal})",
        "dns_failover_seconds": f"took {value} to move its name (objective {goal})",
        "failback_downtime_seconds": f"was down for {value} on the way home (objective {goal})",
        "error_budget_share": f"burned {value} of downtime (budget {goal})",
        "time_to_detect_seconds": f"was {_noticed(objective)} (objective {goal})",
        "p99_seconds": f"had a p99 latency of {value} (objective {goal})",
        "p95_seconds": f"had a p95 latency of {value} (objective {goal})",
    }
    return sentences[objective.key]


def _noticed(objective: Objective) -> str:
    return (
        "not noticed by every alert"
        if objective.measured is None
        else f"noticed after {numbers.seconds(objective.measured)}"
    )


def _more(count: int) -> str:
    return f"; {numbers.plural(count, 'more objective')} missed" if count > 0 else ""


def _find(objectives: Sequence[Objective], key: str) -> Objective | None:
    return next((objective for objective in objectives if objective.key == key), None)

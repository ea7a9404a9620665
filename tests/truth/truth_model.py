"""What an observer would record of a plan, reckoned without sockets and clocks, so that thousands of outages cost
nothing and no busy machine gets in between. Pure; the server's rules are those of `truth_server`."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

from truth_bed import DRILL, Planted, Seen, Truth, observing
from truth_plan import ERROR, HOLE, REFUSE, RESET, STALL, Plan, Trouble

from blackstart.observer import samples
from blackstart.observer.samples import Cause, Header, Kind, Outcome, Sample
from blackstart.settings import Observing

NET = 0.0002  # one way, seconds


def reckon(plan: Plan, watching: Observing | None = None, late: float = 0.0) -> Seen:
    """What would be seen of ``plan``'s outages at all addresses. ``late``: the observer sends each request up to so
    many seconds late, now and then."""
    watching = watching or observing()
    header = Header(
        0.0,
        "",
        begin=0.0,
        rate=watching.rate,
        timeout_seconds=watching.timeout_seconds,
        write_share=watching.write_share,
        recovery_share=watching.recovery_share,
        recovery_window_seconds=watching.recovery_window_seconds,
        home_region="us-east-1",
        drill=DRILL,
        ended=plan.seconds,
    )
    chance, schedule = random.Random(plan.seed + 1), header.schedule
    began = [each.began for each in plan.troubles]
    rows = []
    for number in range(schedule.count(0, plan.seconds)):
        due, kind = schedule.intended(number), schedule.kind(number)
        sent = due + 0.0001 + (chance.random() * late if chance.random() < 0.1 else 0.0)
        took = plan.usual + (min(chance.expovariate(4 / plan.tail), plan.tail) if plan.tail else 0.0)
        row = Sample(number, due, sent, 0.0, kind, Outcome.OK, status=200, region="us-east-1")
        rows.append(_fate(row, took, plan.troubles, began, watching.timeout_seconds))
    planted = tuple(Planted(each, (each.began, each.began), (each.ended, each.ended)) for each in plan.troubles)
    truth = Truth(planted, (), {}, {}, ())
    return Seen(plan, 0.0, samples.gather(header, rows), (), (), (), truth, watching)


def _at(moment: float, troubles: Sequence[Trouble], began: Sequence[float]) -> Trouble | None:
    place = bisect_right(began, moment) - 1
    return troubles[place] if place >= 0 and moment < troubles[place].ended else None


def _fate(row: Sample, took: float, troubles: Sequence[Trouble], began: Sequence[float], timeout: float) -> Sample:
    deadline = row.intended + timeout
    arrives = row.sent + NET
    first = _at(arrives, troubles, began)
    if first is not None and first.mode == REFUSE:
        return replace_row(row, arrives + NET, Outcome.FAILED, Cause.REFUSED)
    answers = arrives + took
    if first is not None and first.mode in (HOLE, STALL):
        met, answers = first, first.ended
    else:
        met = _at(answers, troubles, began)
        died = troubles[bisect_right(began, answers) - 1] if answers >= began[0] else None
        if died is not None and died.mode == REFUSE and arrives < died.began <= answers:
            met, answers = died, died.began
    if met is None:
        return _in_time(row, answers + NET, deadline)
    if met.mode == HOLE:
        return replace_row(row, deadline, _open(row.kind), Cause.TIMEOUT)
    if met.mode == STALL:
        return _in_time(row, max(answers, met.ended) + NET, deadline)
    cause = {RESET: Cause.BROKEN, REFUSE: Cause.BROKEN, ERROR: Cause.STATUS}[met.mode]
    return replace_row(row, answers + NET, _open(row.kind), cause, 503 if met.mode == ERROR else 0)


def _open(kind: Kind) -> Outcome:
    return Outcome.UNKNOWN if kind is Kind.WRITE else Outcome.FAILED


def _in_time(row: Sample, ended: float, deadline: float) -> Sample:
    if ended <= deadline:
        return row._replace(ended=ended)
    return replace_row(row, deadline, _open(row.kind), Cause.TIMEOUT)


def replace_row(row: Sample, ended: float, outcome: Outcome, cause: Cause, status: int = 0) -> Sample:
    return row._replace(ended=ended, outcome=outcome, cause=cause, status=status, region="")


def with_service(plan: Plan, usual: float, tail: float) -> Plan:
    """``plan`` with a service that takes ``usual`` seconds, and now and then up to ``tail`` more."""
    return replace(plan, usual=usual, tail=tail)

"""Writes ``verdict.json``: at the start of a drill as cut off, and again, judged, when it ends or is recovered."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from blackstart.clock import iso
from blackstart.journals import apart, noticed, reasons, region
from blackstart.journals import data as accounts
from blackstart.journals import folder as folders
from blackstart.journals.folder import FORMAT, Drill, write_json
from blackstart.journals.measure import Measured, measure
from blackstart.journals.objectives import Objective, Result
from blackstart.journals.users import Users, hurt
from blackstart.journals.verdict import Verdict, Word, judge
from blackstart.observer.steps import Step

Json = Any


def open_verdict(folder: Path) -> None:
    """Before anything is changed: if the drill is killed now, its journal says that it was cut off."""
    drill = folders.read_drill(folder)
    reason = "The drill was cut off before it ended, so it proves nothing."
    nothing = dict.fromkeys((*_NUMBERS, "trust", "journeys", *region.KEYS, *accounts.KEYS, *noticed.KEYS))
    head = {"verdict": Word.INCONCLUSIVE, "reason": reason, **_heading(drill, cut_off=True)}
    write_json(
        folder / folders.VERDICT,
        {**head, **nothing, "rto_steps": [], "leftovers": [], "residue": None, "objectives": {}},
    )


def close(folder: Path, cut_off: bool = False) -> tuple[Measured, Verdict]:
    """Measure, judge, write ``verdict.json``. ``cut_off``: the drill's own process is gone, somebody else closes.

    JournalUnreadable only when ``drill.json`` is. Closing again (after a later undo, say) judges anew.
    """
    measured = measure(folder, cut_off=cut_off)
    verdict = judge(measured)
    write_json(folder / folders.VERDICT, to_json(measured, verdict))
    return measured, verdict


def to_json(measured: Measured, verdict: Verdict) -> dict[str, Json]:
    """Everything in ``verdict.json``; null is "not measured", never zero."""
    proof = measured.restoration
    return {
        "verdict": verdict.word,
        "reason": verdict.reason,
        **_heading(measured.drill, measured.cut_off),
        **_users(measured),
        **_data(measured),
        **region.to_json(measured),
        **noticed.to_json(measured),
        "leftovers": [
            {"change": c.id, "kind": c.kind, "target": c.target, "summary": c.summary, "state": c.state, "note": c.note}
            for c in measured.leftovers
        ],
        "residue": None if proof is None else [asdict(found) for found in proof.residue.found],
        "residue_problems": [] if proof is None else list(proof.residue.problems),
        "changes": len(measured.changes),
        "objectives": {objective.key: _objective(objective) for objective in verdict.objectives},
        "doubts": list(verdict.doubts),
        "exit_code": verdict.exit_code,
    }


_NUMBERS = (
    "rto_seconds", "rto_error_seconds", "rpo_seconds", "rpo_error_seconds", "lost_writes", "unknown_writes",
    "acknowledged_writes", "availability", "requests", "failed_requests", "longest_outage_seconds",
    "longest_outage_error_seconds", "dns_failover_seconds", "dns_failover_error_seconds", "p95_seconds", "p99_seconds",
)  # fmt: skip


def _heading(drill: Drill, cut_off: bool) -> dict[str, Json]:
    return {
        "format": FORMAT,
        "drill": drill.drill,
        "experiment": drill.experiment,
        "title": drill.title,
        "service": drill.service.get("name"),
        "environment": drill.environment,
        "fault": drill.fault,
        "started": iso(drill.started),
        "cut_off": cut_off,
    }


def _users(measured: Measured) -> dict[str, Json]:
    users = measured.users
    recovery, dns, longest = (users.recovery, users.dns, users.longest) if users else (None, None, None)
    recovered = recovery is not None and recovery.seconds is not None
    none = 0.0 if users else None
    return {
        "ended": iso(measured.wall(users.end)) if users else None,
        "fault_at": iso(measured.wall(measured.fault_at)) if measured.fault_at is not None else None,
        "rto_seconds": _rounded(recovery.seconds) if recovery else None,
        "rto_error_seconds": _rounded(recovery.error_seconds) if recovery and recovered else None,
        "rto_steps": [_step(step) for step in users.steps] if users else [],
        "trust": _trust(users) if users else None,
        "journeys": dict(apart.to_json(users.journeys)) if users and users.journeys else None,
        "availability": _rounded(users.whole.share) if users else None,
        "requests": users.whole.planned if users else None,
        "failed_requests": hurt(users.whole) if users else None,
        "unobserved_requests": users.whole.unobserved if users else None,
        "longest_outage_seconds": _rounded(longest.seconds) if longest else none,
        "longest_outage_error_seconds": _rounded(longest.error_seconds) if longest else none,
        "dns_failover_seconds": _rounded(dns.seconds) if dns else None,
        "dns_failover_error_seconds": _rounded(dns.error_seconds) if dns else None,
        "p95_seconds": _rounded(users.latency.p95) if users and users.latency else None,
        "p99_seconds": _rounded(users.latency.p99) if users and users.latency else None,
    }


def _step(step: Step) -> dict[str, Json]:
    return {
        "name": step.name,
        "seconds": _rounded(step.seconds),
        "status": step.status,
        "evidence": step.evidence,
    }


def _trust(users: Users) -> dict[str, Json]:
    """How well the observer kept its schedule; ``problem`` where that was not good enough."""
    trust = users.trust
    return {
        "planned": trust.planned,
        "sent": trust.sent,
        "longest_gap_seconds": _rounded(trust.longest_gap_seconds),
        "p50_lateness_seconds": _rounded(trust.p50_lateness_seconds),
        "p99_lateness_seconds": _rounded(trust.p99_lateness_seconds),
        "worst_lateness_seconds": _rounded(trust.worst_lateness_seconds),
        "problem": reasons.late_observer(users),
    }


def _data(measured: Measured) -> dict[str, Json]:
    result, loss = measured.data.result, measured.data.loss
    return {
        "rpo_seconds": _rounded(loss.seconds) if loss else None,
        "rpo_error_seconds": _rounded(loss.error_seconds) if loss else None,
        "lost_writes": len(result.lost) if result else None,
        "unknown_writes": len(result.unknown) if result else None,
        "acknowledged_writes": result.acknowledged if result else None,
        **accounts.to_json(measured.data),
    }


def _objective(objective: Objective) -> Mapping[str, Json]:
    """``met`` is true, false, or null where nothing is proven; ``low`` and ``high`` bound the true value."""
    met = {Result.MET: True, Result.MISSED: False, Result.INCONCLUSIVE: None}[objective.result]
    return {
        "target": objective.target,
        "measured": _rounded(objective.measured),
        "met": met,
        "low": _rounded(objective.interval.low),
        "high": _rounded(objective.interval.high),
        "unit": objective.unit,
        "text": _text(objective),
        "why": objective.why,
    }


def _text(objective: Objective) -> str:
    sign = "≤" if objective.at_most else "≥"
    shown = "not measured" if objective.measured is None else reasons.value_text(objective, objective.measured)
    return f"{objective.title}: {shown}, required {sign} {reasons.target_text(objective)}"


def _rounded(value: float | None) -> float | None:
    """To a microsecond; None where JSON has no word for it."""
    return None if value is None or math.isinf(value) or math.isnan(value) else round(value, 6)


__all__: Sequence[str] = ("close", "open_verdict", "to_json")

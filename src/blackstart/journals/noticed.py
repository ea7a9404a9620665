"""What ``verdict.json`` and sentences say of monitoring: what it saw, and whether it noticed. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from blackstart.journals import numbers
from blackstart.journals.measure import Measured
from blackstart.journals.monitored import Monitored, Seen
from blackstart.journals.objectives import Interval, Objective, unknown
from blackstart.monitoring.compare import Trouble
from blackstart.monitoring.detection import Detection, Outcome

Json = Any
KEYS = ("monitoring", "alerts")
KEY = "time_to_detect_seconds"
TITLE = "Time to detect"


def objective(measured: Measured) -> Iterator[Objective]:
    """Only where there was something to notice: users were hurt, or an alert fired."""
    target = measured.objectives.time_to_detect_seconds
    if target is None or not _matters(measured):
        return
    interval, why = _interval(measured)
    yield Objective(KEY, TITLE, "fault → the first alert fires", "seconds", target, interval, why=why)


def _matters(measured: Measured) -> bool:
    users, seen = measured.users, measured.monitored
    return users is None or users.had_outage or bool(users.still_failing) or bool(seen and seen.noticed)


def _interval(measured: Measured) -> tuple[Interval, str]:
    """Missed if an alert surely stayed silent; else the first one counts, and any doubt about another one."""
    seen, fault_at = measured.monitored, measured.fault_at
    if fault_at is None:
        return unknown(), "no fault was injected"
    if seen is None or not seen.alerts:
        return unknown(), (seen.no_record if seen else "") or "no alert is configured under [monitoring]"
    for outcome in (Outcome.SILENT, Outcome.SUPPRESSED):
        silent = next((alert for alert in seen.alerts if alert.outcome is outcome), None)
        if silent is not None and not (measured.cut_off or measured.stopped):
            return Interval(math.inf, math.inf), words(silent, fault_at)
    doubt = next((alert for alert in seen.alerts if alert.outcome is not Outcome.FIRED), None)
    if doubt is not None:
        return unknown(), words(doubt, fault_at)
    first = seen.noticed
    if first is None or first.fired is None or first.low is None or first.high is None:
        return unknown(), "no alert fired"
    return Interval(first.low - fault_at, first.high - fault_at, first.fired - fault_at), ""


def to_json(measured: Measured) -> dict[str, Json]:
    """The members named in `KEYS`; null: monitoring is not configured."""
    seen, zero = measured.monitored, measured.fault_at
    if seen is None:
        return dict.fromkeys(KEYS)
    return {"monitoring": _monitoring(seen), "alerts": {a.name: _alert(a, zero) for a in seen.alerts}}


def _monitoring(seen: Monitored) -> dict[str, Json]:
    signals = seen.record.signals if seen.record else ()
    troubles = {each.signal.name: each.trouble for each in seen.seen}
    return {
        "sentence": sentence(seen),
        "why": seen.no_record,
        "users": _trouble(seen.users),
        "signals": [
            {
                "name": signal.name,
                "source": signal.source,
                "means": signal.means,
                "resolution_seconds": _rounded(signal.resolution_seconds),
                "problem": signal.problem,
                **(_trouble(troubles.get(signal.name)) or {}),
            }
            for signal in signals
        ],
    }


def _trouble(found: Trouble | None) -> dict[str, Json] | None:
    if found is None:
        return None
    return {
        "not_served_peak": _rounded(found.peak),
        "not_served_seconds": _rounded(found.seconds),
        "not_served_error_seconds": _rounded(found.error_seconds),
        "down_seconds": _rounded(found.down_seconds),
        "no_value_seconds": _rounded(found.blind_seconds),
    }


def _alert(alert: Detection, zero: float | None) -> Mapping[str, Json]:
    """``fired_at_seconds`` since the drill's origin, as in ``events.jsonl``; the others since the fault."""
    fault = zero or 0.0
    known = alert.low is not None and alert.high is not None
    return {
        "source": alert.source,
        "outcome": str(alert.outcome),
        "fired_at_seconds": _rounded(alert.fired),
        "detected_seconds": _rounded(None if alert.fired is None else alert.fired - fault),
        "detected_error_seconds": _rounded(((alert.high or 0.0) - (alert.low or 0.0)) / 2 if known else None),
        "resolved_seconds": _rounded(None if alert.resolved is None else alert.resolved - fault),
        "fired_again_seconds": [_rounded(began - fault) for began, _ in alert.again],
        "why": alert.why,
    }


def sentence(seen: Monitored) -> str:
    """What monitoring saw against what users saw; "" where there is nothing to compare."""
    first = seen.first
    if first is None:
        return ""
    if first.trouble is None:
        why = first.signal.problem or "it has no value after the fault"
        return f"What your monitoring saw is not known: {why}."
    if seen.users is None:
        return f"Your monitoring {_saw(first, first.trouble)}; what users had is not known."
    return f"Your monitoring {_saw(first, first.trouble)}; users {_had(seen.users)}."


def _saw(seen: Seen, found: Trouble) -> str:
    blind = f", and had no value for {numbers.seconds(found.blind_seconds)}" if found.blind_seconds else ""
    every = f" (a value every {numbers.seconds_goal(seen.signal.resolution_seconds)})"
    if not found.seconds:
        return f"saw no more errors than before the fault{every}{blind}"
    return f"saw {_peak(found)} errors for {numbers.seconds(found.seconds)}{every}{blind}"


def _had(found: Trouble) -> str:
    if not found.seconds:
        return "had none"
    return f"had {_peak(found)} for {numbers.seconds(found.seconds)}"


def _peak(found: Trouble) -> str:
    """Only where it was as bad all the time, the worst is what it was."""
    steady = found.down_seconds >= 0.99 * found.peak * found.seconds
    return share(found.peak) if steady else f"up to {share(found.peak)}"


def added_up(seen: Monitored) -> str:
    """Both as if nobody had been served for so long: what no window of monitoring smears; "" if it is not known."""
    first, users = seen.first, seen.users
    if first is None or first.trouble is None or users is None or not (users.seconds or first.trouble.seconds):
        return ""
    monitored, had = numbers.seconds(first.trouble.down_seconds), numbers.seconds(users.down_seconds)
    return f"Added up, it saw {monitored} in which nobody was served, where users had {had}."


def share(value: float) -> str:
    """A share of requests not served, to two figures; 100 % only if it is all of them."""
    percent = 100 * value
    if value >= 1:
        return f"100{numbers.NBSP}%"
    if percent < 0.05:
        return f"0{numbers.NBSP}%" if value == 0 else f"less than 0.1{numbers.NBSP}%"
    return f"{percent:.1f}{numbers.NBSP}%" if percent < 9.95 else f"{min(percent, 99):.0f}{numbers.NBSP}%"


def words(alert: Detection, fault_at: float) -> str:
    """What became of one alert: "OrdersFail fired 12.3 s after the fault and ended +80 s", without full stop."""
    why = f" ({alert.why})" if alert.why else ""
    if alert.outcome is Outcome.FIRED and alert.fired is not None:
        error = ((alert.high or alert.fired) - (alert.low or alert.fired)) / 2
        ended = "had not ended when the drill did" if alert.resolved is None else "ended "
        if alert.resolved is not None:
            ended += numbers.offset(alert.resolved - fault_at)
        if alert.again:
            ended += f", then fired again {numbers.offset(alert.again[0][0] - fault_at)}"
        took = numbers.seconds_with_error(alert.fired - fault_at, error)
        return f"{alert.name} fired {took} after the fault and {ended}{why}"
    said = {
        Outcome.SILENT: "did not fire",
        Outcome.SUPPRESSED: "fired, but told nobody",
        Outcome.BEFORE: "was firing before the fault",
    }
    return f"{alert.name} {said.get(alert.outcome, 'was not seen to fire')}{why}"


def _rounded(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else round(value, 6)

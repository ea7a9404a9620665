"""The metrics of a drill, by name, and as text that both OpenMetrics and the older Prometheus format read. Pure.

All are gauges: what the newest drill of an experiment found. What was not measured is left out, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from blackstart.journals.verdict import Word
from blackstart.publish.facts import Facts

PREFIX = "blackstart_drill_"
LABELS = ("experiment", "environment", "service")
"""Of every metric; some have one or two more."""
HELP: Mapping[str, str] = {
    "verdict": "1 for the verdict of the drill, 0 for the two others.",
    "exit_code": "0 passed, 1 failed, 2 inconclusive, 3 something may still be in place.",
    "cut_off": "1 if the process of the drill was killed before its end.",
    "started_timestamp_seconds": "When the drill began.",
    "ended_timestamp_seconds": "When the drill was last watched.",
    "fault_timestamp_seconds": "When the fault began.",
    "recovery_time_seconds": "RTO: from the fault until users were served again.",
    "recovery_time_error_seconds": "How far the recovery time may be off, to either side.",
    "step_seconds": "How much of the recovery time went into a step of the fail-over.",
    "data_loss_seconds": "RPO: age of the oldest acknowledged write that is gone, at the fault.",
    "lost_writes": "Acknowledged writes that are gone.",
    "acknowledged_writes": "Writes that were acknowledged.",
    "unknown_writes": "Writes whose fate is not known.",
    "availability_ratio": "Share of the test requests that were served in time.",
    "requests": "Test requests.",
    "failed_requests": "Test requests that were not served.",
    "longest_outage_seconds": "The longest time in which users were not served.",
    "dns_failover_seconds": "From the last old answer to the first new one.",
    "latency_seconds": "A percentile of the latency, outside the outage.",
    "changes": "What the drill changed.",
    "leftovers": "Changes that are not proven to be undone.",
    "objective": "1 for what became of an objective (met, missed or inconclusive), 0 for the two others.",
    "objective_target": "What an objective requires, in its own unit.",
    "objective_measured": "What was measured for an objective, in the same unit.",
}
"""Every metric that is ever written, without the prefix."""
_NUMBERS = {
    "exit_code": "exit_code",
    "recovery_time_seconds": "rto_seconds",
    "recovery_time_error_seconds": "rto_error_seconds",
    "data_loss_seconds": "rpo_seconds",
    "lost_writes": "lost_writes",
    "acknowledged_writes": "acknowledged_writes",
    "unknown_writes": "unknown_writes",
    "availability_ratio": "availability",
    "requests": "requests",
    "failed_requests": "failed_requests",
    "longest_outage_seconds": "longest_outage_seconds",
    "dns_failover_seconds": "dns_failover_seconds",
    "changes": "changes",
}
_RESULTS = {True: "met", False: "missed", None: "inconclusive"}


@dataclass(frozen=True)
class Sample:
    """One value. ``labels``: those beside the ones that all metrics have."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def labels(facts: Facts) -> dict[str, str]:
    """The labels of every metric of a drill."""
    drill = facts.drill
    return dict(zip(LABELS, (drill.experiment, drill.environment, facts.service), strict=True))


def samples(facts: Facts) -> tuple[Sample, ...]:
    """Every metric of a drill that is over, in the order of HELP."""
    found = [*_state(facts), *_numbers(facts), *_objectives(facts)]
    order = list(HELP)
    return tuple(sorted((each for each in found if math.isfinite(each.value)), key=lambda each: order.index(each.name)))


def text(facts: Facts) -> str:
    """All of them, as a node exporter, a Pushgateway or an OpenMetrics parser reads them."""
    return "\n".join((*_lines(samples(facts), labels(facts)), "# EOF", ""))


def _state(facts: Facts) -> Iterator[Sample]:
    outcome = facts.outcome
    for word in Word:
        yield Sample("verdict", float(word == outcome["verdict"]), {"verdict": word.value})
    yield Sample("cut_off", float(bool(outcome["cut_off"])))
    yield Sample("leftovers", float(len(outcome["leftovers"])))
    yield Sample("started_timestamp_seconds", facts.drill.started.timestamp())
    yield Sample("ended_timestamp_seconds", facts.ended.timestamp())
    if facts.measured is not None and facts.measured.fault_at is not None:
        yield Sample("fault_timestamp_seconds", facts.measured.wall(facts.measured.fault_at).timestamp())


def _numbers(facts: Facts) -> Iterator[Sample]:
    for name, key in _NUMBERS.items():
        if (value := facts.number(key)) is not None:
            yield Sample(name, value)
    for quantile, key in (("0.95", "p95_seconds"), ("0.99", "p99_seconds")):
        if (value := facts.number(key)) is not None:
            yield Sample("latency_seconds", value, {"quantile": quantile})
    for step in facts.outcome["rto_steps"]:
        if step["seconds"] is not None:
            yield Sample("step_seconds", step["seconds"], {"step": step["name"]})


def _objectives(facts: Facts) -> Iterator[Sample]:
    for key, objective in facts.outcome["objectives"].items():
        of = {"objective": key, "unit": objective["unit"]}
        for met, result in _RESULTS.items():
            yield Sample("objective", float(objective["met"] is met), {"objective": key, "result": result})
        yield Sample("objective_target", objective["target"], of)
        if objective["measured"] is not None:
            yield Sample("objective_measured", objective["measured"], of)


def _lines(found: Sequence[Sample], common: Mapping[str, str]) -> Iterator[str]:
    last = ""
    for sample in found:
        name = PREFIX + sample.name
        if name != last:
            yield f"# HELP {name} {HELP[sample.name]}"
            yield f"# TYPE {name} gauge"
            last = name
        named = ",".join(f'{label}="{_escaped(value)}"' for label, value in {**common, **sample.labels}.items())
        yield f"{name}{{{named}}} {sample.value!r}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")

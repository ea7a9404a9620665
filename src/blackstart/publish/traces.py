"""A drill as an OpenTelemetry trace: the drill, the fault, the recovery with its steps, the undo, every change.

OTLP over HTTP in its JSON form, which needs no library. The ids follow from the drill: telling twice gives one trace.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from blackstart import __version__
from blackstart.journal_settings import OpenTelemetry
from blackstart.journals.measure import Measured
from blackstart.journals.verdict import Word
from blackstart.publish.facts import Facts
from blackstart.publish.sending import Sender, bearer

PATH = "/v1/traces"
INTERNAL = 1
STATUS = {Word.PASSED: 1, Word.FAILED: 2, Word.INCONCLUSIVE: 0}
"""Ok, error, and unset: an inconclusive drill is neither."""
MOST_CHANGES = 1000
MOST_EVENTS = 128
TOLD_EVENTS = ("alert", "cache", "decide", "detect", "dns", "lapse", "lost", "note", "phase", "ready", "stop", "writer")
_NUMBERS = (
    "rto_seconds", "rto_error_seconds", "rpo_seconds", "availability", "requests", "failed_requests", "lost_writes",
    "acknowledged_writes", "longest_outage_seconds", "dns_failover_seconds", "p95_seconds", "p99_seconds", "changes",
    "exit_code",
)  # fmt: skip


@dataclass(frozen=True)
class Span:
    """``began`` and ``ended`` in seconds since the drill's origin. ``key`` tells it from all others of the drill;
    ``under`` is the key of the span that it is part of."""

    key: str
    name: str
    began: float
    ended: float
    under: str = "drill"
    attributes: Mapping[str, Any] = field(default_factory=dict)


def tell(facts: Facts, settings: OpenTelemetry, sender: Sender, token: str) -> None:
    """NotTold if the collector does not take all of it."""
    url = settings.url.rstrip("/")
    url = url if url.endswith(PATH) else url + PATH
    body = json.dumps(request(facts)).encode()
    headers = {**settings.headers, **bearer(token), "Content-Type": "application/json"}
    answer = sender.send("POST", url, headers, body)
    if problem := _left_out(answer):
        raise sender.problem(problem)


def request(facts: Facts) -> dict[str, Any]:
    """``ExportTraceServiceRequest`` as JSON. Pure."""
    drill = facts.drill
    about = {
        "service.name": "blackstart",
        "service.version": __version__,
        "deployment.environment.name": drill.environment,
    }
    told = {"scope": {"name": "blackstart", "version": __version__}, "spans": list(_encoded(facts))}
    return {"resourceSpans": [{"resource": {"attributes": attributes(about)}, "scopeSpans": [told]}]}


def spans(measured: Measured, end: float) -> Iterator[Span]:
    """Everything below the drill itself, which ends at ``end``. Pure."""
    fault_at, users = measured.fault_at, measured.users
    if fault_at is not None:
        undone = measured.undone_at
        lasted = {"blackstart.fault": measured.drill.fault, "blackstart.undone": undone is not None}
        yield Span("fault", "fault", fault_at, end if undone is None else undone, attributes=lasted)
    if fault_at is not None and users is not None and users.recovered_at is not None:
        yield Span("recovery", "recovery", fault_at, users.recovered_at)
        for step in users.steps:
            if step.began is not None and step.ended is not None:
                told = {"blackstart.step": step.name, "blackstart.evidence": step.evidence}
                yield Span(f"step {step.name}", f"step: {step.name}", step.began, step.ended, "recovery", told)
    if measured.undo_at is not None:
        done = measured.undone_at
        yield Span("undo", "undo", measured.undo_at, end if done is None else max(done, measured.undo_at))
    yield from _changes(measured, end)


def _changes(measured: Measured, end: float) -> Iterator[Span]:
    """From just before each was applied until it was undone."""
    for change in measured.changes[:MOST_CHANGES]:
        if change.began is not None:
            told = {
                "blackstart.change": change.id,
                "blackstart.kind": change.kind,
                "blackstart.target": change.target,
                "blackstart.zone": change.zone,
                "blackstart.state": change.state,
                "blackstart.undone_by": change.by,
            }
            ended = change.undone if change.undone is not None else change.verified
            name = change.summary or change.kind
            yield Span(f"change {change.id}", name, change.began, end if ended is None else ended, "fault", told)


def attributes(named: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Numbers, words and truths as OTLP has them; what is None or "" is left out."""
    found = []
    for name, value in named.items():
        if value is None or value == "":
            continue
        if isinstance(value, bool):
            told: dict[str, Any] = {"boolValue": value}
        elif isinstance(value, int):
            told = {"intValue": str(value)}
        elif isinstance(value, float):
            told = {"doubleValue": value}
        else:
            told = {"stringValue": str(value)}
        found.append({"key": name, "value": told})
    return found


def _encoded(facts: Facts) -> Iterator[dict[str, Any]]:
    if facts.measured is None:
        return
    end = (facts.ended - facts.drill.started).total_seconds()
    root = _span(facts, Span("drill", f"drill {facts.drill.experiment}", 0.0, end, "", _about(facts)))
    status: dict[str, Any] = {"code": STATUS[Word(facts.outcome["verdict"])]}
    if status["code"] == 2:
        status["message"] = facts.sentence
    yield {**root, "status": status, "events": list(_events(facts, facts.measured))}
    for span in spans(facts.measured, end):
        yield _span(facts, span)


def _about(facts: Facts) -> dict[str, Any]:
    drill = facts.drill
    words = {
        "blackstart.drill": drill.drill,
        "blackstart.experiment": drill.experiment,
        "blackstart.title": drill.title,
        "blackstart.fault": drill.fault,
        "blackstart.service": facts.service,
        "blackstart.verdict": facts.moment,
        "blackstart.reason": facts.sentence,
        "blackstart.cut_off": bool(facts.outcome.get("cut_off")),
        "blackstart.report": facts.report,
    }
    return {**words, **{f"blackstart.{key}": facts.outcome.get(key) for key in _NUMBERS}}


def _events(facts: Facts, measured: Measured) -> Iterator[dict[str, Any]]:
    told = [event for event in measured.events if event.kind in TOLD_EVENTS]
    for event in told[:MOST_EVENTS]:
        plain = {name: value for name, value in event.fields.items() if isinstance(value, str | int | float)}
        yield {"timeUnixNano": _nanoseconds(facts, event.at), "name": event.kind, "attributes": attributes(plain)}


def _span(facts: Facts, span: Span) -> dict[str, Any]:
    found = {
        "traceId": _digest(facts, "trace")[:32],
        "spanId": _digest(facts, span.key)[:16],
        "name": span.name,
        "kind": INTERNAL,
        "startTimeUnixNano": _nanoseconds(facts, span.began),
        "endTimeUnixNano": _nanoseconds(facts, max(span.began, span.ended)),
        "attributes": attributes(span.attributes),
    }
    return {**found, "parentSpanId": _digest(facts, span.under)[:16]} if span.under else found


def _digest(facts: Facts, key: str) -> str:
    return hashlib.sha256(f"{facts.drill.drill} {facts.drill.started.isoformat()} {key}".encode()).hexdigest()


def _nanoseconds(facts: Facts, at: float) -> str:
    return str(round(facts.drill.at(at).timestamp() * 1e6) * 1000)


def _left_out(answer: bytes) -> str:
    """What the collector says that it left out; an answer that is no JSON says nothing of the kind."""
    try:
        said = json.loads(answer or b"{}")
        partial = said.get("partialSuccess") or {}
        rejected = int(partial.get("rejectedSpans") or 0)
    except (ValueError, TypeError, AttributeError):
        return "its answer is not that of a collector"
    return f"it left out {rejected} spans: {partial.get('errorMessage', '')}" if rejected else ""

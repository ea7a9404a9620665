"""What ``verdict.json`` says about regions: two writers at once, the way home, calls to a lost region. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from blackstart.journals.calls import LostCalls
from blackstart.journals.failback import Failback
from blackstart.journals.measure import Measured
from blackstart.observer.writers import Span, Writers

Json = Any
KEYS = ("split_brain", "failback", "calls_to_lost_region")


def to_json(measured: Measured) -> dict[str, Json]:
    """The members named in `KEYS`; null is "not measured". Times in seconds, from the fault where there was one."""
    zero = measured.fault_at or 0.0
    return {
        "split_brain": _split_brain(measured.writers, zero),
        "failback": _failback(measured.failback),
        "calls_to_lost_region": None if measured.calls is None else _calls(measured.calls),
    }


def _split_brain(writers: Writers, zero: float) -> Mapping[str, Json] | None:
    if not writers.looked:
        return None
    return {
        "seconds": _rounded(writers.seconds),
        "regions_asked": list(writers.looked),
        "regions_never_seen": list(writers.unseen),
        "found": [
            {
                "regions": list(two.regions),
                "seconds": _rounded(two.seconds),
                "from_to": [[_rounded(began - zero), _rounded(ended - zero)] for began, ended in two.stretches],
                "writes": [{"key": write.key, "region": write.region} for write in two.writes],
            }
            for two in writers.doubled
        ],
        "not_asked": [_blind(span, zero) for span in writers.blind],
    }


def _blind(span: Span, zero: float) -> Mapping[str, Json]:
    until = span.before if span.before < float("inf") else None
    ended = None if until is None else _rounded(until - zero)
    return {"region": span.region, "from": _rounded(span.asked - zero), "to": ended, "problem": span.problem}


def _failback(found: Failback) -> Mapping[str, Json]:
    return {
        "duration_seconds": _rounded(found.seconds),
        "error": _rounded(found.error) if found.seconds is not None else None,
        "downtime_seconds": _rounded(found.downtime),
        "downtime_error": _rounded(found.downtime_error) if found.downtime is not None else None,
        "writer_home_seconds": _rounded(found.writer_home),
        "lost_writes": None if found.lost is None else len(found.lost),
        "served_by": [
            {"region": stint.region or None, "from": _rounded(stint.began), "to": _rounded(stint.ended)}
            for stint in found.served
        ],
        "why": found.gap or found.lost_gap,
    }


def _calls(found: LostCalls) -> Mapping[str, Json]:
    return {
        "region": found.region,
        "seconds": _rounded(found.ended - found.began),
        "none": found.none,
        "drill_unknown": found.no_own,
        "platform_unknown": found.no_platform,
        "callers": [
            {**asdict(caller), "first": _rounded(caller.first), "waited": _rounded(caller.waited)}
            for caller in found.callers
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)

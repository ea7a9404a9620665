"""What one drill shows, from its verdict and the kinds of its changes. Pure.

A drill shows something only if it passed as a whole, and an objective for just that was set and met. Everything else
is kept and said: missed, not proven, measured without an objective.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Json = Any
RESTORES = frozenset({"rds.restored_cluster", "velero.restore"})
"""Kinds of changes that restore a backup."""


class Kind(StrEnum):
    """What a drill can show."""

    RECOVERY = "recovery"
    ELSEWHERE = "elsewhere"
    DATA = "data"
    RESTORE = "restore"
    RETURN = "return"
    ALERTS = "alerts"

    @property
    def label(self) -> str:
        """For tables."""
        return _LABELS[self]

    @property
    def words(self) -> str:
        """What was tried, for sentences."""
        return _WORDS[self]

    @property
    def without(self) -> str:
        """Completes "No drill …", where none tried it."""
        return _WITHOUT[self]


_LABELS = {
    Kind.RECOVERY: "Recovery",
    Kind.ELSEWHERE: "Served from elsewhere",
    Kind.DATA: "Data",
    Kind.RESTORE: "Restored backup",
    Kind.RETURN: "Way back",
    Kind.ALERTS: "Alerts",
}
_WORDS = {
    Kind.RECOVERY: "the service’s recovery from a fault, as users had it",
    Kind.ELSEWHERE: "users served from another place",
    Kind.DATA: "acknowledged writes, looked for after the fault",
    Kind.RESTORE: "backups restored",
    Kind.RETURN: "the way back to normal",
    Kind.ALERTS: "alerts that should notice the fault",
}
_WITHOUT = {
    Kind.RECOVERY: "injected a fault and measured what users had of it",
    Kind.ELSEWHERE: "moved users to another place",
    Kind.DATA: "looked for acknowledged writes after a fault",
    Kind.RESTORE: "restored a backup",
    Kind.RETURN: "timed the way back to normal",
    Kind.ALERTS: "recorded whether alerts noticed a fault",
}
_OBJECTIVES = {
    Kind.RECOVERY: ("rto_seconds", "longest_outage_seconds", "availability", "error_budget_share"),
    Kind.ELSEWHERE: ("rto_seconds", "dns_failover_seconds", "longest_outage_seconds", "error_budget_share"),
    Kind.DATA: ("lost_writes", "rpo_seconds"),
    Kind.RETURN: ("failback_downtime_seconds",),
}


@dataclass(frozen=True)
class Shown:
    """``held``: true, false, or None where nothing is proven. ``words``: the numbers behind it."""

    kind: Kind
    held: bool | None
    words: tuple[str, ...] = ()


def shown(verdict: Mapping[str, Json], changed: Collection[str], felt: bool = True) -> tuple[Shown, ...]:
    """What a drill tried to show. ``verdict`` as in ``verdict.json``, whatever it holds; ``changed``: the kinds of
    the changes that it made; ``felt``: somebody was to feel the fault."""
    return tuple(_held(kind, verdict) for kind in Kind if _tried(kind, verdict, changed, felt))


def _tried(kind: Kind, verdict: Mapping[str, Json], changed: Collection[str], felt: bool) -> bool:
    if not isinstance(verdict.get("fault_at"), str):
        return False
    asked = _number(verdict, "requests") > 0
    if kind is Kind.RECOVERY:
        return felt and asked
    if kind is Kind.ELSEWHERE:
        moved = _table(verdict, "calls_to_lost_region") or _number(verdict, "dns_failover_seconds") > 0
        return felt and asked and bool(moved)
    if kind is Kind.DATA:
        return _number(verdict, "acknowledged_writes") > 0 and verdict.get("lost_writes") is not None
    if kind is Kind.RESTORE:
        return not RESTORES.isdisjoint(changed)
    if kind is Kind.RETURN:
        return _number(_table(verdict, "failback"), "duration_seconds") > 0
    return bool(_table(verdict, "alerts"))


def _held(kind: Kind, verdict: Mapping[str, Json]) -> Shown:
    if kind is Kind.ALERTS:
        return _alerts(verdict)
    objectives = _table(verdict, "objectives")
    chosen = [_table(objectives, key) for key in _OBJECTIVES.get(kind, ()) if key in objectives]
    words = tuple(text(each.get("text")) for each in chosen)
    if not chosen and kind in _OBJECTIVES:
        words = ("measured, but no objective was set for it",)
    met = [each.get("met") for each in chosen]
    return Shown(kind, _decided(met, bool(chosen) or kind not in _OBJECTIVES, verdict), words)


def _decided(met: list[Json], asked: bool, verdict: Mapping[str, Json]) -> bool | None:
    """False where the drill proves the contrary, None where it proves nothing."""
    word = verdict.get("verdict")
    if False in met or (word == "failed" and asked):
        return False
    return True if word == "passed" and asked and all(each is True for each in met) else None


def _alerts(verdict: Mapping[str, Json]) -> Shown:
    outcomes = dict(_outcomes(_table(verdict, "alerts")))
    words = tuple(f"{name}: {outcome}" for name, outcome in sorted(outcomes.items()))
    quiet = {"silent", "suppressed"} & set(outcomes.values())
    if quiet:
        return Shown(Kind.ALERTS, False, words)
    fired = all(outcome == "fired" for outcome in outcomes.values())
    return Shown(Kind.ALERTS, True if fired and verdict.get("verdict") == "passed" else None, words)


def _outcomes(alerts: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    for name in alerts:
        yield text(name), text(_table(alerts, name).get("outcome")) or "unknown"


def text(value: Json) -> str:
    """ "" for what is no text; half a character, which JSON can hold and no file can, becomes a question mark."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _number(data: Mapping[str, Json], key: str) -> float:
    """0 where there is none."""
    value = data.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _table(data: Mapping[str, Json], key: str) -> Mapping[str, Json]:
    """Empty where there is none."""
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}

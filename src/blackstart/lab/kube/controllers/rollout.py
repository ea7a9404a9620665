"""How large each ReplicaSet of a Deployment should be next. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blackstart.lab.kube.quantities import amount


@dataclass(frozen=True)
class Sizes:
    """Pods asked for, and pods available, of one ReplicaSet."""

    replicas: int
    available: int


@dataclass(frozen=True)
class Plan:
    """Pods to ask for: of the current ReplicaSet, and of the old ones by name."""

    current: int
    old: Mapping[str, int]


@dataclass(frozen=True)
class Limits:
    """How many pods more, and how many available pods fewer than wanted there may be. None: recreate all."""

    surge: int
    unavailable: int


def rolling_limits(replicas: int, strategy: Mapping[str, Any]) -> Limits | None:
    """The limits of a Deployment's strategy; surge rounds up, unavailable down, and not both are zero."""
    if strategy["type"] == "Recreate":
        return None
    rolling = strategy["rollingUpdate"]
    surge = amount(rolling["maxSurge"], replicas, math.ceil)
    unavailable = min(amount(rolling["maxUnavailable"], replicas, math.floor), replicas)
    return Limits(surge, unavailable if surge or unavailable else 1)


def next_sizes(
    replicas: int, limits: Limits | None, current: Sizes, old: Mapping[str, Sizes], *, gone: bool, paused: bool
) -> Plan:
    """One step towards ``replicas`` pods of the current ReplicaSet and none of the others.

    ``gone``: no pod of an old one exists any more. ``paused``: keep the proportions, only follow ``replicas``.
    """
    busy = {name: sizes for name, sizes in old.items() if sizes.replicas}
    if not busy and (limits or gone):
        return Plan(replicas, dict.fromkeys(old, 0))
    if paused:
        return _resized(replicas, current, old)
    if limits is None:
        return Plan(current.replicas, dict.fromkeys(old, 0))
    total = current.replicas + sum(sizes.replicas for sizes in busy.values())
    room = max(0, replicas + limits.surge - total)
    grown = min(replicas, current.replicas + room)
    return Plan(grown, _shrunk(replicas - limits.unavailable, current, old))


def _shrunk(least: int, current: Sizes, old: Mapping[str, Sizes]) -> dict[str, int]:
    """Old sizes that leave at least ``least`` pods available: the unavailable ones go first."""
    after = {name: sizes.replicas for name, sizes in old.items()}
    total = current.replicas + sum(after.values())
    spare = total - least - (current.replicas - current.available)
    for name, sizes in old.items():
        broken = min(sizes.replicas - sizes.available, max(0, spare))
        after[name] -= broken
        spare -= broken
    available = current.available + sum(sizes.available for sizes in old.values())
    spare = min(max(0, spare), max(0, available - least))
    for name in old:
        taken = min(after[name], spare)
        after[name] -= taken
        spare -= taken
    return after


def _resized(replicas: int, current: Sizes, old: Mapping[str, Sizes]) -> Plan:
    """The same mix in another size; what rounding leaves goes to the current one."""
    total = current.replicas + sum(sizes.replicas for sizes in old.values())
    kept = {name: sizes.replicas * replicas // total for name, sizes in old.items()}
    return Plan(replicas - sum(kept.values()), kept)

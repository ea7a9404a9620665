"""Which records of a zone answer a question, by Route 53's rules. Pure.

Routing policies: simple, failover, weighted, geolocation, and aliases to other records of the same zone. Sources: Route
53 developer guide, "How Amazon Route 53 chooses records when health checking is configured", and "Values specific for
geolocation records".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from blackstart.lab.dns_places import NOWHERE, Place

ALIAS_TTL = 60
MOST_ALIASES = 8

Healthy = Callable[[str], bool]
"""Whether the health check with this id counts as healthy."""
Draw = Callable[[], float]
"""A random number from 0 (included) to 1 (excluded)."""


@dataclass(frozen=True)
class Record:
    """One resource record set. Names are lower-case and end in a dot; ``ttl`` in seconds; ``values`` as in zone files.

    ``failover`` is PRIMARY, SECONDARY or "", ``weight`` None unless the policy is weighted; ``health_check`` and
    ``alias`` (the name that is looked up instead) may be "". ``place`` is None unless the policy is geolocation; then
    NOWHERE stands for everywhere else.
    """

    name: str
    type: str
    ttl: int = 0
    values: tuple[str, ...] = ()
    failover: str = ""
    weight: int | None = None
    health_check: str = ""
    alias: str = ""
    alias_health: bool = False
    place: Place | None = None


def absolute(name: str) -> str:
    """``name`` in the form that records use: lower-case, with the dot at its end."""
    return name.lower().rstrip(".") + "."


def from_api(found: Mapping[str, Any]) -> Record:
    """The record of one entry of ListResourceRecordSets."""
    alias, place = found.get("AliasTarget") or {}, found.get("GeoLocation")
    return Record(
        name=absolute(found["Name"]),
        type=found["Type"],
        ttl=int(found.get("TTL", ALIAS_TTL)),
        values=tuple(entry["Value"] for entry in found.get("ResourceRecords") or ()),
        failover=found.get("Failover", ""),
        weight=found.get("Weight"),
        health_check=found.get("HealthCheckId", ""),
        alias=absolute(alias["DNSName"]) if alias else "",
        alias_health=bool(alias.get("EvaluateTargetHealth", False)),
        place=_place(place) if place else None,
    )


def _place(found: Mapping[str, str]) -> Place:
    country = found.get("CountryCode", "")
    return Place(found.get("ContinentCode", ""), "" if country == "*" else country, found.get("SubdivisionCode", ""))


class Zone:
    """The records of one zone, ready to be asked. ``name`` with or without its dot."""

    def __init__(self, name: str, records: Iterable[Record] = ()) -> None:
        self.name = absolute(name)
        self.records = tuple(records)
        self._sets: dict[tuple[str, str], list[Record]] = {}
        for record in self.records:
            self._sets.setdefault((record.name, record.type), []).append(record)
        self._names = {record.name for record in self.records} | {self.name}

    def covers(self, name: str) -> bool:
        """Whether ``name`` is inside this zone."""
        return absolute(name) == self.name or absolute(name).endswith("." + self.name)

    def has(self, name: str) -> bool:
        """Whether ``name``, or a name below it, has records of any type."""
        return any(known == name or known.endswith("." + name) for known in self._names)

    def find(self, name: str, kind: str, healthy: Healthy, draw: Draw, place: Place = NOWHERE) -> list[Record]:
        """The records that answer for ``name`` and type ``kind``, asked from ``place``, one per step of a CNAME chain;
        empty if none does."""
        found: list[Record] = []
        wanted = absolute(name)
        asking = _Asking(healthy, draw, place)
        while len(found) < MOST_ALIASES:
            record = self._one(wanted, kind, asking)
            if record is None and kind != "CNAME":
                record = self._one(wanted, "CNAME", asking)
            if record is None:
                break
            found.append(record)
            if record.type == kind:
                break
            wanted = absolute(record.values[0])
        return found

    def _one(self, name: str, kind: str, asking: _Asking, depth: int = 0) -> Record | None:
        candidates = self._sets.get((name, kind))
        if not candidates or depth > MOST_ALIASES:
            return None
        chosen = choose(
            candidates, lambda record: self._alive(record, asking.healthy, depth), asking.draw, asking.place
        )
        if chosen is None or not chosen.alias:
            return chosen
        target = self._one(chosen.alias, kind, asking, depth + 1)
        return replace(target, name=name) if target else None

    def _alive(self, record: Record, healthy: Healthy, depth: int) -> bool:
        if record.health_check and not healthy(record.health_check):
            return False
        if not (record.alias and record.alias_health) or depth > MOST_ALIASES:
            return True
        targets = self._sets.get((record.alias, record.type), ())
        return any(self._alive(target, healthy, depth + 1) for target in targets)


@dataclass(frozen=True)
class _Asking:
    """What an answer depends on, besides the zone."""

    healthy: Healthy
    draw: Draw
    place: Place


def choose(
    candidates: Sequence[Record], alive: Callable[[Record], bool], draw: Draw, place: Place = NOWHERE
) -> Record | None:
    """The one of ``candidates`` (same name and type, not empty) that Route 53 would answer somebody in ``place`` with
    now; None if it would not answer there at all."""
    if any(record.place is not None for record in candidates):
        return _nearest(candidates, alive, place)
    if any(record.failover for record in candidates):
        in_order = sorted(candidates, key=lambda record: record.failover != "PRIMARY")
        return next((record for record in in_order if alive(record)), in_order[0])
    if any(record.weight is not None for record in candidates):
        return _weighted(candidates, alive, draw)
    return next((record for record in candidates if alive(record)), candidates[0])


def _nearest(candidates: Sequence[Record], alive: Callable[[Record], bool], place: Place) -> Record | None:
    """The most specific record for ``place``; while that is unhealthy, the next larger one's."""
    fitting = {record.place: record for record in candidates if record.place is not None and record.place.holds(place)}
    in_order = [fitting[each] for each in sorted(fitting, key=lambda each: each.rank, reverse=True)]
    return next((record for record in in_order if alive(record)), in_order[0] if in_order else None)


def _weighted(candidates: Sequence[Record], alive: Callable[[Record], bool], draw: Draw) -> Record:
    positive = [record for record in candidates if record.weight]
    zero = [record for record in candidates if not record.weight]
    # Weight 0 only serves when none of the others is healthy; when nothing is healthy, everything counts as healthy.
    living = [record for record in positive if alive(record)] or [record for record in zero if alive(record)]
    living = living or positive or zero
    weights = [record.weight or 0 for record in living]
    if not any(weights):
        return living[int(draw() * len(living))]
    mark = draw() * sum(weights)
    for record, weight in zip(living, weights, strict=True):
        mark -= weight
        if mark < 0:
            return record
    return living[-1]

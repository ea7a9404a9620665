"""A region lost, as one fault: what goes with it, in which order, and what it takes to have its writers home again.

The steps, in the order in which they are applied; undo goes backwards:

0. pledges change nothing: whatever the platform moves to another region comes home, once all below is undone;
1. traffic: a health check is inverted, so that DNS turns away. A lost region's own check fails by itself, and how long
   that takes is part of the recovery time: so this is for a partial loss;
2. network: the subnets go behind a network ACL that denies everything;
3. data: stores are killed where the platform has a way to do that, else their subnets go behind such an ACL;
4. the control plane goes last, because the steps before need it, and comes back first, because their undo does.

Stores come back while their region is still cut off, so nobody is sent to them before they know who writes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from blackstart.changes.clients import Clients
from blackstart.changes.global_cache import GlobalCache, plan_global_primary
from blackstart.changes.global_database import GlobalDatabase, plan_global_writer
from blackstart.changes.health_check import HealthCheck, plan_inversion
from blackstart.changes.model import Change, new_id
from blackstart.changes.network import Subnet, Vpc
from blackstart.changes.network_acl import Fences, plan_black_hole
from blackstart.changes.registry import Kinds
from blackstart.errors import ConfigInvalid, Refused

TRAFFIC, NETWORK, DATA, CONTROL_PLANE = PARTS = ("traffic", "network", "data", "control-plane")
PLEDGES = 0


@runtime_checkable
class RegionFault(Protocol):
    """An optional capability of a change kind: it has a fault for one part of a whole region.

    ``actions.regions`` asks it of the kinds that an experiment names, so that what a region can lose differs by
    platform and the action does not know where it runs.
    """

    @property
    def part(self) -> str:
        """Which of PARTS it takes away."""
        ...

    def plan_region(self, region: str, clients: Clients, step: int) -> Sequence[Change]:
        """What it would change in ``region``, all in this step. Read-only; Refused or LabError if it cannot."""
        ...


@dataclass(frozen=True)
class Pledged:
    """What is to come home: found by asking ``standby``, the region that survives; None for what there is not."""

    standby: str
    database: GlobalDatabase | None = None
    cache: GlobalCache | None = None


@dataclass(frozen=True)
class Loss:
    """Which ``parts`` of a region go, all of them if none is named, and by what.

    ``fences``: of the VPC; ``data_subnets``: ids, or tags as key=value, of the subnets of its data stores;
    ``health_check``: the one that sends users there; ``kinds``: names of change kinds that take more of the region.
    """

    vpc: Vpc
    fences: Fences
    parts: tuple[str, ...] = ()
    data_subnets: tuple[str, ...] = ()
    health_check: HealthCheck | None = None
    kinds: tuple[str, ...] = ()

    @property
    def region(self) -> str:
        return self.vpc.region

    @property
    def subject(self) -> str:
        what = f"{' and '.join(self.parts)} of " if self.parts else ""
        return f"losing {what}region {self.region}"

    def wants(self, part: str) -> bool:
        return not self.parts or part in self.parts


def is_loss(subject: str, region: str) -> bool:
    """Whether a fault with this subject is the loss of ``region``, or of a part of it."""
    return subject.startswith("losing ") and subject.endswith(f"region {region}")


def check_parts(parts: Iterable[str]) -> None:
    """ConfigInvalid for a part that no region has."""
    for part in parts:
        if part not in PARTS:
            raise ConfigInvalid("lose_region", "parts", f"a region has no part {part!r}; it has {', '.join(PARTS)}")


def plan_region_loss(
    loss: Loss, pledged: Pledged, kinds: Kinds, clients: Clients, new_change: Callable[[], str] = new_id
) -> list[Change]:
    """All changes of the fault. Empty if the region has no subnets to cut off and nothing else is asked for. Read-only.

    Refused if a pledge could not be kept, or if a part that is named cannot be taken away here.
    """
    planned = {
        TRAFFIC: _traffic(loss),
        NETWORK: _network(loss, new_change),
        DATA: _data_network(loss, new_change),
        CONTROL_PLANE: [],
    }
    for name in loss.kinds:
        kind = kinds.lookup(name)
        if not isinstance(kind, RegionFault):
            raise ConfigInvalid("also", name, "this change kind has no fault for a whole region")
        if loss.wants(kind.part):
            planned[kind.part] += kind.plan_region(loss.region, clients, 0)
    if not loss.parts and not planned[NETWORK]:
        return []
    missing = [part for part in loss.parts if not planned[part]]
    if missing:
        raise Refused(loss.subject, f"there is no {missing[0]} to take away: {_how(missing[0])}")
    return _in_order(_pledges(loss, pledged), planned)


def _how(part: str) -> str:
    return {
        TRAFFIC: "name the health check that sends users there",
        NETWORK: "the VPC has no subnets",
        DATA: "name the subnets of its data stores, or a change kind that takes them away",
        CONTROL_PLANE: "AWS cannot take one away; name a change kind that can",
    }[part]


def _in_order(pledges: Sequence[Change], planned: Mapping[str, Sequence[Change]]) -> list[Change]:
    """Each part after the one before; a part may have steps of its own."""
    changes, step = list(pledges), PLEDGES + 1
    for part in PARTS:
        steps = [change.step for change in planned[part]]
        changes += [replace(change, step=step + change.step) for change in planned[part]]
        step += max(steps, default=-1) + 1
    return changes


def _traffic(loss: Loss) -> list[Change]:
    return plan_inversion(loss.health_check) if loss.health_check and loss.wants(TRAFFIC) else []


def _network(loss: Loss, new_change: Callable[[], str]) -> list[Change]:
    return plan_black_hole(loss.vpc, loss.vpc.zones, loss.fences, new_change) if loss.wants(NETWORK) else []


def _data_network(loss: Loss, new_change: Callable[[], str]) -> list[Change]:
    """The data stores' subnets alone; with the network, they are cut off already."""
    if not loss.data_subnets or loss.wants(NETWORK) or not loss.wants(DATA):
        return []
    subnets = tuple(subnet for subnet in loss.vpc.subnets if _named(subnet, loss.data_subnets))
    if not subnets:
        named = ", ".join(loss.data_subnets)
        raise Refused(loss.subject, f"{loss.vpc.id} has no subnet that is or carries {named}")
    return plan_black_hole(replace(loss.vpc, subnets=subnets), loss.vpc.zones, loss.fences, new_change)


def _named(subnet: Subnet, names: Collection[str]) -> bool:
    return subnet.id in names or any(f"{key}={value}" in names for key, value in subnet.tags.items())


def _pledges(loss: Loss, pledged: Pledged) -> list[Change]:
    """Refused unless the writer is in the region that is lost, and the standby could take over right now."""
    changes: list[Change] = []
    if database := pledged.database:
        writer, heir = database.writer, database.member(pledged.standby)
        reason = _unfit(
            loss.region, pledged.standby, writer.region if writer else None, heir.synchronised if heir else None
        )
        _refuse(loss, f"global database {database.id}", reason)
        changes += plan_global_writer(database, step=PLEDGES)
    if cache := pledged.cache:
        primary, second = cache.primary, cache.member(pledged.standby)
        reason = _unfit(
            loss.region, pledged.standby, primary.region if primary else None, second.associated if second else None
        )
        _refuse(loss, f"global cache {cache.id}", reason)
        changes += plan_global_primary(cache, step=PLEDGES)
    return changes


def _unfit(lost: str, standby: str, writer: str | None, follows: bool | None) -> str:
    """Why nothing could move from ``lost`` to ``standby`` and home again; "" if it could. ``writer``: its region, None
    if there is none; ``follows``: whether the standby's member replicates, None if there is no such member."""
    if writer != lost:
        return f"has its writer {f'in {writer}' if writer else 'nowhere'}, so this is not the primary region"
    if follows is None:
        return f"has no member in {standby}, so nothing could take over"
    return "" if follows else f"is not replicating to {standby}, so nothing could take over"


def _refuse(loss: Loss, what: str, reason: str) -> None:
    if reason:
        raise Refused(loss.subject, f"{what} {reason}")

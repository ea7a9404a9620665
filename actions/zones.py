"""Losing an availability zone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Dict

from blackstart import drill as drills
from blackstart.changes.budgets import find_budgets
from blackstart.changes.clients import Clients
from blackstart.changes.instance_keeper import InstanceKeeper
from blackstart.changes.keeping import Keeper
from blackstart.changes.model import Change
from blackstart.changes.network import Vpc, find_vpc
from blackstart.changes.network_acl import find_acls, plan_black_hole
from blackstart.changes.pod_deletion import deletions, plan_deletion
from blackstart.changes.pod_keeper import PodKeeper
from blackstart.changes.pod_slots import Slots
from blackstart.changes.pods import Where, find_pods
from blackstart.changes.shiftable import find_shiftable
from blackstart.changes.zonal_shift import plan_shift
from blackstart.changes.zone_power import Wanted, find_all, plan_power_loss
from blackstart.clock import SystemClock
from blackstart.errors import ConfigInvalid

__all__ = ["fail_zone"]

LIMIT_SECONDS = 600.0
WAYS = ("network", "power", "shift")


def fail_zone(
    zone: str,
    vpc: str,
    by: str = "network",
    context: str = "",
    namespace: str = "",
    load_balancers: bool = False,
    databases: str = "",
    caches: str = "",
    fail_back: bool = False,
    resources: str = "",
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Take one zone ("us-east-1b") of a VPC (id or Name tag) away.

    ``by`` "network": its subnets get a network ACL that allows nothing, so connections hang. "power": its instances
    stop, again whenever they come back, and its Auto Scaling groups do not replace them. "shift": a zonal shift takes
    traffic away, on ``resources`` (ARNs with commas between) or else on the VPC's load balancers.

    With the power go, if asked for: nodes of application ``load_balancers``; writers of ``databases`` and primaries of
    ``caches`` (names with commas between), which fail over; undo leaves it at that, or moves writers back with
    ``fail_back``; pods of ``context`` and ``namespace``, again whenever they come back. The reverter ends the fault
    after ``duration_seconds`` if the drill has not. Gives the ``changes`` that were made, and what was ``left``.
    """
    subject = f"failing zone {zone}"
    drill = drills.opened(configuration, subject)
    _check(by, context, namespace)
    place = find_vpc(drill.clients, zone.rstrip("abcdefghijklmnopqrstuvwxyz"), vpc)
    fault = _Fault(drill, subject, place, zone, duration_seconds)
    if by == "power":
        return fault.power(Wanted(load_balancers, _names(databases), _names(caches), fail_back), context, namespace)
    if by == "shift":
        resourced = find_shiftable(drill.clients, place, _names(resources))
        return fault.inject(plan_shift(resourced, place, zone, duration_seconds))
    return fault.inject(plan_black_hole(place, [zone], find_acls(drill.clients, place)))


def _check(by: str, context: str, namespace: str) -> None:
    if by not in WAYS:
        raise ConfigInvalid("fail_zone", "by", f"{by!r} is not a way to lose a zone; there are {', '.join(WAYS)}")
    if bool(context) != bool(namespace):
        raise ConfigInvalid("fail_zone", "namespace", "pods are found by context and namespace; give both, or none")


def _names(listed: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in listed.split(",") if name.strip())


@dataclass(frozen=True)
class _Fault:
    """One fault of a drill, from what is planned to what is told."""

    drill: drills.OpenDrill
    subject: str
    vpc: Vpc
    zone: str
    seconds: float

    def inject(self, changes: Sequence[Change], left: Sequence[str] = ()) -> Dict[str, Any]:
        zones = ", ".join(self.vpc.zones) or "none"
        nothing = f"{self.vpc.id} has nothing in {self.zone} to take away; its zones are {zones}"
        self.drill.inject(changes, self.subject, duration_seconds=self.seconds, nothing=nothing)
        return {"changes": [change.summary for change in changes], "left": list(left)}

    def power(self, wanted: Wanted, context: str, namespace: str) -> Dict[str, Any]:
        clients, zone = self.drill.clients, self.zone
        found = find_all(clients, self.vpc, zone, wanted)
        keepers: list[Keeper] = [InstanceKeeper(clients, self.vpc, zone, found.groups)]
        pods: list[Change] = []
        if context:
            pods, keeper = _pods(clients, context, namespace, zone)
            keepers.append(keeper)
        told = self.inject(plan_power_loss(found, pods, fail_back=wanted.fail_back), found.left)
        for each in keepers:
            self.drill.keep(each, self.subject, duration_seconds=self.seconds)
        return told


def _pods(clients: Clients, context: str, namespace: str, zone: str) -> tuple[list[Change], PodKeeper]:
    """All of the namespace's pods in the zone, and what keeps them away."""
    where, budgets = Where(zone=zone), find_budgets(clients, context, namespace)
    found, clock = find_pods(clients, context, namespace), SystemClock()
    now = clock.now().timestamp()
    changes = plan_deletion(found, [pod for pod in found.pods if where.holds(pod, now)], budgets=budgets)
    slots = Slots(found, changes, everything=True, budgets=budgets)
    return changes, PodKeeper(clients, slots, where, partial(deletions, grace_seconds=0), clock)

"""Powering off instances: those that can be started again are stopped, the rest is terminated.

An instance with its root on an instance store, and a Spot instance, cannot be stopped. It is terminated, and healed
by its Auto Scaling group, which launches another one; without such a group the whole plan is refused. Stopped
instances keep their disks, but lose what is on instance stores, and their public address unless it is elastic.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from blackstart.changes.auto_scaling_zone import Group
from blackstart.changes.clients import Clients
from blackstart.changes.instance_power import POWER, RUNNING, STOPPED, TERMINATED, InstancePower
from blackstart.changes.instance_states import Instance, described, instance_of, protected
from blackstart.changes.instance_termination import InstanceTermination
from blackstart.changes.model import ZONE, Change, Share, new_id
from blackstart.changes.network import Vpc
from blackstart.errors import Refused
from blackstart.scope import Target

__all__ = [
    "HEALERS",
    "Instance",
    "InstancePower",
    "InstanceTermination",
    "Place",
    "find_instances",
    "plan_power_off",
    "plan_terminations",
    "target_of",
]

HEALERS = frozenset({"Launch", "HealthCheck", "ReplaceUnhealthy"})
"""The processes of a group that must not be suspended if it is to heal."""

ShareOf = Callable[[Instance], Share]


@dataclass(frozen=True)
class Place:
    """Where instances are: an account, a region, and the cluster whose nodes they are ("": none that is known)."""

    account: str
    region: str
    cluster: str = ""


def find_instances(clients: Clients, vpc: Vpc, zones: Collection[str]) -> list[Instance]:
    """The running instances of ``vpc`` in ``zones``, by zone and id. Read-only."""
    filters = {"vpc-id": [vpc.id], "availability-zone": sorted(zones), "instance-state-name": ["running"]}
    found = [instance_of(item) for item in described(clients, vpc.region, filters)]
    # Spot instances cannot be protected, and what is stopped need not be terminated.
    mortal = [instance.id for instance in found if not instance.stoppable and not instance.spot]
    kept = protected(clients, vpc.region, mortal)
    found = [replace(instance, protected=instance.id in kept) for instance in found]
    return sorted(found, key=lambda instance: (instance.zone, instance.id))


def plan_power_off(
    instances: Sequence[Instance],
    vpc: Vpc,
    groups: Sequence[Group],
    *,
    step: int = 1,
    share: ShareOf | None = None,
    new_change: Callable[[], str] = new_id,
) -> list[Change]:
    """Every one of ``instances`` without power. Pure. Refused if one could not be brought back, or replaced.

    ``groups``: as they are before the drill. ``step`` puts this after the change that keeps the groups still.
    ``share``: what each counts as; its zone, of the zones of ``vpc``, by default.
    """

    def zone_of(instance: Instance) -> Share:
        return Share(ZONE, vpc.region, (instance.zone,), len(vpc.zones))

    share = share or zone_of
    place = Place(vpc.account, vpc.region)
    healers = _healers(groups)
    return [
        _stop(instance, place, share(instance), step, new_change())
        if instance.stoppable
        else _termination(instance, place, healers, share(instance), step=step, change_id=new_change())
        for instance in instances
    ]


def plan_terminations(
    instances: Sequence[Instance],
    place: Place,
    groups: Sequence[Group],
    *,
    share: ShareOf,
    step: int = 0,
    new_change: Callable[[], str] = new_id,
) -> list[Change]:
    """Every one of ``instances`` terminated, also those that could be stopped. Pure.

    Refused if one is protected, or none of ``groups`` would replace it.
    """
    healers = _healers(groups)
    return [_termination(each, place, healers, share(each), step=step, change_id=new_change()) for each in instances]


def _healers(groups: Sequence[Group]) -> frozenset[str]:
    return frozenset(group.name for group in groups if group.desired > 0 and not group.suspended & HEALERS)


def _stop(instance: Instance, place: Place, share: Share, step: int, change_id: str) -> Change:
    return Change(
        id=change_id,
        kind=InstancePower.name,
        target=target_of(instance, place),
        before={POWER: RUNNING},
        after={POWER: STOPPED},
        summary=f"instance {instance.id} ({instance.zone}): stopped",
        undo_summary="starting it" + (" (its public address may change)" if instance.public else ""),
        calls=("ec2:StopInstances",),
        step=step,
        share=share,
    )


def _termination(
    instance: Instance, place: Place, healers: Collection[str], share: Share, *, step: int, change_id: str
) -> Change:
    subject = f"terminating {instance.id} ({instance.zone})"
    if instance.group not in healers:
        why = "" if instance.stoppable else f"it cannot be stopped ({_unstoppable(instance)}), and "
        raise Refused(subject, f"{why}no Auto Scaling group would replace it")
    if instance.protected:
        raise Refused(subject, "it has termination protection (DisableApiTermination)")
    return Change(
        id=change_id,
        kind=InstanceTermination.name,
        target=target_of(instance, place),
        before={POWER: RUNNING, "group": instance.group},
        after={POWER: TERMINATED, "group": instance.group},
        summary=f"instance {instance.id} ({instance.zone}): terminated",
        undo_summary=f"its Auto Scaling group {instance.group}, which launches another one",
        calls=("ec2:TerminateInstances",),
        step=step,
        share=share,
    )


def _unstoppable(instance: Instance) -> str:
    return "Spot" if instance.spot else "its root is no EBS volume"


def target_of(instance: Instance, place: Place) -> Target:
    """The instance, as a target. Pure."""
    return Target(
        "instance",
        instance.id,
        account=place.account,
        region=place.region,
        zone=instance.zone,
        cluster=place.cluster,
        tags=dict(instance.tags),
    )

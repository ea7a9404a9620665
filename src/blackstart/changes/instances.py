"""Powering off the instances of zones: those that can be started again are stopped, the rest is terminated.

An instance with its root on an instance store, and a Spot instance, cannot be stopped. It is terminated, and healed
by its Auto Scaling group, which launches another one; without such a group the whole plan is refused. Stopped
instances keep their disks, but lose what is on instance stores, and their public address unless it is elastic.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from blackstart.access import Aws, Need, arn, everything
from blackstart.changes.auto_scaling_zone import Group
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen, Unsettled, Wanted
from blackstart.changes.healed import Healed
from blackstart.changes.kind import Ending, Outcome
from blackstart.changes.model import ZONE, Change, Share, new_id
from blackstart.changes.network import Vpc, tags_of
from blackstart.errors import Refused
from blackstart.scope import Target

GROUP_TAG = "aws:autoscaling:groupName"
HEALERS = frozenset({"Launch", "HealthCheck", "ReplaceUnhealthy"})
POWER, RUNNING, STOPPED, TERMINATED = "power", "running", "stopped", "terminated"
STATES = {"running": RUNNING, "stopped": STOPPED, "terminated": TERMINATED, "shutting-down": TERMINATED}
IDS = 50


@dataclass(frozen=True)
class Instance:
    """One running instance, as found. ``group``: its Auto Scaling group, or ""."""

    id: str
    zone: str
    spot: bool
    disk: str
    public: bool
    group: str
    tags: Mapping[str, str]

    @property
    def stoppable(self) -> bool:
        return self.disk == "ebs" and not self.spot


def find_instances(clients: Clients, vpc: Vpc, zones: Collection[str]) -> list[Instance]:
    """The running instances of ``vpc`` in ``zones``, by zone and id. Read-only."""
    filters = {"vpc-id": [vpc.id], "availability-zone": sorted(zones), "instance-state-name": ["running"]}
    found = [
        Instance(
            item["InstanceId"],
            item["Placement"]["AvailabilityZone"],
            item.get("InstanceLifecycle") == "spot",
            item.get("RootDeviceType", ""),
            bool(item.get("PublicIpAddress")),
            tags_of(item).get(GROUP_TAG, ""),
            tags_of(item),
        )
        for item in _described(clients, vpc.region, filters)
    ]
    return sorted(found, key=lambda instance: (instance.zone, instance.id))


def plan_power_off(
    instances: Sequence[Instance],
    vpc: Vpc,
    groups: Sequence[Group],
    *,
    step: int = 1,
    new_change: Callable[[], str] = new_id,
) -> list[Change]:
    """Every one of ``instances`` without power. Pure. Refused if one could not be brought back, or replaced.

    ``groups``: as they are before the drill. ``step`` puts this after the change that keeps the groups still.
    """
    healers = {group.name for group in groups if group.desired > 0 and not group.suspended & HEALERS}
    changes = []
    for instance in instances:
        if not instance.stoppable and instance.group not in healers:
            raise Refused(
                f"powering off {instance.id} ({instance.zone})",
                f"it cannot be stopped ({'Spot' if instance.spot else 'its root is no EBS volume'}), "
                "and no Auto Scaling group would replace it",
            )
        plan = _stop if instance.stoppable else _termination
        changes.append(plan(instance, vpc, step, new_change()))
    return changes


def _stop(instance: Instance, vpc: Vpc, step: int, change_id: str) -> Change:
    return Change(
        id=change_id,
        kind=InstancePower.name,
        target=_target(instance, vpc),
        before={POWER: RUNNING},
        after={POWER: STOPPED},
        summary=f"instance {instance.id} ({instance.zone}): stopped",
        undo_summary="starting it" + (" (its public address may change)" if instance.public else ""),
        calls=("ec2:StopInstances",),
        step=step,
        share=Share(ZONE, vpc.region, (instance.zone,), len(vpc.zones)),
    )


def _termination(instance: Instance, vpc: Vpc, step: int, change_id: str) -> Change:
    return Change(
        id=change_id,
        kind=InstanceTermination.name,
        target=_target(instance, vpc),
        before={POWER: RUNNING, "group": instance.group},
        after={POWER: TERMINATED, "group": instance.group},
        summary=f"instance {instance.id} ({instance.zone}): terminated",
        undo_summary=f"its Auto Scaling group {instance.group}, which launches another one",
        calls=("ec2:TerminateInstances",),
        step=step,
        share=Share(ZONE, vpc.region, (instance.zone,), len(vpc.zones)),
    )


def _target(instance: Instance, vpc: Vpc) -> Target:
    tags = dict(instance.tags)
    return Target("instance", instance.id, account=vpc.account, region=vpc.region, zone=instance.zone, tags=tags)


class InstancePower(CompareAndRestore):
    """Whether an instance runs or is stopped."""

    name: ClassVar[str] = "ec2.instance_power"
    permissions: ClassVar[tuple[str, ...]] = ("ec2:DescribeInstances", "ec2:StopInstances", "ec2:StartInstances")
    batch_size: ClassVar[int] = IDS
    joined: ClassVar[bool] = True

    def needs(self, change: Change) -> Sequence[Need]:
        return _needs(self.permissions, change, "ec2:StopInstances", "ec2:StartInstances")

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        states = _states(changes, clients)
        return {change.id: _seen(states.get(change.target.id)) for change in changes}

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        for region in sorted({item.change.target.region for item in wanted}):
            for power, operation in ((STOPPED, "stop_instances"), (RUNNING, "start_instances")):
                ids = [
                    item.change.target.id
                    for item in wanted
                    if item.change.target.region == region and item.fields[POWER] == power
                ]
                if ids:
                    getattr(clients.aws("ec2", region), operation)(InstanceIds=ids)


class InstanceTermination(Healed):
    """An instance that only its group can replace. Undo waits until the group is whole again."""

    name: ClassVar[str] = "ec2.instance_termination"
    permissions: ClassVar[tuple[str, ...]] = (
        "ec2:DescribeInstances",
        "ec2:TerminateInstances",
        "autoscaling:DescribeAutoScalingGroups",
    )
    batch_size: ClassVar[int] = IDS
    joined: ClassVar[bool] = True

    def needs(self, change: Change) -> Sequence[Need]:
        return _needs(self.permissions, change, "ec2:TerminateInstances")

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        for region in sorted({change.target.region for change in changes}):
            ids = [change.target.id for change in changes if change.target.region == region]
            clients.aws("ec2", region).terminate_instances(InstanceIds=ids)

    def look(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        states = _states(changes, clients)
        gone = [change for change in changes if STATES.get(states.get(change.target.id, ""), TERMINATED) == TERMINATED]
        ids = {change.target.id for change in gone}
        whole = {place: _whole(clients, *place, ids) for place in {_group(change) for change in gone}}
        return {
            change.id: whole[_group(change)] if change.target.id in ids else Outcome(Ending.UNTOUCHED)
            for change in changes
        }


def _needs(permissions: Sequence[str], change: Change, *of_the_instance: str) -> Sequence[Need]:
    instance = arn("ec2", change.target.region, change.target.account, f"instance/{change.target.id}")
    return everything(permissions, change.target.region, [Aws(name, (instance,)) for name in of_the_instance])


def _group(change: Change) -> tuple[str, str]:
    return change.target.region, change.before["group"]


def _whole(clients: Clients, region: str, group: str, gone: Collection[str]) -> Outcome:
    """Whether ``group`` is whole again without the instances ``gone``, which it may not have missed yet."""
    answer = clients.aws("autoscaling", region).describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    if not answer["AutoScalingGroups"]:
        return Outcome(Ending.CONFLICT, f"Auto Scaling group {group}, which would replace it, no longer exists")
    found = answer["AutoScalingGroups"][0]
    others = [item for item in found["Instances"] if item["InstanceId"] not in gone]
    healthy = [item for item in others if (item["LifecycleState"], item["HealthStatus"]) == HEALTHY]
    if len(healthy) < found["DesiredCapacity"]:
        seen = f"{len(healthy)} of {found['DesiredCapacity']} instances in service"
        return Outcome(Ending.WAITING, f"Auto Scaling group {group} has {seen}")
    return Outcome(Ending.RESTORED)


HEALTHY = ("InService", "Healthy")


def _states(changes: Sequence[Change], clients: Clients) -> dict[str, str]:
    """EC2's word for the state of each change's instance, by instance id; unknown instances are left out.

    Asked by filter, because one unknown id among many would fail the whole call.
    """
    found = {}
    for region in {change.target.region for change in changes}:
        ids = [change.target.id for change in changes if change.target.region == region]
        for item in _described(clients, region, {"instance-id": ids}):
            found[item["InstanceId"]] = item["State"]["Name"]
    return found


def _seen(state: str | None) -> Seen:
    if state is None:
        return None
    return {POWER: STATES[state]} if state in STATES else Unsettled(state)


def _described(clients: Clients, region: str, filters: Mapping[str, list[str]]) -> Iterable[Any]:
    pages = (
        clients.aws("ec2", region)
        .get_paginator("describe_instances")
        .paginate(Filters=[{"Name": name, "Values": values} for name, values in filters.items()])
    )
    for page in pages:
        for reservation in page["Reservations"]:
            yield from reservation["Instances"]

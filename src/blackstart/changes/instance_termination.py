"""Terminating instances, for good; their Auto Scaling groups heal."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from blackstart.access import Need
from blackstart.changes.clients import Clients
from blackstart.changes.healed import Healed
from blackstart.changes.instance_power import IDS, gone, instance_needs, on_all
from blackstart.changes.instance_states import chunks
from blackstart.changes.kind import Ending, Outcome
from blackstart.changes.model import Change

HEALTHY = ("InService", "Healthy")
GROUPS_AT_ONCE = 50
"""The most names of groups that Auto Scaling takes in one call."""


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
        return instance_needs(self.permissions, change, "ec2:TerminateInstances")

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        on_all(changes, "terminate_instances", clients)

    def look(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        ids = gone(changes, clients)
        whole = groups_whole([change for change in changes if change.target.id in ids], ids, clients)
        return {
            change.id: whole[group_of(change)] if change.target.id in ids else Outcome(Ending.UNTOUCHED)
            for change in changes
        }


def group_of(change: Change) -> tuple[str, str]:
    """Region and name of the group that heals ``change``."""
    return change.target.region, change.before["group"]


def groups_whole(changes: Sequence[Change], lost: Collection[str], clients: Clients) -> dict[tuple[str, str], Outcome]:
    """How the groups that heal ``changes`` stand without the instances ``lost``, which they may not have missed yet."""
    places = {group_of(change) for change in changes}
    outcomes: dict[tuple[str, str], Outcome] = {}
    for region in sorted({region for region, _ in places}):
        names = sorted(name for place, name in places if place == region)
        found = described_groups(clients, region, names)
        outcomes |= {(region, name): _whole(name, found.get(name), lost) for name in names}
    return outcomes


def described_groups(clients: Clients, region: str, names: Sequence[str]) -> dict[str, Any]:
    """The Auto Scaling groups with these ``names``, by name, as AWS describes them. Read-only."""
    autoscaling = clients.aws("autoscaling", region)
    return {
        group["AutoScalingGroupName"]: group
        for some in chunks(names, GROUPS_AT_ONCE)
        for group in autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=some)["AutoScalingGroups"]
    }


def _whole(name: str, group: Mapping[str, Any] | None, lost: Collection[str]) -> Outcome:
    if group is None:
        return Outcome(Ending.CONFLICT, f"Auto Scaling group {name}, which would replace it, no longer exists")
    others = [item for item in group["Instances"] if item["InstanceId"] not in lost]
    healthy = [item for item in others if (item["LifecycleState"], item["HealthStatus"]) == HEALTHY]
    if len(healthy) < group["DesiredCapacity"]:
        seen = f"{len(healthy)} of {group['DesiredCapacity']} instances in service"
        return Outcome(Ending.WAITING, f"Auto Scaling group {name} has {seen}")
    return Outcome(Ending.RESTORED)

"""No capacity: Auto Scaling groups, also those of managed node groups, launch nothing while the fault lasts.

What they would launch stays wanted, and comes once they may launch again. Only what was not suspended before is
resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar

from blackstart.access import Aws, Need, arn, everything
from blackstart.changes.auto_scaling_zone import SUSPENDED, Group, GroupZones, as_group
from blackstart.changes.clients import Clients
from blackstart.changes.instance_termination import described_groups
from blackstart.changes.model import Change, new_id
from blackstart.errors import Refused
from blackstart.scope import Target

LAUNCH = "Launch"


def find_named_groups(clients: Clients, region: str, names: Collection[str]) -> list[Group]:
    """The Auto Scaling groups with these ``names``, by name; Refused if one does not exist. Read-only."""
    found = described_groups(clients, region, sorted(names))
    missing = sorted(set(names) - set(found))
    if missing:
        raise Refused(f"touching Auto Scaling groups {', '.join(missing)}", f"{region} has no such groups")
    account = clients.account() if found else ""
    return [as_group(found[name], account, region, {}) for name in sorted(found)]


def groups_of_cluster(clients: Clients, region: str, cluster: str) -> list[str]:
    """The names of the Auto Scaling groups behind the managed node groups of EKS ``cluster``; Refused if there is no
    such cluster. Read-only."""
    eks = clients.aws("eks", region)
    names: list[str] = []
    try:
        for page in eks.get_paginator("list_nodegroups").paginate(clusterName=cluster):
            for node_group in page["nodegroups"]:
                found = eks.describe_nodegroup(clusterName=cluster, nodegroupName=node_group)["nodegroup"]
                names += [each["name"] for each in found.get("resources", {}).get("autoScalingGroups", [])]
    except eks.exceptions.ResourceNotFoundException as error:
        raise Refused(f"touching the node groups of {cluster}", f"{region} has no such EKS cluster") from error
    return sorted(set(names))


def plan_no_launches(groups: Sequence[Group], new_change: Callable[[], str] = new_id) -> list[Change]:
    """None of ``groups`` launches anything; those that do not already are left out. Pure."""
    return [_suspension(group, new_change()) for group in groups if LAUNCH not in group.suspended]


def _suspension(group: Group, change_id: str) -> Change:
    return Change(
        id=change_id,
        kind=GroupProcesses.name,
        target=Target(
            "Auto Scaling group", group.name, account=group.account, region=group.region, tags=dict(group.tags)
        ),
        before={SUSPENDED + LAUNCH: False},
        after={SUSPENDED + LAUNCH: True},
        summary=f"Auto Scaling group {group.name}: launches suspended",
        undo_summary="resuming them",
        calls=("autoscaling:SuspendProcesses",),
    )


class GroupProcesses(GroupZones):
    """Which processes of an Auto Scaling group are suspended; its subnets stay."""

    name: ClassVar[str] = "autoscaling.processes"
    permissions: ClassVar[tuple[str, ...]] = (
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:SuspendProcesses",
        "autoscaling:ResumeProcesses",
    )

    def needs(self, change: Change) -> Sequence[Need]:
        resource = f"autoScalingGroup:*:autoScalingGroupName/{change.target.id}"
        group = arn("autoscaling", change.target.region, change.target.account, resource)
        return everything(
            self.permissions, change.target.region, [Aws(name, (group,)) for name in self.permissions[1:]]
        )

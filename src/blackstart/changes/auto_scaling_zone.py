"""Taking zones away from an Auto Scaling group: it launches nothing there, and does not replace what is lost there.

The group loses its subnets in those zones, and the processes that would work against the fault are suspended. Undo
gives back the subnets, and resumes only what was not suspended before. A group that lives in those zones alone keeps
its subnets (it must have one) and is only suspended; so does the group of an EKS managed node group, because EKS may
revert them: it launches nothing anywhere meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from blackstart.access import Aws, Need, arn, everything
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen, Wanted
from blackstart.changes.model import ZONE, Change, Json, Share, new_id
from blackstart.changes.network import Vpc, tags_of
from blackstart.errors import NotYet
from blackstart.scope import Target

KEEP_STILL = ("AZRebalance", "HealthCheck", "ReplaceUnhealthy", "Terminate")
"""What would move or replace instances of the zones. Launch stays: the other zones may grow."""

NO_CAPACITY = (*KEEP_STILL, "Launch")
"""The same, and nothing new anywhere: a zone that is lost while capacity has run out."""

MANAGED_TAG = "eks:nodegroup-name"
SUBNETS, SUSPENDED = "subnets", "suspended "


@dataclass(frozen=True)
class Group:
    """One Auto Scaling group, as found. ``subnets``: zone by subnet id. ``suspended``: names of processes."""

    name: str
    account: str
    region: str
    tags: Mapping[str, str]
    subnets: Mapping[str, str]
    suspended: frozenset[str]
    desired: int

    @property
    def managed(self) -> bool:
        """Whether it belongs to an EKS managed node group."""
        return MANAGED_TAG in self.tags


def find_groups(clients: Clients, vpc: Vpc) -> list[Group]:
    """The groups that launch into subnets of ``vpc``, by name. Read-only."""
    zones = {subnet.id: subnet.zone for subnet in vpc.subnets}
    pages = clients.aws("autoscaling", vpc.region).get_paginator("describe_auto_scaling_groups").paginate()
    found = []
    for group in (each for page in pages for each in page["AutoScalingGroups"]):
        subnets = {name: zones[name] for name in _subnets(group).split(",") if name in zones}
        if subnets:
            found.append(as_group(group, vpc.account, vpc.region, subnets))
    return sorted(found, key=lambda group: group.name)


def as_group(item: Mapping[str, Any], account: str, region: str, subnets: Mapping[str, str]) -> Group:
    """What Auto Scaling described, in our terms. ``subnets``: those that count, with their zones. Pure."""
    name, desired = item["AutoScalingGroupName"], item["DesiredCapacity"]
    return Group(name, account, region, tags_of(item), subnets, _suspended(item), desired)


def plan_zones_away(
    groups: Sequence[Group],
    vpc: Vpc,
    zones: Collection[str],
    processes: Sequence[str] = KEEP_STILL,
    new_change: Callable[[], str] = new_id,
) -> list[Change]:
    """No group has subnets in ``zones``; groups that have none there are left out. Pure."""
    return [
        _without(group, vpc, zones, processes, new_change())
        for group in groups
        if set(zones) & set(group.subnets.values())
    ]


def _without(group: Group, vpc: Vpc, zones: Collection[str], processes: Sequence[str], change_id: str) -> Change:
    lost = tuple(sorted(set(zones) & set(group.subnets.values())))
    note = ""
    kept = [subnet for subnet, zone in group.subnets.items() if zone not in zones] or list(group.subnets)
    if group.managed:
        kept, processes = list(group.subnets), tuple(dict.fromkeys((*processes, *NO_CAPACITY)))
        note = " (its subnets stay, because EKS manages them, so it launches nothing in other zones either)"
    before: dict[str, Json] = {SUBNETS: ",".join(sorted(group.subnets))}
    before |= {SUSPENDED + name: name in group.suspended for name in processes}
    after: dict[str, Json] = {SUBNETS: ",".join(sorted(kept))} | {SUSPENDED + name: True for name in processes}
    update = () if before[SUBNETS] == after[SUBNETS] else ("autoscaling:UpdateAutoScalingGroup",)
    return Change(
        id=change_id,
        kind=GroupZones.name,
        target=Target(
            "Auto Scaling group",
            group.name,
            account=group.account,
            region=group.region,
            zone=lost[0] if len(lost) == 1 else "",
            tags=dict(group.tags),
        ),
        before=before,
        after=after,
        summary=f"Auto Scaling group {group.name}: without {', '.join(lost)}; {', '.join(processes)} suspended{note}",
        undo_summary="giving it its subnets back and resuming what was not suspended before",
        calls=("autoscaling:SuspendProcesses", *update),
        share=Share(ZONE, vpc.region, lost, len(vpc.zones)),
    )


class GroupZones(CompareAndRestore):
    """The subnets of an Auto Scaling group, and which of its processes are suspended."""

    name: ClassVar[str] = "autoscaling.group_zones"
    permissions: ClassVar[tuple[str, ...]] = (
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:SuspendProcesses",
        "autoscaling:ResumeProcesses",
        "autoscaling:UpdateAutoScalingGroup",
    )

    def needs(self, change: Change) -> Sequence[Need]:
        resource = f"autoScalingGroup:*:autoScalingGroupName/{change.target.id}"
        group = arn("autoscaling", change.target.region, change.target.account, resource)
        moves = change.before[SUBNETS] != change.after[SUBNETS]
        writes = self.permissions[1:] if moves else self.permissions[1:3]
        return everything(self.permissions[:1], change.target.region, [Aws(name, (group,)) for name in writes])

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        found: dict[str, Seen] = {}
        for change in changes:
            autoscaling = clients.aws("autoscaling", change.target.region)
            answer = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[change.target.id])
            groups = answer["AutoScalingGroups"]
            found[change.id] = _state(groups[0], change) if groups else None
        return found

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        for item in wanted:
            autoscaling, name = clients.aws("autoscaling", item.change.target.region), item.change.target.id
            suspend, resume = (_processes(item.fields, value) for value in (True, False))
            if suspend:
                autoscaling.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=suspend)
            if SUBNETS in item.fields:
                try:
                    autoscaling.update_auto_scaling_group(
                        AutoScalingGroupName=name, VPCZoneIdentifier=item.fields[SUBNETS]
                    )
                except autoscaling.exceptions.ScalingActivityInProgressFault as error:
                    raise NotYet(str(item.change.target), "scaling") from error
            if resume:
                autoscaling.resume_processes(AutoScalingGroupName=name, ScalingProcesses=resume)


def _processes(fields: Mapping[str, Json], value: bool) -> list[str]:
    """An empty list would mean all processes, so callers must not send one."""
    return [field.removeprefix(SUSPENDED) for field, now in fields.items() if field != SUBNETS and now is value]


def _state(group: Mapping[str, Any], change: Change) -> dict[str, Json]:
    suspended = _suspended(group)
    processes = [field for field in change.after if field != SUBNETS]
    state: dict[str, Json] = {field: field.removeprefix(SUSPENDED) in suspended for field in processes}
    return state | {SUBNETS: ",".join(sorted(_subnets(group).split(",")))}


def _subnets(group: Mapping[str, Any]) -> str:
    return str(group.get("VPCZoneIdentifier") or "")


def _suspended(group: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(process["ProcessName"] for process in group.get("SuspendedProcesses", []))

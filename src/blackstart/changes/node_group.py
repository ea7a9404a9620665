"""Resizing an EKS managed node group: the way to take capacity away where an edited Auto Scaling group is reverted.

EKS resizes in the background: an update is accepted at once and the node group says UPDATING until it is through. An
autoscaler may move the desired size meanwhile; then that field is a conflict and keeps the autoscaler's value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from blackstart.access import Aws, Need, arn
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen, Unsettled, Wanted
from blackstart.changes.model import Change, Share, new_id
from blackstart.errors import NotYet, Refused
from blackstart.scope import Target

SIZES = ("minSize", "maxSize", "desiredSize")
CLUSTER = "cluster"


@dataclass(frozen=True)
class NodeGroup:
    """One managed node group, as found. ``sizes``: by EKS's names (``SIZES``)."""

    name: str
    cluster: str
    account: str
    region: str
    sizes: Mapping[str, int]
    tags: Mapping[str, str]


def find_node_group(clients: Clients, region: str, cluster: str, name: str) -> NodeGroup:
    """The node group; Refused if there is none. Read-only."""
    eks = clients.aws("eks", region)
    try:
        found = eks.describe_nodegroup(clusterName=cluster, nodegroupName=name)["nodegroup"]
    except eks.exceptions.ResourceNotFoundException as error:
        raise Refused(f"resizing node group {name} of {cluster}", "there is no such node group") from error
    sizes = {size: found["scalingConfig"][size] for size in SIZES}
    return NodeGroup(name, cluster, clients.account(), region, sizes, found.get("tags", {}))


def plan_resize(found: NodeGroup, desired: int, new_change: Callable[[], str] = new_id) -> list[Change]:
    """``desired`` nodes, with the limits moved as far as that needs; empty if that is its size already. Pure."""
    sizes = dict(found.sizes)
    if sizes["desiredSize"] == desired:
        return []
    after = {
        "minSize": min(sizes["minSize"], desired),
        "maxSize": max(sizes["maxSize"], desired),
        "desiredSize": desired,
    }
    return [
        Change(
            id=new_change(),
            kind=NodeGroupSizes.name,
            target=Target(
                "node group",
                f"{found.cluster}/{found.name}",
                account=found.account,
                region=found.region,
                tags=dict(found.tags),
            ),
            before={CLUSTER: found.cluster, **sizes},
            after={CLUSTER: found.cluster, **after},
            summary=f"node group {found.name} of {found.cluster}: {sizes['desiredSize']} → {desired} nodes",
            undo_summary=f"giving it {sizes['desiredSize']} nodes again",
            calls=("eks:UpdateNodegroupConfig",),
            share=_share(found, desired),
        )
    ]


def _share(found: NodeGroup, desired: int) -> Share | None:
    """The nodes that go, by number: which they are is decided by EKS."""
    size = found.sizes["desiredSize"]
    going = tuple(str(number) for number in range(desired, size))
    return Share("node", f"node group {found.cluster}/{found.name}", going, size) if going else None


class NodeGroupSizes(CompareAndRestore):
    """Smallest, largest and desired size of a managed node group."""

    name: ClassVar[str] = "eks.node_group_sizes"
    permissions: ClassVar[tuple[str, ...]] = ("eks:DescribeNodegroup", "eks:UpdateNodegroupConfig")

    def needs(self, change: Change) -> Sequence[Need]:
        target = change.target
        group = arn("eks", target.region, target.account, f"nodegroup/{target.id}/*")
        return [Aws(name, (group,)) for name in self.permissions]

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        found: dict[str, Seen] = {}
        for change in changes:
            eks = clients.aws("eks", change.target.region)
            cluster = change.before[CLUSTER]
            try:
                group = eks.describe_nodegroup(clusterName=cluster, nodegroupName=_name(change))["nodegroup"]
            except eks.exceptions.ResourceNotFoundException:
                found[change.id] = None
                continue
            sizes = {size: group["scalingConfig"][size] for size in SIZES}
            # A degraded node group is one whose nodes could not all be had; its sizes can be set.
            settled = group["status"] in ("ACTIVE", "DEGRADED")
            found[change.id] = {CLUSTER: cluster, **sizes} if settled else Unsettled(group["status"])
        return found

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        for item in wanted:
            change = item.change
            eks = clients.aws("eks", change.target.region)
            sizes = {size: {**item.seen, **item.fields}[size] for size in SIZES}
            try:
                eks.update_nodegroup_config(
                    clusterName=change.before[CLUSTER], nodegroupName=_name(change), scalingConfig=sizes
                )
            except eks.exceptions.ResourceInUseException as error:
                raise NotYet(str(change.target), "being updated") from error


def _name(change: Change) -> str:
    return change.target.id.rpartition("/")[2]

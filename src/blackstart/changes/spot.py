"""Spot nodes: which there are, who would replace each, and their interruption. Finding is read-only.

Whether an instance is Spot only EC2 knows; labels of nodes say what somebody meant. One that neither an Auto Scaling
group nor Karpenter would replace is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from blackstart.changes.auto_scaling_zone import Group, as_group
from blackstart.changes.capacity import LAUNCH
from blackstart.changes.clients import Clients
from blackstart.changes.instance_power import POWER, RUNNING, TERMINATED
from blackstart.changes.instance_states import Instance, by_id, described, instance_of
from blackstart.changes.instance_termination import described_groups
from blackstart.changes.instances import Place, plan_terminations, target_of
from blackstart.changes.karpenter import NodeClaim, claims_of
from blackstart.changes.karpenter_node import KarpenterNode
from blackstart.changes.kube_nodes import Node, Which, find_nodes
from blackstart.changes.model import Change, Share, new_id
from blackstart.changes.network import find_vpc
from blackstart.changes.pods import Many

UNIT = "spot node"


@dataclass(frozen=True)
class SpotNode:
    """A running Spot instance. ``node``: None if no cluster was asked. ``claim``: if Karpenter launched it."""

    instance: Instance
    node: Node | None = None
    claim: NodeClaim | None = None

    @property
    def name(self) -> str:
        return self.node.name if self.node else self.instance.id


@dataclass(frozen=True)
class SpotNodes:
    """Spot nodes of ``whole``: a cluster or a VPC, which has ``total`` in all. ``groups``: the Auto Scaling groups that
    they are in; ``ready``: how many NodeClaims of each NodePool are ready."""

    place: Place
    whole: str
    context: str
    nodes: tuple[SpotNode, ...]
    total: int
    groups: tuple[Group, ...] = ()
    ready: Mapping[str, int] = field(default_factory=dict)

    def share(self, node: SpotNode) -> Share:
        return Share(UNIT, self.whole, (node.name,), self.total)


def spot_nodes_of_cluster(clients: Clients, region: str, context: str) -> SpotNodes:
    """The Spot nodes of the cluster behind a kubeconfig context, by name."""
    found = find_nodes(clients, context, Which())
    nodes = {node.instance: node for node in found.nodes if node.instance}
    spot = [one for one in _running(by_id(clients, region, list(nodes))) if one.spot]
    # Karpenter is asked only where Auto Scaling is not in charge.
    claims = claims_of(clients.kube(context)) if any(not one.group for one in spot) else []
    by_instance = {claim.instance: claim for claim in claims}
    members = [SpotNode(one, nodes[one.id], by_instance.get(one.id)) for one in spot]
    ready = {pool: sum(claim.ready for claim in claims if claim.pool == pool) for pool in {c.pool for c in claims}}
    place = Place(clients.account(), region, found.cluster)
    return _known(clients, SpotNodes(place, found.cluster, context, tuple(members), len(members), ready=ready))


def spot_nodes_of_vpc(clients: Clients, region: str, vpc: str) -> SpotNodes:
    """The Spot instances of a VPC (id or Name tag), by id, whether or not they are nodes of anything."""
    found = find_vpc(clients, region, vpc)
    filters = {"vpc-id": [found.id], "instance-state-name": ["running"]}
    members = [SpotNode(one) for one in _running(described(clients, region, filters)) if one.spot]
    return _known(clients, SpotNodes(Place(found.account, region), found.id, "", tuple(members), len(members)))


def _running(items: Iterable[Any]) -> list[Instance]:
    return [instance_of(item) for item in items if item["State"]["Name"] == RUNNING]


def _known(clients: Clients, found: SpotNodes) -> SpotNodes:
    """The same in order, and with the groups that the nodes are in."""
    names = sorted({node.instance.group for node in found.nodes} - {""})
    items = described_groups(clients, found.place.region, names).values()
    groups = tuple(as_group(item, found.place.account, found.place.region, {}) for item in items)
    return replace(found, nodes=tuple(sorted(found.nodes, key=lambda node: node.name)), groups=groups)


def draw_spot(found: SpotNodes, many: Many, random: Random) -> list[SpotNode]:
    """So many of the Spot nodes, by name. The same seed draws the same ones. Pure."""
    return sorted(random.sample(found.nodes, many.of(len(found.nodes))), key=lambda node: node.name)


def plan_interruption(
    found: SpotNodes,
    chosen: Sequence[SpotNode],
    resumed: Collection[str] = (),
    *,
    step: int = 0,
    new_change: Callable[[], str] = new_id,
) -> list[Change]:
    """All ``chosen`` terminated at once, as when AWS takes its capacity back. Pure. Refused if nothing heals one.

    ``resumed``: groups that cannot launch now, but will when the drill puts back what it changed before.
    """
    groups = [
        replace(group, suspended=group.suspended - {LAUNCH}) if group.name in resumed else group
        for group in found.groups
    ]
    shares = {node.instance.id: found.share(node) for node in chosen}
    scaled = [node.instance for node in chosen if node.instance.group or not node.claim]
    return [
        *plan_terminations(
            scaled, found.place, groups, share=lambda each: shares[each.id], step=step, new_change=new_change
        ),
        *(
            _of_karpenter(found, node, node.claim, step, new_change())
            for node in chosen
            if node.claim and not node.instance.group
        ),
    ]


def healer(node: SpotNode) -> str:
    """Who replaces ``node``, for people. Pure."""
    return f"NodePool {node.claim.pool}" if node.claim else f"Auto Scaling group {node.instance.group}"


def _of_karpenter(found: SpotNodes, node: SpotNode, claim: NodeClaim, step: int, change_id: str) -> Change:
    instance = node.instance
    return Change(
        id=change_id,
        kind=KarpenterNode.name,
        target=target_of(instance, found.place),
        before={
            POWER: RUNNING,
            "context": found.context,
            "node": node.name,
            "claim_uid": claim.uid,
            "pool": claim.pool,
            "ready": found.ready.get(claim.pool, 0),
        },
        after={POWER: TERMINATED},
        summary=f"node {node.name} ({instance.zone}) of NodePool {claim.pool}: instance {instance.id} terminated",
        undo_summary=f"Karpenter, which launches what pods need for NodePool {claim.pool}",
        calls=("ec2:TerminateInstances",),
        step=step,
        share=found.share(node),
    )

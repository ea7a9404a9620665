"""Losing nodes: emptied in order, or gone with their instances."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from blackstart.changes.auto_scaling_zone import Group
from blackstart.changes.budgets import Budget
from blackstart.changes.capacity import find_named_groups
from blackstart.changes.clients import Clients
from blackstart.changes.cordon import plan_cordon
from blackstart.changes.instance_states import Instance, by_id, instance_of, protected
from blackstart.changes.instances import Place, plan_power_off, plan_terminations
from blackstart.changes.kube_nodes import KARPENTER, Node, Nodes, instances_of
from blackstart.changes.model import Change, Share
from blackstart.changes.network import Vpc
from blackstart.changes.pod_eviction import plan_eviction
from blackstart.changes.pods import Pod, Pods
from blackstart.errors import Refused

DAEMON_SET = "DaemonSet"
OWN_GRACE = -1
"""Seconds of grace below 0: each pod's own."""
PATIENCE_SECONDS = 60.0


def plan_drain(
    found: Nodes,
    pods: Pods,
    budgets: Sequence[Budget] = (),
    namespaces: Collection[str] = (),
    patience_seconds: float = PATIENCE_SECONDS,
) -> list[Change]:
    """``found`` cordoned, then the ``pods`` on them (of ``namespaces``; empty: of all) evicted. Pure.

    As ``kubectl drain`` does, pods of DaemonSets and pods that a kubelet runs from a file stay. Refused if one would
    not come back. ``pods``: all of the cluster, so that shares can be told.
    """
    names = {node.name for node in found.nodes}
    theirs = [pod for pod in pods.pods if pod.node in names and _goes(pod)]
    going = [pod for pod in theirs if not namespaces or pod.namespace in namespaces]
    evictions = plan_eviction(pods, going, budgets=budgets, grace_seconds=OWN_GRACE, patience_seconds=patience_seconds)
    return [*plan_cordon(found), *(replace(each, step=1) for each in evictions)]


def _goes(pod: Pod) -> bool:
    return not pod.static and (pod.owner is None or pod.owner[0] != DAEMON_SET)


@dataclass(frozen=True)
class Machines:
    """The instances behind nodes, with the Auto Scaling groups that they are in."""

    place: Place
    nodes: Mapping[str, Node]
    instances: tuple[Instance, ...]
    groups: tuple[Group, ...]


def find_machines(clients: Clients, found: Nodes) -> Machines:
    """The instances behind ``found``. Read-only. Refused if they are in several regions, or one does not run."""
    nodes, regions = instances_of(found), {node.region for node in found.nodes}
    if len(regions) != 1:
        raise Refused("killing nodes", f"they are in {len(regions)} regions, so their instances cannot be told")
    (region,) = regions
    instances = [instance_of(item) for item in by_id(clients, region, nodes) if item["State"]["Name"] == "running"]
    missing = sorted(set(nodes) - {instance.id for instance in instances})
    if missing:
        raise Refused(f"killing node {nodes[missing[0]].name}", f"its instance {missing[0]} does not run in {region}")
    kept = protected(clients, region, (instance.id for instance in instances if instance.group))
    groups = find_named_groups(clients, region, {instance.group for instance in instances} - {""})
    marked = (replace(instance, protected=instance.id in kept) for instance in instances)
    place = Place(clients.account(), region, found.cluster)
    return Machines(place, nodes, tuple(sorted(marked, key=lambda instance: nodes[instance.id].name)), tuple(groups))


def plan_kill(found: Nodes, machines: Machines) -> list[Change]:
    """The instances without power. Pure.

    One in an Auto Scaling group is terminated, because its group would do so with one that is stopped; any other is
    stopped. Refused if one would not come back.
    """

    def share(instance: Instance) -> Share:
        return found.share(machines.nodes[instance.id])

    place = machines.place
    alone = [instance for instance in machines.instances if not instance.group]
    for instance in alone:
        node = machines.nodes[instance.id]
        if KARPENTER in node.labels:
            problem = "Karpenter launched it, and would terminate what is stopped; reclaim it as a Spot node instead"
            raise Refused(f"killing node {node.name}", problem)
    grouped = [instance for instance in machines.instances if instance.group]
    anywhere = Vpc("", place.account, place.region, {}, ())
    return [
        *plan_power_off(alone, anywhere, machines.groups, step=0, share=share),
        *plan_terminations(grouped, place, machines.groups, share=share),
    ]

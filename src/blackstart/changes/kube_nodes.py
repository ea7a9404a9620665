"""Nodes, as found: which match, which are drawn, and the instances behind them. Read-only."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from blackstart.changes.clients import Clients
from blackstart.changes.model import Share
from blackstart.changes.pods import Many, place
from blackstart.errors import ConfigInvalid, Refused
from blackstart.scope import Target

NODES = "/api/v1/nodes"
CAPACITY = ("eks.amazonaws.com/capacityType", "karpenter.sh/capacity-type", "node.kubernetes.io/lifecycle")
"""Labels that say whether a node is ``spot`` or ``on-demand``, each in its own spelling."""
KARPENTER = "karpenter.sh/nodepool"
_PROVIDER = re.compile(r"aws:///([a-z0-9-]+)/(i-[0-9a-f]+)")


@dataclass(frozen=True)
class Node:
    """One node. ``capacity``: ``spot`` or ``on-demand``, "" if no label says; ``instance``: the id of its EC2 instance,
    "" if it has none; ``cordoned``: no new pods are placed on it."""

    name: str
    uid: str
    labels: Mapping[str, str]
    zone: str
    region: str
    capacity: str
    instance: str
    cordoned: bool
    ready: bool


@dataclass(frozen=True)
class Nodes:
    """Nodes of one cluster, which has ``total`` in all, by name."""

    cluster: str
    context: str
    nodes: tuple[Node, ...]
    total: int

    def of(self, nodes: Sequence[Node]) -> Nodes:
        """The same with these only."""
        return replace(self, nodes=tuple(nodes))

    def target(self, node: Node) -> Target:
        return Target(
            "node", node.name, region=node.region, zone=node.zone, cluster=self.cluster, tags=dict(node.labels)
        )

    def share(self, node: Node) -> Share:
        return Share("node", self.cluster, (node.name,), self.total)


@dataclass(frozen=True)
class Which:
    """What is asked of nodes; "" and empty ask nothing. ``capacity_type``: as ``Node.capacity``."""

    names: tuple[str, ...] = ()
    selector: str = ""
    zone: str = ""
    capacity_type: str = ""

    def __post_init__(self) -> None:
        if self.capacity_type not in ("", "spot", "on-demand"):
            problem = f"{self.capacity_type!r} is none; there are spot and on-demand"
            raise ConfigInvalid("nodes", "capacity_type", problem)

    def holds(self, node: Node) -> bool:
        return (
            (not self.names or node.name in self.names)
            and (not self.zone or node.zone == self.zone)
            and (not self.capacity_type or node.capacity == self.capacity_type)
        )

    def __str__(self) -> str:
        parts = (*self.names, self.selector, f"in {self.zone}" if self.zone else "", self.capacity_type)
        return ", ".join(filter(None, parts)) or "any"


def find_nodes(clients: Clients, context: str, which: Which) -> Nodes:
    """The nodes that are as asked. Refused if one that is named does not exist."""
    kube = clients.kube(context)
    everything = [_read(item) for item in kube.items(NODES)]
    missing = set(which.names) - {node.name for node in everything}
    if missing:
        raise Refused(f"touching nodes {', '.join(sorted(missing))}", f"{kube.cluster} has no such nodes")
    matching: Collection[str] = {node.name for node in everything}
    if which.selector:
        matching = {item["metadata"]["name"] for item in kube.items(NODES, labelSelector=which.selector)}
    found = sorted((node for node in everything if node.name in matching and which.holds(node)), key=_name)
    return Nodes(kube.cluster, context, tuple(found), len(everything))


def draw_nodes(found: Nodes, which: Which, count: int, share: float, random: Random) -> Nodes:
    """``count`` or a ``share`` of those found, by name; all that are named if neither is given. Pure.

    The same seed draws the same ones.
    """
    if which.names and not count and not share:
        return found
    if (count > 0) == (share > 0):
        problem = "give names, or either a count of nodes or a share between 0 and 1 (1: all)"
        raise ConfigInvalid("nodes", "count", problem)
    many = Many(count, share)
    return found.of(sorted(random.sample(found.nodes, many.of(len(found.nodes))), key=_name))


def _name(node: Node) -> str:
    return node.name


def _read(item: Mapping[str, Any]) -> Node:
    metadata, spec = item["metadata"], item["spec"]
    labels = metadata.get("labels") or {}
    zone, region = place(item)
    provider = _PROVIDER.fullmatch(spec.get("providerID", ""))
    return Node(
        name=metadata["name"],
        uid=metadata["uid"],
        labels=labels,
        zone=zone,
        region=region,
        capacity=_capacity(labels),
        instance=provider[2] if provider else "",
        cordoned=bool(spec.get("unschedulable")),
        ready=is_ready(item),
    )


def _capacity(labels: Mapping[str, str]) -> str:
    said = next((labels[label] for label in CAPACITY if label in labels), "")
    return said.lower().replace("_", "-")


def is_ready(item: Mapping[str, Any]) -> bool:
    """Whether the cluster holds a node to be ready: not if it has not been heard of."""
    conditions = (item.get("status") or {}).get("conditions") or ()
    return any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)


def instances_of(found: Nodes) -> dict[str, Node]:
    """The nodes by the id of their instance; Refused if one has none."""
    for node in found.nodes:
        if not node.instance:
            raise Refused(f"touching node {node.name}", "it does not say which EC2 instance it is (spec.providerID)")
    return {node.instance: node for node in found.nodes}

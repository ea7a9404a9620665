"""The nodes of a cluster: which are ready, where, of which mix, and how soon lost ones are replaced.

Read from its Kubernetes API. ``context`` is a context of the kubeconfig, "" the current one; ``selector`` a label
selector, "" for all nodes. ServiceUnreachable when the API does not answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Dict

from blackstart.clock import SystemClock
from blackstart.errors import ConfigInvalid, NotMeasured
from blackstart.kube.reading import Kube
from blackstart.probes import _cluster
from blackstart.probes._again import Ready, back
from blackstart.probes._watched import Fault, fault_of

__all__ = ["node_mix", "nodes_replaced_seconds", "ready_nodes", "ready_nodes_by_zone"]

PERMISSIONS = {
    "node_mix": ("kubernetes:list nodes",),
    "nodes_replaced_seconds": ("kubernetes:list nodes",),
    "ready_nodes": ("kubernetes:list nodes",),
    "ready_nodes_by_zone": ("kubernetes:list nodes",),
}
"""What each probe needs, in the cluster of its ``context``."""

SPOT: Mapping[str, Mapping[str, bool]] = {
    "eks.amazonaws.com/capacityType": {"SPOT": True, "ON_DEMAND": False, "CAPACITY_BLOCK": False},
    "karpenter.sh/capacity-type": {"spot": True, "on-demand": False, "reserved": False},
    "node.kubernetes.io/lifecycle": {"spot": True, "normal": False, "on-demand": False},
}
"""Labels that say whether a node is a spot instance: of managed node groups, of Karpenter, of one's own groups."""
CORDON = "kubernetes.cordon"


def ready_nodes(context: str = "", zone: str = "", selector: str = "") -> int:
    """How many nodes that match ``selector`` are Ready, in ``zone`` or in all."""
    found = ready_nodes_by_zone(context, selector)
    return found.get(zone, 0) if zone else sum(found.values())


def ready_nodes_by_zone(context: str = "", selector: str = "") -> Dict[str, int]:
    """Ready nodes by zone; zones that have only nodes which are not Ready are listed with 0."""

    async def look(kube: Kube) -> Dict[str, int]:
        nodes = await _cluster.nodes(kube, selector)
        ready = (_cluster.zone(node) for node in nodes if _cluster.ready(node))
        return _cluster.counted(map(_cluster.zone, nodes), ready)

    return _cluster.ask(context, look)


def node_mix(context: str = "", selector: str = "") -> float:
    """The share, 0–1, of spot instances among the Ready nodes; NotMeasured if there is none, or one does not say."""

    async def look(kube: Kube) -> float:
        nodes = [node for node in await _cluster.nodes(kube, selector) if _cluster.ready(node)]
        if not nodes:
            raise NotMeasured("the node mix", "no node is ready")
        return sum(map(_spot, nodes)) / len(nodes)

    return _cluster.ask(context, look)


def _spot(node: Mapping[str, Any]) -> bool:
    labels = _cluster.labels(node)
    for name, meanings in SPOT.items():
        if labels.get(name) in meanings:
            return meanings[labels[name]]
    named = ", ".join(SPOT)
    raise NotMeasured("the node mix", f"node {node['metadata']['name']} does not say it in any of the labels {named}")


def nodes_replaced_seconds(
    context: str = "",
    zone: str = "",
    selector: str = "",
    wanted: int = 0,
    limit_seconds: float = 0.0,
    settle_seconds: float = 0.0,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> float | None:
    """Seconds from the fault until as many nodes as before were Ready, in ``zone`` or in all.

    As many as before: ``wanted``, else those of before that the fault did not take, and one for each node or instance
    among its changes; such a node counts only once it has been seen to fall. Waits for it, at most ``limit_seconds``
    from the fault (0: the objective for the recovery time), and gives None if there were too few by then; 0.0 if there
    were enough all along, until ``settle_seconds`` after it. Exact to 0.25 s; to 1 s if they were back before this.
    """
    clock = SystemClock()
    fault = fault_of(configuration, clock, limit_seconds)
    lost = _lost(fault, zone)
    if not wanted and selector:
        raise ConfigInvalid("nodes_replaced_seconds", "wanted", "with a selector, say how many nodes are wanted")
    if not wanted and not lost:
        raise NotMeasured("when nodes were replaced", "no change names a node, so say how many are wanted")
    still_there = set(lost)

    async def ready(kube: Kube) -> Sequence[Mapping[str, Any]]:
        nodes = [node for node in await _cluster.nodes(kube, selector) if _cluster.ready(node)]
        return [node for node in nodes if not zone or _cluster.zone(node) == zone]

    async def wait(kube: Kube) -> float | None:
        before = [node for node in await ready(kube) if _cluster.made(node) <= fault.wall and not _names(node) & lost]

        async def look() -> Ready:
            found = await ready(kube)
            still_there.intersection_update(name for node in found for name in _names(node))
            return [_cluster.ready_since(node) for node in found if not _names(node) & still_there]

        return await back(look, wanted or len(before) + len(lost), fault, settle_seconds, clock)

    return _cluster.ask(context, wait)


def _lost(fault: Fault, zone: str) -> frozenset[str]:
    """Names of nodes and ids of instances that the fault took, in ``zone`` or in all; a cordon takes none."""
    targets = [change["target"] for change in fault.changes if change.get("kind") != CORDON]
    return frozenset(
        str(target["id"])
        for target in targets
        if target.get("kind") in ("node", "instance") and (not zone or target.get("zone") == zone)
    )


def _names(node: Mapping[str, Any]) -> set[str]:
    """By which a change may name it: the node's name and the id of its instance."""
    instance = str((node.get("spec") or {}).get("providerID") or "").rpartition("/")[2]
    return {str(node["metadata"]["name"]), instance} - {""}

"""What a cluster holds, read from its Kubernetes API as raw JSON.

``context`` is a context of the kubeconfig, "" the current one. Zones are the nodes' label
``topology.kubernetes.io/zone``. ServiceUnreachable when the API does not answer.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Dict

from blackstart.kube.reading import Kube

__all__ = ["ready_nodes", "ready_nodes_by_zone", "ready_pods", "ready_pods_by_zone"]

ZONE_LABEL = "topology.kubernetes.io/zone"
TIMEOUT_SECONDS = 10.0
PERMISSIONS = {
    "ready_nodes": ("kubernetes:list nodes",),
    "ready_nodes_by_zone": ("kubernetes:list nodes",),
    "ready_pods": ("kubernetes:list nodes", "kubernetes:list pods"),
    "ready_pods_by_zone": ("kubernetes:list nodes", "kubernetes:list pods"),
}
"""What each probe needs, in its ``namespace`` of the cluster of its ``context``."""


def ready_pods(namespace: str, selector: str = "", context: str = "", zone: str = "") -> int:
    """How many pods that match the label ``selector`` are Ready and not being deleted, in ``zone`` or in all."""
    found = ready_pods_by_zone(namespace, selector, context)
    return found.get(zone, 0) if zone else sum(found.values())


def ready_pods_by_zone(namespace: str, selector: str = "", context: str = "") -> Dict[str, int]:
    """Ready pods by the zone of the node that they are on; zones of all nodes are listed, also with 0."""
    pods, nodes = asyncio.run(_pods_and_nodes(context, namespace, selector))
    zones = {str(node["metadata"]["name"]): _zone(node) for node in nodes}
    ready = (zones.get(str((pod.get("spec") or {}).get("nodeName")), "") for pod in pods if _ready(pod))
    return _counted(zones.values(), ready)


def ready_nodes(context: str = "", zone: str = "", selector: str = "") -> int:
    """How many nodes that match the label ``selector`` are Ready, in ``zone`` or in all."""
    found = ready_nodes_by_zone(context, selector)
    return found.get(zone, 0) if zone else sum(found.values())


def ready_nodes_by_zone(context: str = "", selector: str = "") -> Dict[str, int]:
    """Ready nodes by zone; zones that have only nodes which are not Ready are listed with 0."""
    nodes = asyncio.run(_nodes(context, selector))
    return _counted(map(_zone, nodes), (_zone(node) for node in nodes if _ready(node)))


async def _nodes(context: str, selector: str) -> list[dict[str, Any]]:
    async with Kube(context, timeout_seconds=TIMEOUT_SECONDS) as kube:
        return await kube.items("/api/v1/nodes", _query(selector))


async def _pods_and_nodes(
    context: str, namespace: str, selector: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    async with Kube(context, timeout_seconds=TIMEOUT_SECONDS) as kube:
        pods = await kube.items(f"/api/v1/namespaces/{namespace}/pods", _query(selector))
        return pods, await kube.items("/api/v1/nodes")


def _query(selector: str) -> dict[str, str]:
    return {"labelSelector": selector} if selector else {}


def _zone(node: Mapping[str, Any]) -> str:
    return str((node["metadata"].get("labels") or {}).get(ZONE_LABEL, ""))


def _ready(thing: Mapping[str, Any]) -> bool:
    if thing["metadata"].get("deletionTimestamp"):
        return False
    conditions: Sequence[Mapping[str, Any]] = (thing.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def _counted(zones: Any, ready: Any) -> Dict[str, int]:
    counts = Counter(ready)
    return {zone: counts[zone] for zone in sorted({*zones, *counts})}

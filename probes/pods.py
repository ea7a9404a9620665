"""The pods of a cluster: which are ready, where, and why others wait. Read from its Kubernetes API.

``context`` is a context of the kubeconfig, "" the current one; ``selector`` a label selector, "" for all pods.
ServiceUnreachable when the API does not answer.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Dict

from blackstart.clock import SystemClock
from blackstart.errors import ConfigInvalid, NotMeasured
from blackstart.kube.reading import Kube
from blackstart.probes import _cluster, _selectors
from blackstart.probes._again import Ready, back
from blackstart.probes._watched import Fault, fault_of

__all__ = [
    "pending_pods",
    "pending_reasons",
    "pods_ready_again_seconds",
    "ready_pods",
    "ready_pods_by_zone",
]

PERMISSIONS = {
    "pending_pods": ("kubernetes:list pods",),
    "pending_reasons": ("kubernetes:list pods",),
    "pods_ready_again_seconds": ("kubernetes:list pods", *_cluster.READ_WORKLOAD),
    "ready_pods": ("kubernetes:list nodes", "kubernetes:list pods"),
    "ready_pods_by_zone": ("kubernetes:list nodes", "kubernetes:list pods"),
}
"""What each probe needs, in its ``namespace`` of the cluster of its ``context``."""


def ready_pods(namespace: str, selector: str = "", context: str = "", zone: str = "") -> int:
    """How many pods that match ``selector`` are Ready and not being deleted, in ``zone`` or in all."""
    found = ready_pods_by_zone(namespace, selector, context)
    return found.get(zone, 0) if zone else sum(found.values())


def ready_pods_by_zone(namespace: str, selector: str = "", context: str = "") -> Dict[str, int]:
    """Ready pods by the zone of the node that they are on; zones of all nodes are listed, also with 0."""

    async def look(kube: Kube) -> Dict[str, int]:
        pods = await _cluster.pods(kube, namespace, selector)
        zones = {node["metadata"]["name"]: _cluster.zone(node) for node in await _cluster.nodes(kube)}
        ready = (zones.get(_cluster.node_of(pod), "") for pod in pods if _cluster.ready(pod))
        return _cluster.counted(zones.values(), ready)

    return _cluster.ask(context, look)


def pending_pods(namespace: str, selector: str = "", context: str = "") -> int:
    """How many pods that match ``selector`` wait to be scheduled or for their containers to start."""
    return sum(pending_reasons(namespace, selector, context).values())


def pending_reasons(namespace: str, selector: str = "", context: str = "") -> Dict[str, int]:
    """Why pods are pending, each reason with the number of pods: the scheduler's words, else the containers'."""

    async def look(kube: Kube) -> Dict[str, int]:
        pods = await _cluster.pods(kube, namespace, selector)
        waiting = [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Pending"]
        return dict(Counter(_why(pod) for pod in waiting if not _cluster.leaving(pod)).most_common())

    return _cluster.ask(context, look)


def _why(pod: Mapping[str, Any]) -> str:
    placed = _cluster.condition(pod, "PodScheduled")
    if placed.get("status") != "True" and not _cluster.node_of(pod):
        said = [str(placed[name]) for name in ("reason", "message") if placed.get(name)]
        return ": ".join(said) or "not scheduled yet"
    status = pod.get("status") or {}
    held = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    reasons = [((each.get("state") or {}).get("waiting") or {}).get("reason") for each in held]
    return next((str(reason) for reason in reasons if reason), "starting")


def pods_ready_again_seconds(
    namespace: str,
    workload: str = "",
    selector: str = "",
    wanted: int = 0,
    context: str = "",
    limit_seconds: float = 0.0,
    settle_seconds: float = 0.0,
    stable_seconds: float = 0.0,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> float | None:
    """Seconds from the fault until as many pods as before were Ready; 0.0 if that many were all along.

    Of a ``workload`` ("Deployment/orders") all its replicas; of a ``selector`` as many as ``wanted``. Waits for it, at
    most ``limit_seconds`` from the fault (0: the objective for the recovery time), and gives None if there were too few
    by then. Pods have ``settle_seconds`` from the fault to be seen to fall, and have to stay for ``stable_seconds``.
    Exact to 0.25 s; to 1 s, by the cluster's clock, when they were back before this.
    """
    if bool(workload) == bool(selector) or (selector and wanted <= 0):
        problem = "give a workload, or a selector and how many wanted"
        raise ConfigInvalid("pods_ready_again_seconds", "workload", problem)
    clock = SystemClock()
    fault = fault_of(configuration, clock, limit_seconds)

    async def wait(kube: Kube) -> float | None:
        chosen, number = selector, wanted
        if workload:
            owner = await kube.get(_cluster.workload_path(namespace, workload))
            chosen = _selectors.text(owner["spec"]["selector"])
            number = wanted or _replicas(owner, fault)
        if number <= 0:
            raise NotMeasured(f"when the pods of {workload} were ready again", "it wants no pods")

        async def look() -> Ready:
            pods = await _cluster.pods(kube, namespace, chosen)
            return [_cluster.ready_since(pod) for pod in pods if _cluster.ready(pod)]

        return await back(look, number, fault, settle_seconds, clock, stable_seconds=stable_seconds)

    return _cluster.ask(context, wait)


def _replicas(owner: Mapping[str, Any], fault: Fault) -> int:
    """How many a workload wants, or wanted before the fault changed that."""
    name, now = owner["metadata"]["name"], int(owner["spec"].get("replicas", 1))
    changed = [change for change in fault.changes if change["target"].get("id") == name]
    befores = [change["before"] for change in changed if isinstance(change.get("before"), dict)]
    return max([now, *(int(before["replicas"]) for before in befores if "replicas" in before)])

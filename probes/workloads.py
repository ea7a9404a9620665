"""What a workload's controllers say: of its replicas, its roll-out and its disruption budget. From the Kubernetes API.

Only what a controller says of the newest version of its object counts. ``context`` is a context of the kubeconfig, ""
the current one. ServiceUnreachable when the API does not answer.
"""

from collections.abc import Mapping
from typing import Any, Dict

from blackstart.clock import SystemClock
from blackstart.errors import NotMeasured
from blackstart.kube.reading import Kube
from blackstart.probes import _cluster

__all__ = ["disruptions_allowed", "ready_share", "rollout_stalled", "rollout_state"]

PERMISSIONS = {
    "disruptions_allowed": ("kubernetes:get poddisruptionbudgets",),
    "ready_share": _cluster.READ_WORKLOAD,
    "rollout_stalled": ("kubernetes:get deployments",),
    "rollout_state": ("kubernetes:get deployments",),
}
"""What each probe needs, in its ``namespace`` of the cluster of its ``context``."""


def disruptions_allowed(namespace: str, budget: str, context: str = "") -> int:
    """How many pods a PodDisruptionBudget lets be evicted just now; NotMeasured when that is out of date."""

    async def look(kube: Kube) -> int:
        path = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets/{budget}"
        status = (await _cluster.looked_at(kube, path, SystemClock()))["status"]
        if "disruptionsAllowed" not in status:
            raise NotMeasured(f"what budget {budget} allows", "it does not say")
        return int(status["disruptionsAllowed"])

    return _cluster.ask(context, look)


def ready_share(namespace: str, workload: str, context: str = "") -> float:
    """The share, 0–1, of the replicas that a workload ("Deployment/orders") wants which are ready; at most 1.

    NotMeasured when it wants none.
    """

    async def look(kube: Kube) -> float:
        found = await _cluster.looked_at(kube, _cluster.workload_path(namespace, workload), SystemClock())
        wanted = int(found["spec"].get("replicas", 1))
        if wanted <= 0:
            raise NotMeasured(f"the share of {workload} that is ready", "it wants no pods")
        return min(1.0, int(found["status"].get("readyReplicas") or 0) / wanted)

    return _cluster.ask(context, look)


def rollout_stalled(namespace: str, deployment: str, context: str = "") -> bool:
    """Whether the roll-out of a deployment has missed its progress deadline; NotMeasured if it does not say."""
    return bool(rollout_state(namespace, deployment, context)["state"] == "stalled")


def rollout_state(namespace: str, deployment: str, context: str = "") -> Dict[str, Any]:
    """How far the roll-out of a deployment is.

    ``state`` (complete, progressing, stalled or paused), how many replicas are ``wanted``, ``updated``, ``old``,
    ``ready`` and ``available``, and the ``message`` of its controller.
    """

    async def look(kube: Kube) -> Dict[str, Any]:
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}"
        return _state(await _cluster.looked_at(kube, path, SystemClock()))

    return _cluster.ask(context, look)


def _state(deployment: Mapping[str, Any]) -> Dict[str, Any]:
    spec, status = deployment["spec"], deployment["status"]
    wanted = int(spec.get("replicas", 1))
    total, updated, ready, available = (
        int(status.get(name) or 0) for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    )
    progress = _cluster.condition(deployment, "Progressing")
    if spec.get("paused"):
        state = "paused"
    elif updated == total == available == wanted:
        state = "complete"
    elif not progress:
        raise NotMeasured(f"the roll-out of {deployment['metadata']['name']}", "it has no condition Progressing")
    else:
        state = "stalled" if progress.get("reason") == "ProgressDeadlineExceeded" else "progressing"
    return {
        "state": state,
        "wanted": wanted,
        "updated": updated,
        "old": total - updated,
        "ready": ready,
        "available": available,
        "message": str(progress.get("message") or ""),
    }

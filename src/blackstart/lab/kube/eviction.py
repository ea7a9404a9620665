"""The eviction subresource: a deletion that disruption budgets may refuse."""

from __future__ import annotations

from typing import Any

from blackstart.lab.kube.cluster import Cluster
from blackstart.lab.kube.disruption import covering, measure
from blackstart.lab.kube.objects import Object, is_active, is_ready
from blackstart.lab.kube.states import DeleteOptions
from blackstart.lab.kube.status import ApiError
from blackstart.lab.kube.store import Key


def evict(cluster: Cluster, key: Key, options: DeleteOptions, dry_run: bool = False) -> dict[str, Any]:
    """Delete pod ``key`` if its budget permits; the ``Status`` to answer. ApiError 404, 429, or 500 for two budgets."""
    pods = cluster.registry.named("pods")
    pod = cluster.get(pods, key).object
    if is_active(pod) and pod["status"].get("phase") != "Pending":
        _check_budgets(cluster, pod)
    if not dry_run:
        cluster.delete(pods, key, options)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _check_budgets(cluster: Cluster, pod: Object) -> None:
    budgets = covering(cluster, pod)
    if len(budgets) > 1:
        message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise ApiError(500, "InternalError", message)
    for budget in budgets:
        state = measure(cluster, budget)
        if not is_ready(pod) and _may_go_unhealthy(
            budget, enough=state.healthy >= state.desired and state.expected > 0
        ):
            return
        if state.allowed <= 0:
            name = budget["metadata"]["name"]
            cause = f"The disruption budget {name} needs {state.desired} healthy pods and has {state.healthy} currently"
            raise ApiError(
                429,
                "TooManyRequests",
                "Cannot evict pod as it would violate the pod's disruption budget.",
                {"causes": [{"reason": "DisruptionBudget", "message": cause}]},
            )


def _may_go_unhealthy(budget: Object, *, enough: bool) -> bool:
    return enough or budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow"

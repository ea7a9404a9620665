"""Whether a workload may still grow. Read from the Kubernetes API.

``context`` is a context of the kubeconfig, "" the current one. ServiceUnreachable when the API does not answer.
"""

from collections.abc import Mapping
from typing import Any

from blackstart.errors import NotMeasured
from blackstart.kube.reading import Kube
from blackstart.probes import _cluster

__all__ = ["autoscaler_at_ceiling"]

PERMISSIONS = {"autoscaler_at_ceiling": ("kubernetes:get horizontalpodautoscalers",)}
"""What the probe needs, in its ``namespace`` of the cluster of its ``context``."""

CEILING = "TooManyReplicas"


def autoscaler_at_ceiling(namespace: str, autoscaler: str, context: str = "") -> bool:
    """Whether a HorizontalPodAutoscaler has all the replicas that it may have, and would have more.

    NotMeasured when it does not scale (its metrics are missing, its target is at zero), or does not say.
    """

    async def look(kube: Kube) -> bool:
        path = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers/{autoscaler}"
        return _at_ceiling(await kube.get(path))

    return _cluster.ask(context, look)


def _at_ceiling(autoscaler: Mapping[str, Any]) -> bool:
    what = f"whether autoscaler {autoscaler['metadata']['name']} is at its ceiling"
    active, limited = (_cluster.condition(autoscaler, kind) for kind in ("ScalingActive", "ScalingLimited"))
    if active.get("status") != "True":
        raise NotMeasured(what, f"it does not scale: {active.get('message') or 'it does not say why'}")
    if limited.get("status") not in ("True", "False"):
        raise NotMeasured(what, "it does not say whether it is limited")
    current = int((autoscaler.get("status") or {}).get("currentReplicas") or 0)
    return limited.get("reason") == CEILING and current >= int(autoscaler["spec"]["maxReplicas"])

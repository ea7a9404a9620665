"""Pod disruption budgets: how many pods may be evicted right now. Reads the store, changes nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blackstart.lab.kube.cluster import Cluster
from blackstart.lab.kube.objects import Object, controller_of, is_active, is_ready, labels_of
from blackstart.lab.kube.quantities import amount
from blackstart.lab.kube.selectors import label_selector
from blackstart.lab.kube.store import Key


@dataclass(frozen=True)
class Budget:
    """Pods that are healthy, that must be, and that there should be; ``allowed`` may be evicted now."""

    healthy: int
    desired: int
    expected: int

    @property
    def allowed(self) -> int:
        return max(0, self.healthy - self.desired) if self.expected else 0


def covering(cluster: Cluster, pod: Object) -> list[Object]:
    """The budgets that ``pod`` counts for."""
    found = cluster.store.records("poddisruptionbudgets.policy", pod["metadata"]["namespace"])
    return [record.object for record in found if _selects(record.object, pod)]


def measure(cluster: Cluster, budget: Object) -> Budget:
    """What ``budget`` permits at this moment."""
    namespace, spec = budget["metadata"]["namespace"], budget["spec"]
    pods = [record.object for record in cluster.store.records("pods.", namespace)]
    matching = [pod for pod in pods if _selects(budget, pod) and _counts(pod)]
    healthy = sum(is_active(pod) and is_ready(pod) for pod in matching)
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if isinstance(least, int):
        return Budget(healthy, least, len(matching))
    expected = _expected(cluster, namespace, matching)
    if most is not None:
        return Budget(healthy, max(0, expected - amount(most, expected, math.ceil)), expected)
    return Budget(healthy, amount(least if least is not None else 1, expected, math.ceil), expected)


def _selects(budget: Object, pod: Object) -> bool:
    return label_selector(budget["spec"].get("selector"))(labels_of(pod))


def _counts(pod: Object) -> bool:
    return pod["status"].get("phase") not in ("Succeeded", "Failed")


def _expected(cluster: Cluster, namespace: str, pods: list[Object]) -> int:
    """How many pods their controllers were asked for; a pod without a controller counts for itself."""
    total, seen = 0, set()
    for pod in pods:
        owner = controller_of(pod)
        if owner is None:
            total += 1
            continue
        scaled = _scaled(cluster, namespace, owner)
        if scaled is None:
            total += 1
        elif scaled["metadata"]["uid"] not in seen:
            seen.add(scaled["metadata"]["uid"])
            total += scaled["spec"]["replicas"]
    return total


def _scaled(cluster: Cluster, namespace: str, reference: Mapping[str, Any]) -> Object | None:
    """The topmost object above a pod that has a number of replicas."""
    resource = cluster.registry.of_kind(reference["apiVersion"], reference["kind"])
    record = cluster.store.get(resource.store_key, Key(namespace, reference["name"])) if resource else None
    if record is None or "replicas" not in (record.object.get("spec") or {}):
        return None
    above = controller_of(record.object)
    return (_scaled(cluster, namespace, above) if above else None) or record.object

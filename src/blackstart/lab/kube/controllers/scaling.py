"""How many pods a HorizontalPodAutoscaler asks for, from what its pods use. Pure.

Source: the algorithm in "Horizontal Pod Autoscaling" of the Kubernetes documentation, and its replica calculator.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

TOLERANCE = 0.1


@dataclass(frozen=True)
class PodLoad:
    """Cores that one pod requests, and cores it uses: None while nobody has measured it."""

    requested: float
    used: float | None
    ready: bool = True


@dataclass(frozen=True)
class Recommendation:
    """``utilization`` is the use of the pods that count, in percent of their requests; ``average`` is in cores."""

    replicas: int
    utilization: int
    average: float


def recommend(current: int, target: int, pods: Sequence[PodLoad]) -> Recommendation | None:
    """For ``current`` pods that should use ``target`` percent; None if not one pod is ready and measured.

    A pod that is not measured is taken to use nothing when that speaks against growing, and all of its request when it
    speaks against shrinking; one that is not ready to use nothing.
    """
    measured = [pod for pod in pods if pod.ready and pod.used is not None]
    if not measured:
        return None
    used = sum(pod.used or 0.0 for pod in measured)
    utilization = _percent(used, measured)
    ratio = utilization / target
    wanted = math.ceil(ratio * len(measured))
    if _within(ratio):
        wanted = current
    unmeasured = [pod for pod in pods if pod.ready and pod.used is None]
    starting = [pod for pod in pods if not pod.ready] if ratio > 1 else []
    if unmeasured or starting:
        idle = max(1.0, target / 100) if ratio < 1 else 0.0
        everybody = [*measured, *unmeasured, *starting]
        again = _percent(used + sum(pod.requested * idle for pod in unmeasured), everybody) / target
        wanted = math.ceil(again * len(everybody))
        turned = (ratio < 1 < again) or (again < 1 < ratio)
        backwards = (again < 1 and wanted > current) or (again > 1 and wanted < current)
        if _within(again) or turned or backwards:
            wanted = current
    return Recommendation(wanted, utilization, used / len(measured))


def _percent(used: float, pods: Sequence[PodLoad]) -> int:
    return int(100 * used / sum(pod.requested for pod in pods))


def _within(ratio: float) -> bool:
    return abs(ratio - 1) <= TOLERANCE

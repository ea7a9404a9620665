"""What a Deployment reports about its roll-out."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from blackstart.lab.kube.cluster import Cluster
from blackstart.lab.kube.controllers.rollout import rolling_limits
from blackstart.lab.kube.objects import Object, condition, with_condition
from blackstart.lab.kube.store import Key

_COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")


class Progress:
    """When each Deployment last got further, in monotonic seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._last: dict[Key, tuple[tuple[int, ...], float]] = {}

    def idle(self, key: Key, state: tuple[int, ...]) -> float:
        """Seconds since ``state`` last became another one."""
        now = self._monotonic()
        held = self._last.get(key)
        if held is None or held[0] != state:
            held = self._last[key] = (state, now)
        return now - held[1]

    def forget(self, key: Key) -> None:
        self._last.pop(key, None)


def report(
    cluster: Cluster, key: Key, owned: Iterable[Object], current: Object | None, progress: Progress
) -> float | None:
    """Write the status; seconds until the deadline of a roll-out that is under way."""
    resource = cluster.registry.named("deployments", "apps")
    deployment = cluster.get(resource, key).object
    counts = _counts(owned, current)
    generation = deployment["metadata"]["generation"]
    idle = progress.idle(key, (generation, *counts.values()))
    wanted = deployment["spec"]["replicas"]
    complete = counts["updatedReplicas"] == counts["replicas"] == counts["availableReplicas"] == wanted
    deadline = deployment["spec"]["progressDeadlineSeconds"]
    now = cluster.timestamp()
    conditions = with_condition(deployment.get("status", {}).get("conditions"), _available(deployment, counts), now)
    advance = _advance(deployment, current, complete, idle >= deadline)
    if condition(deployment, "Progressing").get("reason") != advance["reason"] or not idle:
        advance["lastUpdateTime"] = now
    conditions = with_condition(conditions, advance, now)
    status: Object = {name: count for name, count in counts.items() if count}
    status |= {"observedGeneration": generation, "conditions": conditions}
    missing = max(0, max(wanted, counts["replicas"]) - counts["availableReplicas"])
    if missing:
        status["unavailableReplicas"] = missing
    cluster.change(resource, key, lambda obj: obj.update(status=status), "status")
    return None if complete or idle >= deadline else deadline - idle


def _counts(owned: Iterable[Object], current: Object | None) -> dict[str, int]:
    counts = dict.fromkeys(_COUNTS, 0)
    for owner in owned:
        status = owner.get("status") or {}
        for name in ("replicas", "readyReplicas", "availableReplicas"):
            counts[name] += status.get(name, 0)
        if current and owner["metadata"]["uid"] == current["metadata"]["uid"]:
            counts["updatedReplicas"] = status.get("replicas", 0)
    return counts


def _available(deployment: Object, counts: dict[str, int]) -> Object:
    spec = deployment["spec"]
    limits = rolling_limits(spec["replicas"], spec["strategy"])
    enough = counts["availableReplicas"] >= spec["replicas"] - (limits.unavailable if limits else 0)
    words = ("MinimumReplicasAvailable", "has") if enough else ("MinimumReplicasUnavailable", "does not have")
    return {
        "type": "Available",
        "status": "True" if enough else "False",
        "reason": words[0],
        "message": f"Deployment {words[1]} minimum availability.",
    }


def _advance(deployment: Object, current: Object | None, complete: bool, late: bool) -> Object:
    name = current["metadata"]["name"] if current else ""
    if deployment["spec"].get("paused"):
        status, reason, message = "Unknown", "DeploymentPaused", "Deployment is paused"
    elif complete:
        status, reason = "True", "NewReplicaSetAvailable"
        message = f'ReplicaSet "{name}" has successfully progressed.'
    elif late:
        status, reason = "False", "ProgressDeadlineExceeded"
        message = f'ReplicaSet "{name}" has timed out progressing.'
    else:
        status, reason, message = "True", "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.'
    return {"type": "Progressing", "status": status, "reason": reason, "message": message}

"""Keeps the status of pod disruption budgets true."""

from __future__ import annotations

from blackstart.clock import Clock
from blackstart.lab.kube.cluster import Cluster
from blackstart.lab.kube.controllers.queue import WorkQueue
from blackstart.lab.kube.disruption import measure
from blackstart.lab.kube.objects import Object, key_of, with_condition
from blackstart.lab.kube.store import Event, Key

_BUDGETS = "poddisruptionbudgets.policy"
_COUNTED = frozenset({"pods.", "deployments.apps", "replicasets.apps"})


class Budgets:
    """Writes what ``disruption.measure`` finds."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._resource = cluster.registry.named("poddisruptionbudgets", "policy")
        self._queue = WorkQueue(clock.monotonic)

    def observe(self, event: Event) -> None:
        if event.resource == _BUDGETS:
            self._queue.add(event.key)
        elif event.resource in _COUNTED:
            for record in self._cluster.store.records(_BUDGETS, event.key.namespace):
                self._queue.add(key_of(record.object))

    def step(self) -> float | None:
        return self._queue.work(self._sync)

    def _sync(self, key: Key) -> None:
        record = self._cluster.store.get(_BUDGETS, key)
        if record is None:
            return
        state = measure(self._cluster, record.object)
        now = self._cluster.timestamp()
        words = ("True", "SufficientPods") if state.allowed else ("False", "InsufficientPods")
        new = {"type": "DisruptionAllowed", "status": words[0], "reason": words[1], "message": ""}

        def edit(obj: Object) -> None:
            obj["status"] = {
                "currentHealthy": state.healthy,
                "desiredHealthy": state.desired,
                "expectedPods": state.expected,
                "disruptionsAllowed": state.allowed,
                "observedGeneration": obj["metadata"]["generation"],
                "conditions": with_condition((obj.get("status") or {}).get("conditions"), new, now),
            }

        self._cluster.change(self._resource, key, edit, "status")

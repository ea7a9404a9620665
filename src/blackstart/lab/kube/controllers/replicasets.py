"""ReplicaSet: as many pods as asked for."""

from __future__ import annotations

import copy
from collections import Counter
from datetime import timedelta
from typing import Any

from blackstart.clock import Clock
from blackstart.lab.kube.cluster import Cluster
from blackstart.lab.kube.controllers.queue import WorkQueue
from blackstart.lab.kube.objects import (
    Object,
    condition,
    controller_of,
    is_active,
    is_ready,
    key_of,
    labels_of,
    owner_reference,
    parse_timestamp,
)
from blackstart.lab.kube.selectors import label_selector
from blackstart.lab.kube.status import ApiError
from blackstart.lab.kube.store import Event, Key

_BURST = 200  # pods made in one step, so that requests are not kept waiting; their events bring the next
_COST = "controller.kubernetes.io/pod-deletion-cost"


class ReplicaSets:
    """Creates, adopts, releases and deletes pods, and reports how many there are."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._sets = cluster.registry.named("replicasets", "apps")
        self._pods = cluster.registry.named("pods")
        self._queue = WorkQueue(clock.monotonic)
        self._orphans: set[Key] = set()

    def observe(self, event: Event) -> None:
        if event.resource == "replicasets.apps":
            self._queue.add(event.key)
        elif event.resource == "pods.":
            free = event.type != "DELETED" and controller_of(event.record.object) is None
            (self._orphans.add if free else self._orphans.discard)(event.key)
            self._observe_pod(event.key.namespace, event.record.object)
            if event.previous is not None:
                self._observe_pod(event.key.namespace, event.previous.object)

    def step(self) -> float | None:
        return self._queue.work(self._sync)

    def _observe_pod(self, namespace: str, pod: Object) -> None:
        owner = controller_of(pod)
        if owner is None:
            found = self._cluster.store.records("replicasets.apps", namespace)
            for record in found:
                if self._wants(record.object, pod):
                    self._queue.add(key_of(record.object))
        elif owner["kind"] == "ReplicaSet":
            self._queue.add(Key(namespace, owner["name"]))

    def _wants(self, owner: Object, pod: Object) -> bool:
        return label_selector(owner["spec"]["selector"])(labels_of(pod))

    def _sync(self, key: Key) -> float | None:
        record = self._cluster.store.get("replicasets.apps", key)
        if record is None:
            return None
        owner = record.object
        pods = self._claimed(owner)
        if "deletionTimestamp" not in owner["metadata"]:
            active = [pod for pod in pods if is_active(pod)]
            missing = owner["spec"]["replicas"] - len(active)
            if missing > 0:
                self._create(owner, missing)
            elif missing < 0:
                self._delete(owner, active, -missing)
        return self._report(key, owner)

    def _claimed(self, owner: Object) -> list[Object]:
        """The pods of this set, after taking in those that match it and letting go of those that no longer do."""
        claimed = []
        for pod in self._owned(owner):
            if self._wants(owner, pod):
                claimed.append(pod)
            elif is_active(pod):
                self._cluster.change(self._pods, key_of(pod), lambda obj: _release(obj, owner["metadata"]["uid"]))
        if "deletionTimestamp" not in owner["metadata"]:
            claimed += self._adopted(owner)
        return claimed

    def _adopted(self, owner: Object) -> list[Object]:
        adopted = []
        for key in sorted(key for key in self._orphans if key.namespace == owner["metadata"]["namespace"]):
            record = self._cluster.store.get("pods.", key)
            free = record is not None and controller_of(record.object) is None and is_active(record.object)
            if record and free and self._wants(owner, record.object):
                adopted.append(self._cluster.change(self._pods, key, lambda obj: _adopt(obj, owner)).object)
        return adopted

    def _owned(self, owner: Object) -> list[Object]:
        found = self._cluster.store.dependents(owner["metadata"]["uid"])
        records = [self._cluster.store.get(resource, key) for resource, key in found if resource == "pods."]
        return [record.object for record in records if record]

    def _create(self, owner: Object, count: int) -> None:
        namespace, name = owner["metadata"]["namespace"], owner["metadata"]["name"]
        template = owner["spec"]["template"]
        for _ in range(min(count, _BURST)):
            metadata = dict(template.get("metadata") or {})
            metadata |= {"generateName": f"{name}-", "ownerReferences": [owner_reference(owner)]}
            pod = {"metadata": metadata, "spec": template["spec"]}
            try:
                made = self._cluster.create(self._pods, namespace, copy.deepcopy(pod)).object
            except ApiError as error:
                message = f"Error creating: {error}"
                self._cluster.event(owner, "Warning", "FailedCreate", message, "replicaset-controller")
                return
            message = f"Created pod: {made['metadata']['name']}"
            self._cluster.event(owner, "Normal", "SuccessfulCreate", message, "replicaset-controller")

    def _delete(self, owner: Object, pods: list[Object], count: int) -> None:
        neighbours = Counter(pod["spec"].get("nodeName") for pod in pods)
        for pod in sorted(pods, key=lambda pod: _rank(pod, neighbours))[:count]:
            self._cluster.delete(self._pods, key_of(pod))
            message = f"Deleted pod: {pod['metadata']['name']}"
            self._cluster.event(owner, "Normal", "SuccessfulDelete", message, "replicaset-controller")

    def _report(self, key: Key, owner: Object) -> float | None:
        pods = [pod for pod in self._owned(owner) if is_active(pod)]
        ready = [pod for pod in pods if is_ready(pod)]
        needed = timedelta(seconds=owner["spec"].get("minReadySeconds") or 0)
        waits = [self._ready_in(pod, needed) for pod in ready]
        counts = {
            "replicas": len(pods),
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": len(ready),
            "availableReplicas": sum(wait <= 0 for wait in waits),
        }
        status = {name: count for name, count in counts.items() if count or name == "replicas"}
        status["observedGeneration"] = owner["metadata"]["generation"]
        self._cluster.change(self._sets, key, lambda obj: obj.update(status=status), "status")
        return min((wait for wait in waits if wait > 0), default=None)

    def _ready_in(self, pod: Object, needed: timedelta) -> float:
        """Seconds until ``pod`` was ready for as long as ``needed``."""
        since = condition(pod, "Ready").get("lastTransitionTime")
        if not needed or not since:
            return 0.0
        return (parse_timestamp(since) + needed - self._clock.now()).total_seconds()


def _adopt(pod: Object, owner: Object) -> None:
    pod["metadata"]["ownerReferences"] = [*(pod["metadata"].get("ownerReferences") or ()), owner_reference(owner)]


def _release(pod: Object, uid: str) -> None:
    held = pod["metadata"].get("ownerReferences") or ()
    pod["metadata"]["ownerReferences"] = [reference for reference in held if reference["uid"] != uid]


def _rank(pod: Object, neighbours: Counter[Any]) -> tuple[Any, ...]:
    """Which pod goes first: unscheduled, pending, not ready, cheap, crowded, young."""
    node = pod["spec"].get("nodeName")
    cost = (pod["metadata"].get("annotations") or {}).get(_COST, "0")
    age = parse_timestamp(pod["metadata"]["creationTimestamp"]).timestamp()
    pending = pod["status"].get("phase") != "Running"
    return (bool(node), not pending, is_ready(pod), int(cost), -neighbours[node], -age, pod["metadata"]["name"])

"""StatefulSet: pods with names that stay, db-0, db-1 …, made in that order and removed in the other.

Not known: volume claims, ControllerRevision objects, ``partition`` and ``ordinals.start``.
"""

from __future__ import annotations

import copy
import hashlib
import json

from blackstart.clock import Clock
from blackstart.lab.kube.cluster import Cluster
from blackstart.lab.kube.controllers.queue import WorkQueue
from blackstart.lab.kube.objects import Object, controller_of, is_active, is_ready, key_of, labels_of, owner_reference
from blackstart.lab.kube.store import Event, Key

_REVISION = "controller-revision-hash"
_NAME = "statefulset-controller"


class StatefulSets:
    """Creates, replaces, updates and removes pods, and reports how many there are."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._sets = cluster.registry.named("statefulsets", "apps")
        self._pods = cluster.registry.named("pods")
        self._queue = WorkQueue(clock.monotonic)

    def observe(self, event: Event) -> None:
        if event.resource == "statefulsets.apps":
            self._queue.add(event.key)
        elif event.resource == "pods.":
            owner = controller_of(event.record.object)
            if owner and owner["kind"] == "StatefulSet":
                self._queue.add(Key(event.key.namespace, owner["name"]))

    def step(self) -> float | None:
        return self._queue.work(self._sync)

    def _sync(self, key: Key) -> None:
        record = self._cluster.store.get("statefulsets.apps", key)
        if record is None:
            return
        owner = record.object
        if "deletionTimestamp" not in owner["metadata"]:
            self._advance(owner, self._owned(owner))
        self._report(key, owner)

    def _owned(self, owner: Object) -> dict[int, Object]:
        """The pods by their numbers."""
        found = self._cluster.store.dependents(owner["metadata"]["uid"])
        pods = [self._cluster.store.get(resource, key) for resource, key in found if resource == "pods."]
        named = {pod.object["metadata"]["name"].rpartition("-")[2]: pod.object for pod in pods if pod}
        return {int(number): pod for number, pod in named.items() if number.isdigit()}

    def _advance(self, owner: Object, pods: dict[int, Object]) -> None:
        """Every step that is possible now: one at a time in order, unless the set manages its pods in parallel."""
        wanted = owner["spec"]["replicas"]
        in_order = owner["spec"].get("podManagementPolicy") != "Parallel"
        for number in range(wanted):
            pod = pods.get(number)
            if pod is None:
                self._create(owner, number)
            elif pod["status"].get("phase") in ("Succeeded", "Failed") and "deletionTimestamp" not in pod["metadata"]:
                self._delete(owner, pod)
            if in_order and not (pod and is_active(pod) and is_ready(pod)):
                return
        surplus = [pods[number] for number in sorted(pods, reverse=True) if number >= wanted]
        for pod in surplus[:1] if in_order else surplus:
            if "deletionTimestamp" not in pod["metadata"]:
                self._delete(owner, pod)
        if not surplus:
            self._update(owner, pods)

    def _update(self, owner: Object, pods: dict[int, Object]) -> None:
        """Replace the highest pod of another template, once all others are ready."""
        if (owner["spec"].get("updateStrategy") or {}).get("type") == "OnDelete":
            return
        for number in sorted(pods, reverse=True):
            if labels_of(pods[number]).get(_REVISION) != _revision(owner):
                if is_active(pods[number]):
                    self._delete(owner, pods[number])
                return
            if not is_ready(pods[number]):
                return

    def _create(self, owner: Object, number: int) -> None:
        namespace, name = owner["metadata"]["namespace"], f"{owner['metadata']['name']}-{number}"
        if self._cluster.store.get("pods.", Key(namespace, name)):
            # somebody else's, who has to go first
            return
        template = copy.deepcopy(owner["spec"]["template"])
        metadata = template.get("metadata") or {}
        own = {"statefulset.kubernetes.io/pod-name": name, "apps.kubernetes.io/pod-index": str(number)}
        metadata["labels"] = (metadata.get("labels") or {}) | own | {_REVISION: _revision(owner)}
        metadata |= {"name": name, "ownerReferences": [owner_reference(owner)]}
        spec = template["spec"] | {"hostname": name, "subdomain": owner["spec"].get("serviceName", "")}
        self._cluster.create(self._pods, namespace, {"metadata": metadata, "spec": spec})
        self._tell(owner, "SuccessfulCreate", "create", name)

    def _delete(self, owner: Object, pod: Object) -> None:
        self._cluster.delete(self._pods, key_of(pod))
        self._tell(owner, "SuccessfulDelete", "delete", pod["metadata"]["name"])

    def _tell(self, owner: Object, reason: str, verb: str, pod: str) -> None:
        message = f"{verb} Pod {pod} in StatefulSet {owner['metadata']['name']} successful"
        self._cluster.event(owner, "Normal", reason, message, _NAME)

    def _report(self, key: Key, owner: Object) -> None:
        pods = list(self._owned(owner).values())
        ready = sum(is_ready(pod) and is_active(pod) for pod in pods)
        newest = _revision(owner)
        updated = sum(labels_of(pod).get(_REVISION) == newest for pod in pods if is_active(pod))
        before = (owner.get("status") or {}).get("currentRevision") or newest
        current = newest if updated == ready == owner["spec"]["replicas"] else before
        status = {
            "observedGeneration": owner["metadata"]["generation"],
            "replicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "updatedReplicas": updated,
            "currentReplicas": sum(labels_of(pod).get(_REVISION) == current for pod in pods if is_active(pod)),
            "currentRevision": current,
            "updateRevision": newest,
            "collisionCount": 0,
        }
        self._cluster.change(self._sets, key, lambda obj: obj.update(status=status), "status")


def _revision(owner: Object) -> str:
    """A word for the template of ``owner``, as a label value."""
    digest = hashlib.sha256(json.dumps(owner["spec"]["template"], sort_keys=True).encode()).hexdigest()[:10]
    return f"{owner['metadata']['name']}-{digest}"

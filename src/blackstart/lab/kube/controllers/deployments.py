"""Deployment: moves pods from old ReplicaSets to the one of the current template."""

from __future__ import annotations

import copy
import hashlib
import json

from blackstart.clock import Clock
from blackstart.lab.kube.cluster import Cluster
from blackstart.lab.kube.controllers.queue import WorkQueue
from blackstart.lab.kube.controllers.rollout import Sizes, next_sizes, rolling_limits
from blackstart.lab.kube.controllers.rollout_status import Progress, report
from blackstart.lab.kube.objects import Object, controller_of, key_of, owner_reference
from blackstart.lab.kube.store import Event, Key

_HASH = "pod-template-hash"
_REVISION = "deployment.kubernetes.io/revision"
_KUBECTL = "kubectl.kubernetes.io/last-applied-configuration"
_NAME = "deployment-controller"


class Deployments:
    """Creates ReplicaSets and sets their sizes."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._deployments = cluster.registry.named("deployments", "apps")
        self._sets = cluster.registry.named("replicasets", "apps")
        self._queue = WorkQueue(clock.monotonic)
        self._progress = Progress(clock.monotonic)

    def observe(self, event: Event) -> None:
        if event.resource == "deployments.apps":
            self._queue.add(event.key)
        elif event.resource == "replicasets.apps":
            owner = controller_of(event.record.object)
            if owner and owner["kind"] == "Deployment":
                self._queue.add(Key(event.key.namespace, owner["name"]))
        elif event.resource == "pods." and event.type == "DELETED":
            self._wake_waiting(event.key.namespace)

    def step(self) -> float | None:
        return self._queue.work(self._sync)

    def _wake_waiting(self, namespace: str) -> None:
        """A Deployment that recreates waits until the last old pod is gone for good."""
        for record in self._cluster.store.records("deployments.apps", namespace):
            if record.object["spec"]["strategy"]["type"] == "Recreate":
                self._queue.add(key_of(record.object))

    def _sync(self, key: Key) -> float | None:
        record = self._cluster.store.get("deployments.apps", key)
        if record is None:
            self._progress.forget(key)
            return None
        deployment = record.object
        if "deletionTimestamp" in deployment["metadata"]:
            return None
        current, old = self._split(deployment)
        if current is None and not deployment["spec"].get("paused"):
            current = self._create(deployment, old)
        if current is not None:
            current = self._advance(deployment, current, old)
        self._forget_old(deployment, old)
        return report(self._cluster, key, self._owned(deployment), current, self._progress)

    def _owned(self, deployment: Object) -> list[Object]:
        found = self._cluster.store.dependents(deployment["metadata"]["uid"])
        records = [self._cluster.store.get(kind, key) for kind, key in found if kind == "replicasets.apps"]
        return [record.object for record in records if record]

    def _split(self, deployment: Object) -> tuple[Object | None, list[Object]]:
        wanted = _bare(deployment["spec"]["template"])
        owned = sorted(self._owned(deployment), key=_revision)
        current = next((owner for owner in owned if _bare(owner["spec"]["template"]) == wanted), None)
        return current, [owner for owner in owned if owner is not current]

    def _create(self, deployment: Object, old: list[Object]) -> Object:
        namespace, name = deployment["metadata"]["namespace"], deployment["metadata"]["name"]
        template = copy.deepcopy(deployment["spec"]["template"])
        digest = _digest(template)
        # a name that is taken belongs to a set of other content; the next digest is as good
        while self._cluster.store.get("replicasets.apps", Key(namespace, f"{name}-{digest}")):
            digest = _digest(digest)
        labels = template["metadata"]["labels"] = (template["metadata"].get("labels") or {}) | {_HASH: digest}
        selector = copy.deepcopy(deployment["spec"]["selector"])
        selector["matchLabels"] = (selector.get("matchLabels") or {}) | {_HASH: digest}
        held = deployment["metadata"].get("annotations") or {}
        annotations = {key: value for key, value in held.items() if key not in (_REVISION, _KUBECTL)}
        annotations[_REVISION] = str(max(map(_revision, old), default=0) + 1)
        owner = {
            "metadata": {
                "name": f"{name}-{digest}",
                "labels": dict(labels),
                "annotations": annotations,
                "ownerReferences": [owner_reference(deployment)],
            },
            "spec": {"replicas": 0, "selector": selector, "template": template},
        }
        if deployment["spec"].get("minReadySeconds"):
            owner["spec"]["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
        return self._cluster.create(self._sets, namespace, owner).object

    def _advance(self, deployment: Object, current: Object, old: list[Object]) -> Object:
        """One step of the roll-out; the current ReplicaSet as it is afterwards."""
        current = self._newest(deployment, current, old)
        spec = deployment["spec"]
        before = {owner["metadata"]["name"]: _sizes(owner) for owner in (*old, current)}
        name = current["metadata"]["name"]
        others = {key: sizes for key, sizes in before.items() if key != name}
        after = next_sizes(
            spec["replicas"],
            rolling_limits(spec["replicas"], spec["strategy"]),
            before[name],
            others,
            gone=not any(self._has_pods(owner) for owner in old),
            paused=bool(spec.get("paused")),
        )
        for owner in (current, *old):
            set_name = owner["metadata"]["name"]
            wanted = after.old.get(set_name, after.current)
            if wanted != owner["spec"]["replicas"]:
                scaled = self._scale(deployment, owner, wanted)
                current = scaled if set_name == name else current
        return current

    def _has_pods(self, owner: Object) -> bool:
        return any(kind == "pods." for kind, _ in self._cluster.store.dependents(owner["metadata"]["uid"]))

    def _newest(self, deployment: Object, current: Object, old: list[Object]) -> Object:
        """``current`` with the highest revision, which the Deployment then carries too."""
        revision = max([_revision(current), *(_revision(owner) + 1 for owner in old)])

        def number(obj: Object) -> None:
            obj["metadata"]["annotations"] = (obj["metadata"].get("annotations") or {}) | {_REVISION: str(revision)}

        self._cluster.change(self._deployments, key_of(deployment), number)
        return self._cluster.change(self._sets, key_of(current), number).object

    def _scale(self, deployment: Object, owner: Object, replicas: int) -> Object:
        before, name = owner["spec"]["replicas"], owner["metadata"]["name"]
        record = self._cluster.change(self._sets, key_of(owner), lambda obj: obj["spec"].update(replicas=replicas))
        direction = "up" if replicas > before else "down"
        message = f"Scaled {direction} replica set {name} from {before} to {replicas}"
        self._cluster.event(deployment, "Normal", "ScalingReplicaSet", message, _NAME)
        return record.object

    def _forget_old(self, deployment: Object, old: list[Object]) -> None:
        idle = [owner for owner in old if not owner["spec"]["replicas"] and not _reported(owner)]
        limit = deployment["spec"]["revisionHistoryLimit"]
        for owner in idle[: max(0, len(idle) - limit)]:
            self._cluster.delete(self._sets, key_of(owner))


def _reported(owner: Object) -> int:
    return int((owner.get("status") or {}).get("replicas", 0))


def _sizes(owner: Object) -> Sizes:
    status = owner.get("status") or {}
    replicas = owner["spec"]["replicas"]
    # a status that has not seen the latest size may count pods that are about to go
    available = min(status.get("availableReplicas", 0), replicas)
    return Sizes(replicas, available)


def _bare(template: Object) -> str:
    """A pod template as text to compare, without the label that tells its ReplicaSets apart."""
    metadata = dict(template.get("metadata") or {})
    metadata["labels"] = {key: value for key, value in (metadata.get("labels") or {}).items() if key != _HASH}
    return json.dumps(template | {"metadata": {key: value for key, value in metadata.items() if value}}, sort_keys=True)


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:10]


def _revision(owner: Object) -> int:
    text = (owner["metadata"].get("annotations") or {}).get(_REVISION, "0")
    return int(text) if text.isdigit() else 0

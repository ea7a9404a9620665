"""Deployments and StatefulSets: what they are, whether they stand as they should, and when they do again. Read-only."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen
from blackstart.changes.kind import Ending, Outcome
from blackstart.changes.model import Change, Json, Share
from blackstart.changes.pod_owners import DEPLOYMENT, WORKLOADS, path
from blackstart.changes.pods import find_pods
from blackstart.changes.versions import version_of
from blackstart.errors import ConfigInvalid
from blackstart.kube.client import Kube
from blackstart.scope import Target

PLURALS = {kind: WORKLOADS[kind] for kind in (DEPLOYMENT, "StatefulSet")}
"""The workloads that have replicas, and how the API calls them."""
AUTOSCALERS = "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers"
AT_ONCE = 64


@dataclass(frozen=True)
class Autoscaler:
    """A HorizontalPodAutoscaler, and between which numbers it may choose."""

    name: str
    least: int
    most: int


@dataclass(frozen=True)
class Workload:
    """One Deployment or StatefulSet, as found. ``pods``: names of its live pods, sorted; ``region``: where their nodes
    are, "" if that is not one. ``unready``: why it is not as it should be, as the end of a sentence, "" if it is."""

    cluster: str
    context: str
    region: str
    kind: str
    namespace: str
    name: str
    uid: str
    labels: Mapping[str, str]
    replicas: int
    spec: Mapping[str, Any]
    pods: tuple[str, ...]
    unready: str
    autoscaler: Autoscaler | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def target(self) -> Target:
        return Target(
            self.kind.lower(),
            self.name,
            region=self.region,
            cluster=self.cluster,
            namespace=self.namespace,
            tags=dict(self.labels),
        )

    @property
    def identity(self) -> dict[str, Json]:
        """What finds it again, and no namesake of it."""
        return {"context": self.context, "uid": self.uid}

    def share(self, count: int) -> Share:
        """So many of its pods. Which ones they are is decided by its controller, so these stand for them."""
        return Share(
            "pod", f"{self.cluster}/{self.namespace} {self.kind} {self.name}", self._last(count), self.replicas
        )

    def _last(self, count: int) -> tuple[str, ...]:
        missing = tuple(f"{self.name} {number}" for number in range(len(self.pods), self.replicas))
        return (*self.pods, *missing)[self.replicas - count :]


def find_workload(clients: Clients, context: str, kind: str, namespace: str, name: str) -> Workload:
    """Refused if there is none; ConfigInvalid for another kind of workload."""
    if kind not in PLURALS:
        problem = f"{kind!r} is none that has replicas; there are {' and '.join(PLURALS)}"
        raise ConfigInvalid("the workload", "kind", problem)
    kube = clients.kube(context)
    pods = find_pods(clients, context, namespace, owner=f"{kind}/{name}").pods
    found = kube.get(path(namespace, kind, name))
    regions = {pod.region for pod in pods}
    return Workload(
        cluster=kube.cluster,
        context=context,
        region=regions.pop() if len(regions) == 1 else "",
        kind=kind,
        namespace=namespace,
        name=name,
        uid=found["metadata"]["uid"],
        labels=found["metadata"].get("labels") or {},
        replicas=replicas_of(found),
        spec=found["spec"],
        pods=tuple(pod.name for pod in pods),
        unready=unready(kind, found),
        autoscaler=_autoscaler(kube, kind, namespace, name),
    )


def _autoscaler(kube: Kube, kind: str, namespace: str, name: str) -> Autoscaler | None:
    for item in kube.items(AUTOSCALERS.format(namespace)):
        aim = item["spec"]["scaleTargetRef"]
        if (aim["kind"], aim["name"]) == (kind, name):
            return Autoscaler(item["metadata"]["name"], item["spec"].get("minReplicas", 1), item["spec"]["maxReplicas"])
    return None


def replicas_of(item: Mapping[str, Any]) -> int:
    return int(item["spec"].get("replicas", 1))


def unready(kind: str, item: Mapping[str, Any]) -> str:
    """Why not all of its pods are of its template and ready, as the end of a sentence; "" if they are. Pure."""
    status, wanted = item.get("status") or {}, replicas_of(item)
    if status.get("observedGeneration", 0) < item["metadata"].get("generation", 0):
        return "its controller has not looked at it yet"
    ready = status.get("readyReplicas", 0)
    if ready < wanted:
        return f"it has {ready} of {wanted} pods ready"
    there, updated = status.get("replicas", 0), status.get("updatedReplicas", 0)
    if there != wanted:
        return f"it has {there} pods instead of {wanted}"
    if kind == DEPLOYMENT and updated != wanted:
        return f"{updated} of its {wanted} pods are of its template"
    return ""


class OfWorkload(CompareAndRestore):
    """A field of a workload. It is as before once it is written back and all pods are ready again."""

    at_once: ClassVar[int] = AT_ONCE

    @abstractmethod
    def state(self, change: Change, item: Mapping[str, Any]) -> Mapping[str, Json] | None:
        """The fields in the terms of ``before`` and ``after``; None if there is nothing that has them."""

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        return {change.id: self._seen(change, clients) for change in changes}

    def _seen(self, change: Change, clients: Clients) -> Seen:
        item = _found(change, clients)
        state = self.state(change, item) if item else None
        return None if item is None or state is None else {**state, **version_of(item)}

    def verify(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        outcomes = super().verify(changes, clients)
        return {
            change.id: _settled(change, clients) if outcomes[change.id].done else outcomes[change.id]
            for change in changes
        }


def _settled(change: Change, clients: Clients) -> Outcome:
    item = _found(change, clients)
    if item is None:
        return Outcome(Ending.CONFLICT, f"{change.target} no longer exists")
    reason = unready(change.before["workload"], item)
    return Outcome(Ending.WAITING, f"{change.target} is not what it was yet: {reason}") if reason else UNTOUCHED


UNTOUCHED = Outcome(Ending.UNTOUCHED)


def _found(change: Change, clients: Clients) -> Any | None:
    """The workload itself; None if it is gone, also if another one has its name now."""
    item = clients.kube(change.before["context"]).find(path_of(change))
    return item if item and item["metadata"]["uid"] == change.before["uid"] else None


def path_of(change: Change) -> str:
    """Where the API has the workload of ``change``."""
    return path(change.target.namespace, change.before["workload"], change.target.id)

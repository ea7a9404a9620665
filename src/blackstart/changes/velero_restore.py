"""A restore drill of a namespace: Velero restores its newest backup into a scratch namespace, which is deleted again.

The namespace itself is only read. The scratch namespace is made before Velero would make it, because only so it carries
the change's id from the start; a quota in it lets no pod start, or restored workers would do the work of the real ones.
What acts by itself as soon as it exists (jobs, ingresses, load balancers) is not restored, see RESTORED.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from blackstart.access import Kubernetes, Need
from blackstart.changes.clients import Clients
from blackstart.changes.kind import AT_ONCE, Ending, Outcome
from blackstart.changes.leftovers import Tagged
from blackstart.changes.model import TAG, Change, Json, new_id
from blackstart.errors import NotYet, Refused, TargetChanged
from blackstart.kube.client import Kube, KubeRefused
from blackstart.scope import Target

API, NAMESPACES = "/apis/velero.io/v1", "/api/v1/namespaces"
VELERO = "velero"
"""The namespace that Velero usually is in."""
RESTORED = ("configmaps", "secrets", "serviceaccounts", "deployments.apps", "statefulsets.apps")
"""What is restored: nothing that acts outside of its namespace, or takes a name that the world knows."""
QUOTA = {"pods": "0"}
COMPLETED = "Completed"
UNDER_WAY = frozenset({"", "New", "InProgress", "WaitingForPluginOperations", "Finalizing"})
"""Phases in which Velero may still make objects."""
SECURITY = "pod-security.kubernetes.io/"
TAKEN, NOT_SERVED = 409, 404


@dataclass(frozen=True)
class Backup:
    """One backup that Velero completed. ``started``: nothing that was changed later is in it for sure."""

    name: str
    started: datetime


@dataclass(frozen=True)
class Backups:
    """A namespace and the completed backups that hold it, newest last. ``labels`` are the namespace's; ``region``:
    where its cluster's nodes are, "" if they do not say; ``velero``: the namespace that Velero is in."""

    cluster: str
    context: str
    region: str
    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)
    velero: str = VELERO
    found: tuple[Backup, ...] = ()


def find_backups(clients: Clients, context: str, namespace: str, velero: str = VELERO) -> Backups:
    """Refused if there is no such namespace, or no Velero. Read-only."""
    kube = clients.kube(context)
    subject = f"restoring namespace {namespace}"
    found = kube.find(f"{NAMESPACES}/{namespace}")
    if found is None:
        raise Refused(subject, f"{kube.cluster} has no such namespace")
    try:
        items = list(kube.items(f"{API}/namespaces/{velero}/backups"))
    except KubeRefused as error:
        if error.status != NOT_SERVED:
            raise
        raise Refused(subject, f"{kube.cluster} does not know Velero's backups") from error
    nodes = kube.get("/api/v1/nodes", limit="1")["items"]
    labels = nodes[0]["metadata"].get("labels") or {} if nodes else {}
    return Backups(
        cluster=kube.cluster,
        context=context,
        region=str(labels.get("topology.kubernetes.io/region", "")),
        namespace=namespace,
        labels=found["metadata"].get("labels") or {},
        velero=velero,
        found=tuple(sorted(completed(items, namespace), key=lambda backup: backup.started)),
    )


def completed(items: Iterable[Mapping[str, Any]], namespace: str) -> Iterable[Backup]:
    """Those of Velero's backups that are complete and hold ``namespace``. Pure."""
    for item in items:
        spec, status = item.get("spec") or {}, item.get("status") or {}
        held, left = spec.get("includedNamespaces") or ["*"], spec.get("excludedNamespaces") or []
        inside = (namespace in held or "*" in held) and namespace not in left
        if inside and status.get("phase") == COMPLETED and status.get("startTimestamp"):
            yield Backup(item["metadata"]["name"], datetime.fromisoformat(status["startTimestamp"]))


def plan_restore(found: Backups, backup: str = "newest", new_change: Callable[[], str] = new_id) -> list[Change]:
    """The newest backup of ``found``, or the one called ``backup``, in a namespace of its own. Pure.

    Refused if there is no such backup.
    """
    chosen = [each for each in found.found if backup in ("newest", each.name)]
    if not chosen:
        which = "backup" if backup == "newest" else f"backup {backup}"
        raise Refused(f"restoring namespace {found.namespace}", f"Velero has no completed {which} of it")
    change_id, taken = new_change(), chosen[-1]
    origin: dict[str, Json] = {
        "context": found.context,
        "velero": found.velero,
        "source": found.namespace,
        "backup": taken.name,
        "taken": taken.started.isoformat(),
        "labels": {name: value for name, value in found.labels.items() if name.startswith(SECURITY)},
    }
    scratch = f"{change_id}-{found.namespace}"[:63].rstrip("-")
    return [
        Change(
            id=change_id,
            kind=VeleroRestore.name,
            target=Target(
                "scratch namespace", scratch, region=found.region, cluster=found.cluster, tags=dict(found.labels)
            ),
            before={"exists": False, **origin},
            after={"exists": True, **origin},
            summary=f"namespace {found.namespace}: backup {taken.name} restored into new namespace {scratch}",
            undo_summary="deleting Velero's restore and the new namespace with all that is in it",
            calls=tuple(f"kubernetes:create {what}" for what in ("namespaces", "resourcequotas", "restores")),
        )
    ]


class VeleroRestore:
    """One restore and its scratch namespace: there, or not. It is applied once Velero has been told."""

    name: ClassVar[str] = "velero.restore"
    permissions: ClassVar[tuple[str, ...]] = (
        "kubernetes:get namespaces",
        "kubernetes:create namespaces",
        "kubernetes:delete namespaces",
        "kubernetes:create resourcequotas",
        "kubernetes:get restores",
        "kubernetes:create restores",
        "kubernetes:delete restores",
    )
    batch_size: ClassVar[int] = 1
    look_size: ClassVar[int] = 1
    at_once: ClassVar[int] = AT_ONCE
    joined: ClassVar[bool] = False
    restores: ClassVar[bool] = True

    def needs(self, change: Change) -> Sequence[Need]:
        cluster, scratch = change.target.cluster, change.target.id
        places = {"namespaces": "", "resourcequotas": scratch, "restores": change.before["velero"]}
        return [Kubernetes(name, cluster, places[name.partition(" ")[2]]) for name in self.permissions]

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        for change in changes:
            _apply(change, _Scratch(change, clients.kube(change.before["context"])))

    def undo(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        return {change.id: _Scratch(change, clients.kube(change.before["context"])).undo() for change in changes}

    def verify(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        return {change.id: _Scratch(change, clients.kube(change.before["context"])).look() for change in changes}

    def tagged(self, targets: Sequence[Target], clients: Clients) -> Iterable[Tagged]:
        """Restores and namespaces that carry TAG in the clusters of ``targets``."""
        for cluster in sorted({target.cluster for target in targets}):
            kube = clients.kube(cluster)
            for what, path in (("restores", f"{API}/restores"), ("namespaces", NAMESPACES)):
                for item in kube.items(path, labelSelector=TAG):
                    yield Tagged(what, item["metadata"]["name"], item["metadata"]["labels"][TAG])


class _Scratch:
    """What one change makes in its cluster: namespace, quota, restore."""

    def __init__(self, change: Change, kube: Kube) -> None:
        self.change = change
        self._kube = kube
        self._restores = f"{API}/namespaces/{change.before['velero']}/restores"
        self.restore = kube.find(f"{self._restores}/{change.id}")
        self.namespace = kube.find(f"{NAMESPACES}/{change.target.id}")

    def create(self, path: str, body: Mapping[str, Any]) -> None:
        """As labelled as all that a change makes; what is there already is looked at the next time."""
        labels = {TAG: self.change.id, **body["metadata"].get("labels", {})}
        try:
            self._kube.post(path, {**body, "metadata": {**body["metadata"], "labels": labels}})
        except KubeRefused as error:
            if error.status != TAKEN:
                raise
            raise NotYet(str(self.change.target), "not to be seen, although its name is taken") from error

    def make_restore(self) -> None:
        before = self.change.before
        spec = {
            "backupName": before["backup"],
            "includedNamespaces": [before["source"]],
            "includedResources": list(RESTORED),
            "includeClusterResources": False,
            "namespaceMapping": {before["source"]: self.change.target.id},
        }
        kind = {"apiVersion": "velero.io/v1", "kind": "Restore"}
        self.create(self._restores, {**kind, "metadata": {"name": self.change.id}, "spec": spec})

    def undo(self) -> Outcome:
        """One step further: the restore goes first, or Velero might go on restoring into what is being deleted."""
        before = self.look()
        if before.ending is not Ending.PENDING:
            return before
        if self.restore is not None:
            self._delete(f"{self._restores}/{self.change.id}", self.restore)
        else:
            self._delete(f"{NAMESPACES}/{self.change.target.id}", self.namespace)
        after = _Scratch(self.change, self._kube).look()
        return Outcome(Ending.RESTORED) if after.ending is Ending.UNTOUCHED else after

    def look(self) -> Outcome:
        there = [item for item in (self.restore, self.namespace) if item is not None]
        foreign = [item for item in there if not made_by(self.change.id, item)]
        if foreign:
            name = foreign[0]["metadata"]["name"]
            return Outcome(Ending.CONFLICT, f"{name} of {self.change.target} was not made by this drill")
        if not there:
            return Outcome(Ending.UNTOUCHED)
        going = all("deletionTimestamp" in item["metadata"] for item in there)
        if going:
            return Outcome(Ending.WAITING, f"{self.change.target} is being deleted")
        return Outcome(Ending.PENDING, f"{self.change.target} is still there")

    def _delete(self, path: str, item: Mapping[str, Any] | None) -> None:
        """This one, and no namesake of it that somebody makes meanwhile."""
        if item is None or "deletionTimestamp" in item["metadata"]:
            return
        try:
            self._kube.delete(path, {"preconditions": {"uid": item["metadata"]["uid"]}})
        except KubeRefused as error:
            if error.status not in (NOT_SERVED, TAKEN):
                raise


def _apply(change: Change, scratch: _Scratch) -> None:
    if any(item is not None and not made_by(change.id, item) for item in (scratch.namespace, scratch.restore)):
        raise TargetChanged(str(change.target), "there is one of this name that this drill did not make")
    if scratch.restore is not None:
        return
    if scratch.namespace is None:
        labels = {"metadata": {"name": change.target.id, "labels": dict(change.before["labels"])}}
        scratch.create(NAMESPACES, labels)
    quota = {"metadata": {"name": change.id}, "spec": {"hard": QUOTA}}
    with contextlib.suppress(NotYet):  # there is ours from an earlier try: nobody else knows this namespace yet
        scratch.create(f"{NAMESPACES}/{change.target.id}/resourcequotas", quota)
    scratch.make_restore()


def made_by(change_id: str, item: Mapping[str, Any]) -> bool:
    """Whether an object carries the label of the change. Pure."""
    return bool((item["metadata"].get("labels") or {}).get(TAG) == change_id)

"""A small Velero in the home region's cluster: a backup of the service's namespace now and then, and restores of it.

It holds to Velero's objects (``backups`` and ``restores`` of velero.io/v1) as far as drills look at them. Backups are
kept in memory, without volumes. What a restore makes is real: a deployment that nothing holds back starts its pods.
"""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from blackstart.clock import Clock, iso
from blackstart.errors import ServiceUnreachable
from blackstart.lab import manifests
from blackstart.lab.cluster import Cluster, Object
from blackstart.lab.topology import NAMESPACE

_log = logging.getLogger("blackstart.lab.velero")
GROUP, HOME = "velero.io", "velero"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
API = f"/apis/{GROUP}/v1/namespaces/{HOME}"
HELD: Mapping[str, str] = {
    "configmaps": manifests.CORE,
    "secrets": manifests.CORE,
    "serviceaccounts": manifests.CORE,
    "services": manifests.CORE,
    "deployments.apps": manifests.APPS,
    "statefulsets.apps": manifests.APPS,
}
"""What a backup holds, by the API that serves it."""
AGAIN_SECONDS = 5.0  # after a backup that failed
KEPT, RETRY_SECONDS = 3, 2.0
OF_THE_CLUSTER = ("kube-root-ca.crt", "default")
"""Objects that every namespace has anyway."""
SERVER_FIELDS = ("uid", "resourceVersion", "creationTimestamp", "generation", "ownerReferences", "managedFields")
_UNDER_WAY = (None, "", "New", "InProgress")


class Velero:
    """``install`` once, then ``run`` until cancelled. ``every_seconds``: between two backups of ``namespace``."""

    def __init__(self, cluster: Cluster, clock: Clock, every_seconds: float, namespace: str = NAMESPACE) -> None:
        self._cluster = cluster
        self._clock = clock
        self._every = every_seconds
        self._namespace = namespace
        self._contents: dict[str, list[tuple[str, Object]]] = {}
        self._number = 0

    async def install(self) -> None:
        """Let the cluster know Velero's kinds; ServiceUnreachable."""
        for kind in ("Backup", "Restore"):
            await self._cluster.create(DEFINITIONS, definition(kind))
        await self._cluster.create(f"{manifests.CORE}/namespaces", {"metadata": {"name": HOME}})

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._back_up())
            group.create_task(self._restore())

    async def _back_up(self) -> None:
        while True:
            seconds = self._every
            try:
                await self.back_up()
            except ServiceUnreachable as error:
                _log.info("%s; no backup this time", error)
                seconds = min(seconds, AGAIN_SECONDS)
            await self._clock.pause(seconds)

    async def back_up(self) -> str:
        """Take one backup; its name."""
        began = self._now()
        held = [(what, item) for what in HELD for item in await self._items(what)]
        self._number += 1
        name = f"{self._namespace}-{self._number:04d}"
        self._contents[name] = held
        status = {
            "phase": "Completed",
            "startTimestamp": began,
            "completionTimestamp": self._now(),
            "progress": {"totalItems": len(held), "itemsBackedUp": len(held)},
        }
        spec = {"includedNamespaces": [self._namespace]}
        await self._cluster.create(f"{API}/backups", _object("Backup", name) | {"spec": spec, "status": status})
        for old in sorted(self._contents)[:-KEPT]:
            await self._cluster.delete(f"{API}/backups/{old}")
            del self._contents[old]
        return name

    async def _items(self, what: str) -> list[Object]:
        items, _ = await self._cluster.list(f"{HELD[what]}/namespaces/{self._namespace}/{what.partition('.')[0]}")
        return [item for item in items if item["metadata"]["name"] not in OF_THE_CLUSTER]

    async def _restore(self) -> None:
        while True:
            try:
                items, version = await self._cluster.list(f"{API}/restores")
                for item in items:
                    await self._carry_out(item)
                async for kind, item in self._cluster.watch(f"{API}/restores", version):
                    if kind == "ADDED":
                        await self._carry_out(item)
            except ServiceUnreachable as error:
                _log.info("%s; trying again", error)
                await self._clock.pause(RETRY_SECONDS)

    async def _carry_out(self, item: Object) -> None:
        if (item.get("status") or {}).get("phase") not in _UNDER_WAY:
            return
        path, spec = f"{API}/restores/{item['metadata']['name']}", item["spec"]
        began = self._now()
        held = self._contents.get(spec.get("backupName", ""))
        if held is None:
            problem = f"backup {spec.get('backupName', '')!r} not found"
            status: Object = {"phase": "FailedValidation", "validationErrors": [problem]}
        else:
            await self._cluster.merge(path, {"status": {"phase": "InProgress", "startTimestamp": began}})
            problems = [await self._make(each, item) for each in wanted(held, spec)]
            errors, done = sum(map(bool, problems)), len(problems)
            status = {
                "phase": "PartiallyFailed" if errors else "Completed",
                "errors": errors,
                "startTimestamp": began,
                "completionTimestamp": self._now(),
                "progress": {"totalItems": done, "itemsRestored": done - errors},
            }
        await self._cluster.merge(path, {"status": status})

    async def _make(self, each: tuple[str, Object], restore: Object) -> str:
        """Make one object of a backup again; why that failed, "" if it did not."""
        what, item = each
        mapping = restore["spec"].get("namespaceMapping") or {}
        namespace = mapping.get(self._namespace, self._namespace)
        path = f"{HELD[what]}/namespaces/{namespace}/{what.partition('.')[0]}"
        try:
            await self._cluster.create(path, again(item, namespace, restore))
        except ServiceUnreachable as error:
            _log.info("%s", error)
            return str(error)
        return ""

    def _now(self) -> str:
        return iso(self._clock.now())


def wanted(held: Iterable[tuple[str, Object]], spec: Mapping[str, Any]) -> list[tuple[str, Object]]:
    """What of a backup's contents a restore of ``spec`` is to make. Pure."""
    names = spec.get("includedResources") or ["*"]
    return [each for each in held if "*" in names or each[0] in names or each[0].partition(".")[0] in names]


def again(item: Object, namespace: str, restore: Object) -> Object:
    """``item`` as it is made in ``namespace``: without what the server gave it. Pure."""
    made = copy.deepcopy(item)
    made.pop("status", None)
    metadata = {name: value for name, value in made["metadata"].items() if name not in SERVER_FIELDS}
    marks = {"velero.io/backup-name": restore["spec"]["backupName"], "velero.io/restore-name": _name(restore)}
    labels = (metadata.get("labels") or {}) | marks
    made["metadata"] = metadata | {"namespace": namespace, "labels": labels}
    made.get("spec", {}).pop("clusterIP", None)
    return made


def definition(kind: str) -> Object:
    """The CustomResourceDefinition of one of Velero's kinds. Pure."""
    plural = f"{kind.lower()}s"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }


def _object(kind: str, name: str) -> Object:
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": name, "namespace": HOME}}


def _name(item: Object) -> str:
    return str(item["metadata"]["name"])

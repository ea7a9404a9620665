"""What objects depend on: namespaces, emptied before they go, and the definitions of custom resources."""

from __future__ import annotations

from blackstart.lab.kube.cluster import Cluster
from blackstart.lab.kube.objects import Object, key_of, with_condition
from blackstart.lab.kube.resources import custom
from blackstart.lab.kube.store import Event, Key

_DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
_CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


class Namespaces:
    """Gives each namespace its service account; deletes the content of one that is being deleted."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._new: set[str] = set()
        self._leaving: set[str] = set()

    def observe(self, event: Event) -> None:
        if event.resource != "namespaces.":
            return
        name = event.key.name
        if event.type == "DELETED":
            self._leaving.discard(name)
        elif "deletionTimestamp" in event.record.object["metadata"]:
            self._leaving.add(name)
        elif event.type == "ADDED":
            self._new.add(name)

    def step(self) -> float | None:
        new, self._new = self._new, set()
        accounts = self._cluster.registry.named("serviceaccounts")
        for name in sorted(new):
            if not self._cluster.store.get(accounts.store_key, Key(name, "default")):
                self._cluster.create(accounts, name, {"metadata": {"name": "default"}})
        for name in sorted(self._leaving):
            if self._emptied(name):
                self._cluster.finalize(Key("", name), [])
        return None

    def _emptied(self, namespace: str) -> bool:
        """Delete what is left; True if nothing is."""
        left = False
        for resource in self._cluster.registry.stored():
            if not resource.namespaced:
                continue
            for record in self._cluster.store.records(resource.store_key, namespace):
                if "deletionTimestamp" in record.object["metadata"]:
                    left = True
                else:
                    _, gone = self._cluster.delete(resource, key_of(record.object))
                    left = left or not gone
        return not left


class Definitions:
    """Serves the resources of every CustomResourceDefinition; deletes their objects when it goes."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._definitions = cluster.registry.named("customresourcedefinitions", "apiextensions.k8s.io")
        self._changed: set[Key] = set()
        self._leaving: set[Key] = set()

    def observe(self, event: Event) -> None:
        if event.resource != _DEFINITIONS:
            return
        if event.type == "DELETED":
            spec = event.record.object["spec"]
            self._cluster.registry.discard(spec["group"], spec["names"]["plural"])
            self._leaving.discard(event.key)
        elif "deletionTimestamp" in event.record.object["metadata"]:
            self._leaving.add(event.key)
        else:
            self._changed.add(event.key)

    def step(self) -> float | None:
        changed, self._changed = self._changed, set()
        for key in sorted(changed):
            if record := self._cluster.store.get(_DEFINITIONS, key):
                self._establish(key, record.object)
        for key in sorted(self._leaving):
            self._empty(key)
        return None

    def _establish(self, key: Key, definition: Object) -> None:
        spec = definition["spec"]
        self._cluster.registry.discard(spec["group"], spec["names"]["plural"])
        for resource in custom(definition):
            self._cluster.registry.add(resource)
        now = self._cluster.timestamp()

        def status(obj: Object) -> None:
            conditions = (obj.get("status") or {}).get("conditions")
            for kind, reason in (("NamesAccepted", "NoConflicts"), ("Established", "InitialNamesAccepted")):
                conditions = with_condition(conditions, {"type": kind, "status": "True", "reason": reason}, now)
            stored = [version["name"] for version in spec["versions"] if version.get("storage")]
            obj["status"] = {"conditions": conditions, "acceptedNames": spec["names"], "storedVersions": stored}

        def hold(obj: Object) -> None:
            held = obj["metadata"].get("finalizers") or []
            obj["metadata"]["finalizers"] = held if _CLEANUP in held else [*held, _CLEANUP]

        self._cluster.change(self._definitions, key, status, "status")
        self._cluster.change(self._definitions, key, hold)

    def _empty(self, key: Key) -> None:
        record = self._cluster.store.get(_DEFINITIONS, key)
        if record is None or _CLEANUP not in (record.object["metadata"].get("finalizers") or ()):
            return
        served = custom(record.object)
        for resource in served[:1]:
            for instance in self._cluster.store.records(resource.store_key):
                if "deletionTimestamp" not in instance.object["metadata"]:
                    self._cluster.delete(resource, key_of(instance.object))
            if self._cluster.store.records(resource.store_key):
                return
        self._cluster.change(self._definitions, key, lambda obj: obj["metadata"]["finalizers"].remove(_CLEANUP))

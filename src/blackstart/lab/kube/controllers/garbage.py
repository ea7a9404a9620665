"""Garbage collection by owner references: background, foreground and orphaning deletions."""

from __future__ import annotations

from blackstart.lab.kube.cluster import Cluster
from blackstart.lab.kube.objects import Object
from blackstart.lab.kube.resources import Resource
from blackstart.lab.kube.states import DeleteOptions
from blackstart.lab.kube.store import Event, Key

_Place = tuple[str, Key]


class Garbage:
    """Deletes what lost its last owner; finishes deletions that wait for their dependents."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lost: set[str] = set()
        self._leaving: dict[str, _Place] = {}
        self._new: set[_Place] = set()

    def observe(self, event: Event) -> None:
        metadata = event.record.object["metadata"]
        place = (event.resource, event.key)
        if event.type == "DELETED":
            self._lost.add(metadata["uid"])
            self._leaving.pop(metadata["uid"], None)
        elif "deletionTimestamp" in metadata and metadata.get("finalizers"):
            self._leaving[metadata["uid"]] = place
        elif event.type == "ADDED" and metadata.get("ownerReferences"):
            self._new.add(place)

    def step(self) -> float | None:
        new, self._new = self._new, set()
        lost, self._lost = self._lost, set()
        for place in sorted(new | {place for uid in lost for place in self._cluster.store.dependents(uid)}):
            self._check_owners(place)
        for uid, place in sorted(self._leaving.items()):
            self._finish(uid, place)
        return None

    def _resource(self, store_key: str) -> Resource | None:
        return next((r for r in self._cluster.registry.stored() if r.store_key == store_key), None)

    def _lives(self, reference: Object, namespace: str) -> bool:
        resource = self._cluster.registry.of_kind(reference["apiVersion"], reference["kind"])
        if resource is None:
            # an owner of a kind that is not served cannot be told dead
            return True
        key = Key(namespace if resource.namespaced else "", reference["name"])
        record = self._cluster.store.get(resource.store_key, key)
        return record is not None and record.object["metadata"]["uid"] == reference["uid"]

    def _check_owners(self, place: _Place) -> None:
        """Delete an object without a living owner; let it forget dead ones beside living ones."""
        record = self._cluster.store.get(*place)
        resource = self._resource(place[0])
        if record is None or resource is None:
            return
        references = record.object["metadata"].get("ownerReferences") or []
        living = [reference for reference in references if self._lives(reference, place[1].namespace)]
        if not references or len(living) == len(references):
            return
        if living:
            self._cluster.change(resource, place[1], lambda obj: obj["metadata"].update(ownerReferences=living))
        elif "deletionTimestamp" not in record.object["metadata"]:
            self._cluster.delete(resource, place[1])

    def _finish(self, uid: str, place: _Place) -> None:
        record = self._cluster.store.get(*place)
        if record is None or record.object["metadata"]["uid"] != uid:
            self._leaving.pop(uid, None)
            return
        finalizers = record.object["metadata"].get("finalizers") or []
        if "orphan" in finalizers:
            for dependent in self._cluster.store.dependents(uid):
                self._disown(dependent, uid)
            self._release(place, "orphan")
        elif "foregroundDeletion" in finalizers:
            blocking = [dependent for dependent in self._cluster.store.dependents(uid) if self._delete(dependent, uid)]
            if not blocking:
                self._release(place, "foregroundDeletion")

    def _disown(self, place: _Place, uid: str) -> None:
        resource = self._resource(place[0])
        if resource is None:
            return

        def edit(obj: Object) -> None:
            held = obj["metadata"]["ownerReferences"]
            obj["metadata"]["ownerReferences"] = [reference for reference in held if reference["uid"] != uid]

        self._cluster.change(resource, place[1], edit)

    def _delete(self, place: _Place, owner: str) -> bool:
        """Delete a dependent in the foreground too; True while it is there and blocks its owner."""
        resource, record = self._resource(place[0]), self._cluster.store.get(*place)
        if resource is None or record is None:
            return False
        metadata = record.object["metadata"]
        if "deletionTimestamp" not in metadata:
            _, gone = self._cluster.delete(resource, place[1], DeleteOptions(propagation="Foreground"))
            if gone:
                return False
        references = [reference for reference in metadata["ownerReferences"] if reference["uid"] == owner]
        return any(reference.get("blockOwnerDeletion") for reference in references)

    def _release(self, place: _Place, finalizer: str) -> None:
        resource = self._resource(place[0])
        if resource is None:
            return

        def edit(obj: Object) -> None:
            obj["metadata"]["finalizers"].remove(finalizer)

        self._cluster.change(resource, place[1], edit)

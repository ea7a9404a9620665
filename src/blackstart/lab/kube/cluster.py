"""The API server's rules for reading, writing and deleting objects, without HTTP.

Everything here is synchronous: one request or one controller step sees and changes a state that nobody else changes
meanwhile.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from blackstart.clock import Clock
from blackstart.lab.kube import defaults, quota, validation
from blackstart.lab.kube.objects import Object, key_of, suffix, timestamp
from blackstart.lab.kube.resources import Registry, Resource
from blackstart.lab.kube.states import (
    AS_USUAL,
    SERVER_METADATA,
    DeleteOptions,
    add_policy_finalizer,
    as_stored,
    content,
    desired,
    grace,
    is_finished,
)
from blackstart.lab.kube.status import already_exists, bad_request, conflict, forbidden, invalid, not_found
from blackstart.lab.kube.store import Key, Record, Store

# kinds whose creator also reports their status
_STATUS_KEPT_ON_CREATE = frozenset({"nodes."})
_WITHOUT_GENERATION = frozenset({"events.", "configmaps.", "secrets.", "leases.coordination.k8s.io"})
_PERMANENT_NAMESPACES = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})


class Cluster:
    """``eviction_seconds``: how long pods are left on a node that is gone."""

    def __init__(
        self, store: Store, registry: Registry, clock: Clock, generator: random.Random, eviction_seconds: float
    ) -> None:
        self.store = store
        self.registry = registry
        self._clock = clock
        self._generator = generator
        self._eviction_seconds = eviction_seconds

    def timestamp(self) -> str:
        """This moment as objects carry it."""
        return timestamp(self._clock.now())

    def get(self, resource: Resource, key: Key) -> Record:
        """ApiError 404 if there is no such object."""
        record = self.store.get(resource.store_key, key)
        if record is None:
            raise not_found(resource.group, resource.plural, key.name)
        return record

    def draft(self, resource: Resource, key: Key) -> Object:
        """A copy to change and to put in place of the object, in the version of ``resource``."""
        return self.get(resource, key).copy() | {"apiVersion": resource.api_version}

    def create(self, resource: Resource, namespace: str, obj: Any, dry_run: bool = False) -> Record:
        """Store a new object, which belongs to the cluster afterwards; ApiError 400, 403, 404, 409 or 422."""
        validation.check_shape(resource, obj)
        self._name(resource, namespace, obj)
        self._check_namespace(resource, namespace, obj["metadata"]["name"])
        quota.check(self.store, resource, namespace, obj["metadata"]["name"])
        key = key_of(obj)
        if self.store.get(resource.store_key, key):
            raise already_exists(resource.group, resource.plural, key.name)
        metadata = obj["metadata"]
        if metadata.pop("resourceVersion", ""):
            raise bad_request("resourceVersion should not be set on objects to be created")
        for field in (*SERVER_METADATA, "managedFields", "selfLink"):
            metadata.pop(field, None)
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": self.timestamp()}
        if resource.store_key not in _WITHOUT_GENERATION:
            metadata["generation"] = 1
        if "status" in resource.subresources and resource.store_key not in _STATUS_KEPT_ON_CREATE:
            obj.pop("status", None)
        validation.check(resource, obj)
        defaults.fill(resource.store_key, obj, self._eviction_seconds)
        if dry_run:
            return Record(self.store.version, obj)
        return self.store.put(resource.store_key, key, obj)

    def replace(self, resource: Resource, key: Key, obj: Any, part: str = "", dry_run: bool = False) -> Record:
        """Put ``obj`` in place of what is stored; ``part`` is "" or the subresource "status".

        Returns the stored record, also if nothing changed or the object went away by it (its last finalizer was
        removed). ApiError 400, 404, 409 or 422.
        """
        validation.check_shape(resource, obj)
        record = self.get(resource, key)
        self._check_identity(resource, key, obj, record.object)
        new = as_stored(resource, obj, record.object, part)
        if not part:
            defaults.fill(resource.store_key, new, self._eviction_seconds)
        validation.check(resource, new, record.object)
        if content(new) == content(record.object):
            return record
        if not part and "generation" in new["metadata"] and desired(new) != desired(record.object):
            new["metadata"]["generation"] += 1
        if dry_run:
            return Record(record.version, new)
        return self._settled(resource, key, self.store.put(resource.store_key, key, new))

    def change(self, resource: Resource, key: Key, edit: Callable[[Object], None], part: str = "") -> Record:
        """Apply ``edit`` to a copy of the stored object and put that in its place."""
        obj = self.draft(resource, key)
        edit(obj)
        return self.replace(resource, key, obj, part)

    def bind(self, key: Key, node: str) -> Record:
        """Give a pod its node, once; ApiError 404 or 409."""
        pods = self.registry.named("pods")
        pod = self.get(pods, key).copy()
        if pod["spec"].get("nodeName"):
            raise conflict("", "pods/binding", key.name, f"pod {key.name} is already assigned to a node")
        pod["spec"]["nodeName"] = node
        now = self.timestamp()
        scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": now}
        others = [held for held in pod["status"].get("conditions") or () if held["type"] != "PodScheduled"]
        pod["status"]["conditions"] = [*others, scheduled]
        return self.store.put(pods.store_key, key, pod)

    def delete(self, resource: Resource, key: Key, options: DeleteOptions = AS_USUAL) -> tuple[Record, bool]:
        """Delete, or mark for deletion; True if the object is gone. ApiError 403, 404 or 409."""
        record = self.get(resource, key)
        self._check_preconditions(resource, record.object, options)
        if resource.store_key == "namespaces." and key.name in _PERMANENT_NAMESPACES:
            raise forbidden("", "namespaces", key.name, "this namespace may not be deleted")
        seconds = grace(resource, record.object, options)
        obj = record.copy()
        metadata = obj["metadata"]
        add_policy_finalizer(metadata, options.propagation)
        held = metadata.get("deletionGracePeriodSeconds")
        if held is None or seconds < held:
            metadata["deletionGracePeriodSeconds"] = seconds
            metadata["deletionTimestamp"] = timestamp(self._clock.now() + timedelta(seconds=seconds))
        if resource.store_key == "namespaces.":
            obj["status"]["phase"] = "Terminating"
        if is_finished(obj):
            return self.store.remove(resource.store_key, key), True
        if content(obj) == content(record.object):
            return record, False
        return self.store.put(resource.store_key, key, obj), False

    def finalize(self, key: Key, finalizers: list[str]) -> Record:
        """Set what still holds a namespace; it is removed if nothing does and it was deleted."""
        namespaces = self.registry.named("namespaces")
        obj = self.get(namespaces, key).copy()
        obj["spec"]["finalizers"] = finalizers
        return self._settled(namespaces, key, self.store.put(namespaces.store_key, key, obj))

    def event(self, about: Object, kind: str, reason: str, message: str, component: str) -> None:
        """Record a Kubernetes Event of ``kind`` Normal or Warning; none in a namespace that is on its way out."""
        namespace = about["metadata"].get("namespace") or "default"
        home = self.store.get("namespaces.", Key("", namespace))
        if home is None or "deletionTimestamp" in home.object["metadata"]:
            return
        now = self.timestamp()
        reference = {field: about["metadata"][field] for field in ("name", "uid", "resourceVersion")}
        reference |= {"apiVersion": about["apiVersion"], "kind": about["kind"]}
        if about["metadata"].get("namespace"):
            reference["namespace"] = namespace
        event = {
            "metadata": {"generateName": f"{about['metadata']['name']}.", "namespace": namespace},
            "involvedObject": reference,
            "type": kind,
            "reason": reason,
            "message": message,
            "source": {"component": component},
            "reportingComponent": component,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        self.create(self.registry.named("events"), namespace, event)

    def _name(self, resource: Resource, namespace: str, obj: Object) -> None:
        metadata = obj["metadata"]
        if resource.namespaced:
            if metadata.setdefault("namespace", namespace) != namespace:
                seen = "the namespace of the provided object does not match the namespace sent on the request"
                raise bad_request(seen)
        else:
            metadata.pop("namespace", None)
        prefix = metadata.get("generateName")
        while prefix and not metadata.get("name"):
            name = f"{prefix[:248]}{suffix(self._generator)}"
            if not self.store.get(resource.store_key, Key(namespace, name)):
                metadata["name"] = name
        if not metadata.get("name"):
            cause = ("metadata.name", "FieldValueRequired", "Required value: name or generateName is required")
            raise invalid(resource.group, resource.kind, "", [cause])

    def _check_namespace(self, resource: Resource, namespace: str, name: str) -> None:
        if not resource.namespaced:
            return
        record = self.store.get("namespaces.", Key("", namespace))
        if record is None:
            raise not_found("", "namespaces", namespace)
        if "deletionTimestamp" in record.object["metadata"]:
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise forbidden(resource.group, resource.plural, name, why, "NamespaceTerminating")

    def _check_identity(self, resource: Resource, key: Key, obj: Object, held: Object) -> None:
        metadata = obj["metadata"]
        if metadata.setdefault("name", key.name) != key.name:
            seen, wanted = metadata["name"], key.name
            raise bad_request(f"the name of the object ({seen}) does not match the name on the URL ({wanted})")
        if resource.namespaced and metadata.setdefault("namespace", key.namespace) != key.namespace:
            raise bad_request("the namespace of the object does not match the namespace on the URL")
        if metadata.get("uid") not in (None, "", held["metadata"]["uid"]):
            why = f"the UID in the precondition ({metadata['uid']}) does not match the UID in record"
            raise conflict(resource.group, resource.plural, key.name, why)
        if metadata.get("resourceVersion") not in (None, "", held["metadata"]["resourceVersion"]):
            raise conflict(resource.group, resource.plural, key.name)

    def _check_preconditions(self, resource: Resource, held: Object, options: DeleteOptions) -> None:
        metadata = held["metadata"]
        pairs = (("UID", options.uid, "uid"), ("ResourceVersion", options.resource_version, "resourceVersion"))
        for word, wanted, field in pairs:
            if wanted and wanted != metadata[field]:
                why = f"the {word} in the precondition ({wanted}) does not match the {word} in record"
                raise conflict(resource.group, resource.plural, metadata["name"], why)

    def _settled(self, resource: Resource, key: Key, record: Record) -> Record:
        if is_finished(record.object):
            return self.store.remove(resource.store_key, key)
        return record

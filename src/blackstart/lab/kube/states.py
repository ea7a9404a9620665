"""What the next state of an object is made of, by the rules of the API server. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from blackstart.lab.kube.objects import Object
from blackstart.lab.kube.resources import Resource

SERVER_METADATA = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")
# kinds whose status subresource also takes labels and annotations
_STATUS_WITH_LABELS = frozenset({"pods.", "nodes."})


@dataclass(frozen=True)
class DeleteOptions:
    """``grace`` in seconds, None for the object's own; ``propagation`` is Background, Foreground or Orphan."""

    grace: int | None = None
    propagation: str = "Background"
    uid: str = ""
    resource_version: str = ""


AS_USUAL = DeleteOptions()
AT_ONCE = DeleteOptions(grace=0)


def as_stored(resource: Resource, obj: Object, held: Object, part: str) -> Object:
    """``obj`` with everything that its writer may not change taken from ``held``."""
    if part == "status":
        new = held | {"metadata": dict(held["metadata"])}
        new.pop("status", None)
        if "status" in obj:
            new["status"] = obj["status"]
        if resource.store_key in _STATUS_WITH_LABELS:
            new["metadata"] |= {field: obj["metadata"].get(field) or {} for field in ("labels", "annotations")}
    else:
        new = obj
        if "status" in resource.subresources:
            new.pop("status", None)
            if "status" in held:
                new["status"] = held["status"]
    for field in (*SERVER_METADATA, "resourceVersion"):
        new["metadata"].pop(field, None)
        if field in held["metadata"]:
            new["metadata"][field] = held["metadata"][field]
    new["metadata"].pop("managedFields", None)
    return new


def content(obj: Object) -> Object:
    """What makes two states of an object different for its readers."""
    ignored = ("resourceVersion", "managedFields")
    return obj | {"metadata": {key: value for key, value in obj["metadata"].items() if key not in ignored and value}}


def desired(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key not in ("metadata", "status")}


def grace(resource: Resource, obj: Object, options: DeleteOptions) -> int:
    """Only pods linger, and only those that may be running somewhere."""
    if resource.store_key != "pods.":
        return 0
    finished = obj["status"].get("phase") in ("Succeeded", "Failed")
    if finished or not obj["spec"].get("nodeName"):
        return 0
    if options.grace is not None:
        return max(0, options.grace)
    return int(obj["spec"].get("terminationGracePeriodSeconds") or 0)


def add_policy_finalizer(metadata: Object, propagation: str) -> None:
    word = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}.get(propagation)
    finalizers = metadata.get("finalizers") or []
    if word and word not in finalizers and "deletionTimestamp" not in metadata:
        metadata["finalizers"] = [*finalizers, word]


def is_finished(obj: Object) -> bool:
    """Whether a deleted object has nothing left that holds it."""
    metadata = obj["metadata"]
    if "deletionTimestamp" not in metadata or metadata.get("finalizers"):
        return False
    held_namespace = obj["kind"] == "Namespace" and obj["apiVersion"] == "v1" and obj["spec"].get("finalizers")
    return not held_namespace and not metadata.get("deletionGracePeriodSeconds")

"""Patches and the scale subresource: how a request body becomes the next state of an object."""

from __future__ import annotations

from typing import Any

from blackstart.lab.kube import selectors, validation
from blackstart.lab.kube.cluster import Cluster
from blackstart.lab.kube.objects import Object, without_nulls
from blackstart.lab.kube.patches import json_patch, merge_patch
from blackstart.lab.kube.request import Route
from blackstart.lab.kube.status import ApiError, bad_request, conflict, invalid, unsupported_media_type
from blackstart.lab.kube.store import Record
from blackstart.lab.kube.strategic import strategic_merge

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


def patched(route: Route, kind: str, original: Any, patch: Any) -> Any:
    """``original`` after ``patch`` of the content type ``kind``; ApiError 400, 415 or 422."""
    if kind == JSON_PATCH:
        return json_patch(original, patch)
    if not isinstance(patch, dict):
        raise bad_request("the patch must be an object")
    custom = route.resource.custom
    if kind == MERGE_PATCH or (kind == APPLY_PATCH and custom):
        return merge_patch(original, patch)
    if kind == APPLY_PATCH or (kind == STRATEGIC_PATCH and not custom):
        return strategic_merge(original, patch)
    accepted = f"{JSON_PATCH}, {MERGE_PATCH}, {APPLY_PATCH}" + ("" if custom else f", {STRATEGIC_PATCH}")
    raise unsupported_media_type(f"the body of the request was in an unknown format - accepted media types: {accepted}")


def patch(cluster: Cluster, route: Route, kind: str, body: Any, dry_run: bool) -> tuple[Record, bool]:
    """Patch the object of ``route``, or create it if it is applied and not there; True if it was created."""
    if route.subresource == "scale":
        return _scale_patched(cluster, route, kind, body, dry_run), False
    try:
        original = cluster.draft(route.resource, route.key)
    except ApiError:
        if kind != APPLY_PATCH or route.subresource or not isinstance(body, dict):
            raise
        body.setdefault("metadata", {}).setdefault("name", route.name)
        return cluster.create(route.resource, route.namespace, strategic_merge({}, body), dry_run), True
    new = without_nulls(patched(route, kind, original, body))
    _keep_identity(route, original, new)
    return cluster.replace(route.resource, route.key, new, route.subresource, dry_run), False


def _scale_patched(cluster: Cluster, route: Route, kind: str, body: Any, dry_run: bool) -> Record:
    held = scale_of(route, cluster.get(route.resource, route.key).object)
    return scale(cluster, route, patched(route, kind, held, body), dry_run)


def scale_of(route: Route, obj: Object) -> Object:
    """The Scale of ``obj``, the object of ``route``."""
    spec_path, status_path, selector_path = route.resource.scale_paths
    fields = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    if route.resource.custom:
        selector = selectors.value_at(obj, selector_path) if selector_path else ""
    else:
        selector = selectors.to_text(obj["spec"].get("selector"))
    status: Object = {"replicas": int(selectors.value_at(obj, status_path) or 0)}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: obj["metadata"][field] for field in fields if field in obj["metadata"]},
        "spec": {"replicas": int(selectors.value_at(obj, spec_path) or 0)},
        "status": status | ({"selector": selector} if selector else {}),
    }


def scale(cluster: Cluster, route: Route, wanted: Any, dry_run: bool) -> Record:
    """Give the object of ``route`` the replicas of the Scale ``wanted``; the record of the object."""
    record = cluster.get(route.resource, route.key)
    if not isinstance(wanted, dict) or not isinstance(wanted.get("spec", {}), dict):
        raise bad_request("the body must be a Scale")
    version = (wanted.get("metadata") or {}).get("resourceVersion")
    if version not in (None, "", str(record.version)):
        raise conflict(route.resource.group, route.resource.plural, route.name)
    replicas = (wanted.get("spec") or {}).get("replicas", 0)
    if isinstance(replicas, bool) or not isinstance(replicas, int) or replicas < 0:
        message = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise invalid("autoscaling", "Scale", route.name, [("spec.replicas", "FieldValueInvalid", message)])
    obj = cluster.draft(route.resource, route.key)
    at, *path = reversed(route.resource.scale_paths[0].split("."))
    parent = obj
    for part in reversed(path):
        parent = parent.setdefault(part, {})
    parent[at] = replicas
    return cluster.replace(route.resource, route.key, obj, "", dry_run)


def _keep_identity(route: Route, original: Object, new: Any) -> None:
    """A patch may say what an object is called, but not change it; ApiError 400 otherwise."""
    validation.check_shape(route.resource, new)
    for field in ("name", "namespace"):
        if new["metadata"].get(field) != original["metadata"].get(field):
            raise bad_request(f"a patch cannot change metadata.{field}")
    uid = new["metadata"].get("uid")
    if uid != original["metadata"]["uid"]:
        cause = ("metadata.uid", "FieldValueInvalid", f"Invalid value: {uid}: field is immutable")
        raise invalid(route.resource.group, route.resource.kind, route.name, [cause])

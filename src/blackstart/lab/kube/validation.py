"""What the API server refuses, so that controllers meet only objects that make sense. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from blackstart.lab.kube.resources import Resource
from blackstart.lab.kube.selectors import label_selector
from blackstart.lab.kube.status import bad_request, invalid

Cause = tuple[str, str, str]
Object = dict[str, Any]

_NAME = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_NAME_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character"
)
_POD_MUTABLE = ("tolerations", "activeDeadlineSeconds", "terminationGracePeriodSeconds", "schedulingGates")
_SHARE = re.compile(r"^\d+%$")


def check_shape(resource: Resource, obj: Any) -> None:
    """ApiError 400 unless ``obj`` has the outer shape of an object of ``resource``."""
    if not isinstance(obj, dict):
        raise bad_request("the body must be an object")
    if resource.custom and not (obj.get("apiVersion") and obj.get("kind")):
        raise bad_request("an object of a custom kind must say its apiVersion and kind")
    api_version, kind = obj.setdefault("apiVersion", resource.api_version), obj.setdefault("kind", resource.kind)
    if (api_version, kind) != (resource.api_version, resource.kind):
        seen, wanted = f"{api_version}, Kind={kind}", f"{resource.api_version}, Kind={resource.kind}"
        raise bad_request(f"the object provided is unrecognized: it is {seen}, this path takes {wanted}")
    for path, where in (("metadata", obj), ("spec", obj), ("status", obj)):
        if where.get(path) is None:
            where.pop(path, None)
        elif not isinstance(where[path], dict):
            raise bad_request(f"{path} must be an object")
    conditions = (obj.get("status") or {}).get("conditions") or []
    if not isinstance(conditions, list) or not all(isinstance(c, dict) and "type" in c for c in conditions):
        raise bad_request("status.conditions must be a list of objects with a type")
    metadata = obj.setdefault("metadata", {})
    for field in ("labels", "annotations"):
        _check_text_map(metadata, field)
    for field in ("name", "namespace", "generateName", "uid", "resourceVersion"):
        if not isinstance(metadata.get(field, ""), str):
            raise bad_request(f"metadata.{field} must be text")
    for field, kind_of in (("finalizers", str), ("ownerReferences", dict)):
        held = metadata.get(field)
        if held is not None and not (isinstance(held, list) and all(isinstance(item, kind_of) for item in held)):
            raise bad_request(f"metadata.{field} must be a list")


def check(resource: Resource, obj: Object, old: Object | None = None) -> None:
    """ApiError 422 with every cause, unless ``obj`` may be stored (in place of ``old``)."""
    causes = list(_metadata(resource, obj, old))
    checker = _CHECKERS.get(resource.store_key)
    try:
        causes += checker(obj, old) if checker else ()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise bad_request(f"{resource.kind} cannot be decoded: {type(error).__name__}: {error}") from error
    if causes:
        raise invalid(resource.group, resource.kind, obj["metadata"]["name"], causes)


def _check_text_map(metadata: Object, field: str) -> None:
    held = metadata.get(field)
    if held is None:
        metadata.pop(field, None)
        return
    if not isinstance(held, dict) or not all(isinstance(value, str) for value in held.values()):
        raise bad_request(f"metadata.{field} must map text to text")


def _metadata(resource: Resource, obj: Object, old: Object | None) -> Iterator[Cause]:
    metadata = obj["metadata"]
    name = metadata["name"]
    free_form = resource.group == "rbac.authorization.k8s.io"
    if not isinstance(name, str) or len(name) > 253 or not (free_form or _NAME.match(name)):
        yield "metadata.name", "FieldValueInvalid", f'Invalid value: "{name}": {_NAME_RULE}'
    for reference in metadata.get("ownerReferences") or ():
        if not all(reference.get(field) for field in ("apiVersion", "kind", "name", "uid")):
            yield "metadata.ownerReferences", "FieldValueRequired", "Required value: apiVersion, kind, name and uid"
    if old and "deletionTimestamp" in old["metadata"]:
        added = set(metadata.get("finalizers") or ()) - set(old["metadata"].get("finalizers") or ())
        if added:
            message = f"Forbidden: no new finalizers can be added if the object is being deleted: {sorted(added)}"
            yield "metadata.finalizers", "FieldValueForbidden", message


def _containers(spec: Mapping[str, Any], where: str) -> Iterator[Cause]:
    containers = spec.get("containers")
    if not containers:
        yield f"{where}.containers", "FieldValueRequired", "Required value"
    for place, container in enumerate(containers or ()):
        for field in ("name", "image"):
            if not container.get(field):
                yield f"{where}.containers[{place}].{field}", "FieldValueRequired", "Required value"


def _pod(obj: Object, old: Object | None) -> Iterator[Cause]:
    yield from _containers(obj.get("spec") or {}, "spec")
    if old and _fixed(obj["spec"]) != _fixed(old["spec"]):
        fields = "`spec.containers[*].image`,`spec.tolerations` (only additions to existing tolerations)"
        yield "spec", "FieldValueForbidden", f"Forbidden: pod updates may not change fields other than {fields}"


def _fixed(spec: Mapping[str, Any]) -> Object:
    fixed = {key: value for key, value in spec.items() if key not in _POD_MUTABLE}
    for field in ("containers", "initContainers"):
        if field in fixed:
            fixed[field] = [container | {"image": ""} for container in fixed[field]]
    return fixed


def _count(obj: Object, path: str = "replicas") -> Iterator[Cause]:
    value = (obj.get("spec") or {}).get(path, 0)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        yield f"spec.{path}", "FieldValueInvalid", f"Invalid value: {value}: must be greater than or equal to 0"


def _workload(obj: Object, old: Object | None) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    yield from _count(obj)
    selector = spec.get("selector")
    template = spec.get("template") or {}
    if not selector:
        yield "spec.selector", "FieldValueRequired", "Required value"
    elif not label_selector(selector)((template.get("metadata") or {}).get("labels") or {}):
        yield "spec.template.metadata.labels", "FieldValueInvalid", "Invalid value: `selector` does not match template"
    if old and selector != old["spec"]["selector"]:
        yield "spec.selector", "FieldValueInvalid", "Invalid value: field is immutable"
    yield from _containers(template.get("spec") or {}, "spec.template.spec")


def _deployment(obj: Object, old: Object | None) -> Iterator[Cause]:
    yield from _workload(obj, old)
    rolling = ((obj.get("spec") or {}).get("strategy") or {}).get("rollingUpdate") or {}
    for field in ("maxSurge", "maxUnavailable"):
        yield from _amount(rolling.get(field), f"spec.strategy.rollingUpdate.{field}")


def _amount(value: Any, where: str) -> Iterator[Cause]:
    number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not (value is None or number or (isinstance(value, str) and _SHARE.match(value))):
        yield where, "FieldValueInvalid", f"Invalid value: {value}: must be a count or a percentage"


def _budget(obj: Object, _: Object | None) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        yield "spec", "FieldValueInvalid", "Invalid value: minAvailable and maxUnavailable cannot be both set"
    for field in ("minAvailable", "maxUnavailable"):
        yield from _amount(spec.get(field), f"spec.{field}")
    label_selector(spec.get("selector"))


def _scaler(obj: Object, _: Object | None) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas", 0)
    if most < 1:
        yield "spec.maxReplicas", "FieldValueInvalid", f"Invalid value: {most}: must be greater than 0"
    if most < least:
        why = f"Invalid value: {most}: must be greater than or equal to `minReplicas`"
        yield "spec.maxReplicas", "FieldValueInvalid", why
    if not (spec.get("scaleTargetRef") or {}).get("name"):
        yield "spec.scaleTargetRef.name", "FieldValueRequired", "Required value"


def _immutable(obj: Object, old: Object | None) -> Iterator[Cause]:
    if old is None or not old.get("immutable"):
        return
    for field in ("immutable", "data", "binaryData"):
        if (obj.get(field) or {}) != (old.get(field) or {}):
            yield field, "FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set"


def _node(obj: Object, old: Object | None) -> Iterator[Cause]:
    held = (old or {}).get("spec", {}).get("providerID")
    if held and (obj.get("spec") or {}).get("providerID") != held:
        why = 'Forbidden: node updates may not change providerID except from "" to valid'
        yield "spec.providerID", "FieldValueForbidden", why
    for place, taint in enumerate((obj.get("spec") or {}).get("taints") or ()):
        if not taint.get("key") or taint.get("effect") not in ("NoSchedule", "PreferNoSchedule", "NoExecute"):
            yield f"spec.taints[{place}]", "FieldValueInvalid", "Invalid value: a taint has a key and a known effect"


def _definition(obj: Object, _: Object | None) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    names = spec.get("names") or {}
    if obj["metadata"]["name"] != f"{names.get('plural')}.{spec.get('group')}":
        yield "metadata.name", "FieldValueInvalid", 'Invalid value: must be spec.names.plural+"."+spec.group'
    if not names.get("kind") or not spec.get("versions") or spec.get("scope") not in ("Namespaced", "Cluster"):
        yield "spec", "FieldValueRequired", "Required value: names.kind, scope (Namespaced or Cluster) and versions"
    for version in spec.get("versions") or ():
        if not version.get("name"):
            yield "spec.versions", "FieldValueRequired", "Required value: name"


_CHECKERS: Mapping[str, Callable[[Object, Object | None], Iterator[Cause]]] = {
    "pods.": _pod,
    "deployments.apps": _deployment,
    "replicasets.apps": _workload,
    "statefulsets.apps": _workload,
    "daemonsets.apps": _workload,
    "poddisruptionbudgets.policy": _budget,
    "horizontalpodautoscalers.autoscaling": _scaler,
    "nodes.": _node,
    "configmaps.": _immutable,
    "secrets.": _immutable,
    "customresourcedefinitions.apiextensions.k8s.io": _definition,
}

"""What the API server fills in that a client left out. Changes the object that it is given."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from blackstart.lab.kube.objects import Object
from blackstart.lab.kube.status import bad_request

_API_ACCESS = "kube-api-access"
_UNREACHABLE = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def fill(resource: str, obj: Object, eviction_seconds: float) -> None:
    """Defaults for one object of the store key ``resource``.

    ``eviction_seconds``: how long pods stay on a node that is gone, rounded up, for tolerations are whole seconds.
    ApiError 400 if the object is not of the shape that its kind has.
    """
    filler = _FILLERS.get(resource)
    try:
        if filler:
            filler(obj)
        if resource == "pods.":
            _tolerations(obj["spec"], math.ceil(eviction_seconds))
    except (AttributeError, KeyError, TypeError) as error:
        raise bad_request(f"the object cannot be decoded: {type(error).__name__}: {error}") from error


def _defaults(target: Object, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if target.get(key) is None:
            target[key] = value


def _pod_spec(spec: Object) -> None:
    _defaults(
        spec,
        {
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
        },
    )
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        _defaults(
            container,
            {
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "imagePullPolicy": "IfNotPresent",
            },
        )
        for port in container.get("ports") or ():
            _defaults(port, {"protocol": "TCP"})


def _pod(pod: Object) -> None:
    spec = pod["spec"]
    _pod_spec(spec)
    _defaults(spec, {"serviceAccountName": "default", "serviceAccount": "default", "enableServiceLinks": True})
    _defaults(spec, {"priority": 0, "preemptionPolicy": "PreemptLowerPriority"})
    if spec.get("automountServiceAccountToken") is not False:
        _mount_api_access(pod, spec)
    status = pod.setdefault("status", {})
    _defaults(status, {"phase": "Pending", "qosClass": _quality(spec)})


def _mount_api_access(pod: Object, spec: Object) -> None:
    volumes = spec["volumes"] = spec.get("volumes") or []
    if any(volume["name"].startswith(_API_ACCESS) for volume in volumes):
        return
    # the suffix is random in a real cluster; a part of the uid is as unique, and needs no generator
    name = f"{_API_ACCESS}-{pod['metadata']['uid'][:5]}"
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]
    volumes.append({"name": name, "projected": {"sources": sources, "defaultMode": 420}})
    mount = {"name": name, "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    for container in spec.get("containers") or ():
        container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]


def _quality(spec: Mapping[str, Any]) -> str:
    resources = [container.get("resources") or {} for container in spec.get("containers") or ()]
    if not any(resource.get("requests") or resource.get("limits") for resource in resources):
        return "BestEffort"
    complete = all({"cpu", "memory"} <= set(resource.get("limits") or ()) for resource in resources)
    equal = all(resource.get("requests", resource.get("limits")) == resource.get("limits") for resource in resources)
    return "Guaranteed" if complete and equal else "Burstable"


def _tolerations(spec: Object, seconds: int) -> None:
    held = spec["tolerations"] = spec.get("tolerations") or []
    for key in _UNREACHABLE:
        if not any(toleration.get("key") in (None, "", key) for toleration in held):
            held.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds})


def _replicated(obj: Object) -> None:
    spec = obj["spec"]
    _defaults(spec, {"replicas": 1})
    template = spec.get("template")
    if template:
        template.setdefault("metadata", {})
        _pod_spec(template["spec"])


def _deployment(obj: Object) -> None:
    _replicated(obj)
    spec = obj["spec"]
    _defaults(spec, {"strategy": {}, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600})
    strategy = spec["strategy"]
    _defaults(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        _defaults(strategy, {"rollingUpdate": {}})
        _defaults(strategy["rollingUpdate"], {"maxSurge": "25%", "maxUnavailable": "25%"})


def _namespace(obj: Object) -> None:
    _defaults(obj, {"spec": {}, "status": {}})
    _defaults(obj["status"], {"phase": "Active"})
    if "deletionTimestamp" not in obj["metadata"]:
        _defaults(obj["spec"], {"finalizers": ["kubernetes"]})
    named = obj["metadata"]["labels"] = obj["metadata"].get("labels") or {}
    named["kubernetes.io/metadata.name"] = obj["metadata"]["name"]


def _node(obj: Object) -> None:
    _defaults(obj, {"spec": {}, "status": {}})
    named = obj["metadata"]["labels"] = obj["metadata"].get("labels") or {}
    _defaults(named, {"kubernetes.io/hostname": obj["metadata"]["name"]})


def _service(obj: Object) -> None:
    _defaults(obj, {"spec": {}, "status": {"loadBalancer": {}}})
    _defaults(obj["spec"], {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"})
    for port in obj["spec"].get("ports") or ():
        _defaults(port, {"protocol": "TCP", "targetPort": port.get("port")})


def _secret(obj: Object) -> None:
    _defaults(obj, {"type": "Opaque"})


def _budget(obj: Object) -> None:
    _defaults(obj, {"spec": {}})


def _scaler(obj: Object) -> None:
    _defaults(obj["spec"], {"minReplicas": 1})


_FILLERS: Mapping[str, Callable[[Object], None]] = {
    "pods.": _pod,
    "deployments.apps": _deployment,
    "replicasets.apps": _replicated,
    "statefulsets.apps": _replicated,
    "namespaces.": _namespace,
    "nodes.": _node,
    "services.": _service,
    "secrets.": _secret,
    "poddisruptionbudgets.policy": _budget,
    "horizontalpodautoscalers.autoscaling": _scaler,
}

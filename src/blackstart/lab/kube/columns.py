"""The columns that ``kubectl get`` prints, by kind. Pure: ages are counted to the moment that is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from blackstart.lab.kube import selectors
from blackstart.lab.kube.objects import Object, condition, is_ready, labels_of, parse_timestamp
from blackstart.lab.kube.resources import Resource

Cells = list[Any]
_NONE = "<none>"
_UNKNOWN = "<unknown>"


def definitions(resource: Resource) -> list[Object]:
    """The column definitions of ``resource``; those of a lower priority appear with ``-o wide``."""
    names = _custom_names(resource) if resource.custom else _KINDS.get(resource.store_key, ("Name,Age", _plain))[0]
    return [_definition(name) for name in names.split(",")]


def row(resource: Resource, obj: Object, now: str) -> Cells:
    """The cells of ``obj``, as many as there are definitions."""
    if resource.custom:
        return _custom_row(resource, obj, now)
    return _KINDS.get(resource.store_key, ("", _plain))[1](obj, now)


def age(obj: Object, now: str) -> str:
    """Since ``obj`` was created, as people read it: 45s, 3m12s, 4h, 2d."""
    return since(obj["metadata"].get("creationTimestamp"), now)


def since(then: str | None, now: str) -> str:
    if not then:
        return _UNKNOWN
    seconds = max(0, int((parse_timestamp(now) - parse_timestamp(then)).total_seconds()))
    if seconds < 120:
        return f"{seconds}s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    return f"{hours}h" if hours < 48 else f"{days}d"


def _definition(name: str) -> Object:
    wide = name.startswith("+")
    title = name.lstrip("+")
    return {
        "name": title,
        "type": "integer" if title in _INTEGERS else "string",
        "format": "name" if title == "Name" else "",
        "description": title,
        "priority": 1 if wide else 0,
    }


_INTEGERS = frozenset(
    ("Desired", "Current", "Up-to-date", "Available", "Allowed Disruptions", "MaxPods", "Replicas", "Data", "Count")
)


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def _plain(obj: Object, now: str) -> Cells:
    return [_name(obj), age(obj, now)]


def _pod(pod: Object, now: str) -> Cells:
    spec, status = pod["spec"], pod.get("status") or {}
    statuses = status.get("containerStatuses") or ()
    ready = sum(bool(container.get("ready")) for container in statuses)
    restarts = sum(container.get("restartCount", 0) for container in statuses)
    gates = ",".join(gate.get("conditionType", "") for gate in spec.get("readinessGates") or ())
    names = [_name(pod), f"{ready}/{len(spec['containers'])}", _pod_phase(pod), str(restarts), age(pod, now)]
    nominated = status.get("nominatedNodeName")
    return [*names, status.get("podIP") or _NONE, spec.get("nodeName") or _NONE, nominated or _NONE, gates or _NONE]


def _pod_phase(pod: Object) -> str:
    status = pod.get("status") or {}
    if "deletionTimestamp" in pod["metadata"]:
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    for container in status.get("containerStatuses") or ():
        state = container.get("state") or {}
        reason = (state.get("waiting") or state.get("terminated") or {}).get("reason")
        if reason:
            return str(reason)
    if status.get("phase") == "Pending" and condition(pod, "PodScheduled").get("reason") == "SchedulingGated":
        return "SchedulingGated"
    return str(status.get("reason") or status.get("phase") or _UNKNOWN)


def _node(node: Object, now: str) -> Cells:
    state = "Ready" if is_ready(node) else "NotReady"
    if not condition(node, "Ready"):
        state = "Unknown"
    if node["spec"].get("unschedulable"):
        state += ",SchedulingDisabled"
    prefix = "node-role.kubernetes.io/"
    roles = sorted(label.removeprefix(prefix) for label in labels_of(node) if label.startswith(prefix))
    status = node.get("status") or {}
    info = status.get("nodeInfo") or {}
    addresses = {address["type"]: address["address"] for address in status.get("addresses") or ()}
    places = [addresses.get("InternalIP", _NONE), addresses.get("ExternalIP", _NONE)]
    system = [info.get(field, _UNKNOWN) for field in ("osImage", "kernelVersion", "containerRuntimeVersion")]
    return [
        _name(node),
        state,
        ",".join(roles) or _NONE,
        age(node, now),
        info.get("kubeletVersion", ""),
        *places,
        *system,
    ]


def _containers(template: Mapping[str, Any]) -> list[str]:
    containers = (template.get("spec") or {}).get("containers") or ()
    return [",".join(str(container.get(field)) for container in containers) for field in ("name", "image")]


def _deployment(obj: Object, now: str) -> Cells:
    spec, status = obj["spec"], obj.get("status") or {}
    ready = f"{status.get('readyReplicas', 0)}/{spec['replicas']}"
    counts = [status.get("updatedReplicas", 0), status.get("availableReplicas", 0)]
    return [
        _name(obj),
        ready,
        *counts,
        age(obj, now),
        *_containers(spec["template"]),
        selectors.to_text(spec["selector"]),
    ]


def _replicaset(obj: Object, now: str) -> Cells:
    spec, status = obj["spec"], obj.get("status") or {}
    counts = [spec["replicas"], status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [_name(obj), *counts, age(obj, now), *_containers(spec["template"]), selectors.to_text(spec["selector"])]


def _namespace(obj: Object, now: str) -> Cells:
    return [_name(obj), (obj.get("status") or {}).get("phase", ""), age(obj, now)]


def _service(obj: Object, now: str) -> Cells:
    spec = obj["spec"]
    ports = ",".join(f"{port['port']}/{port.get('protocol', 'TCP')}" for port in spec.get("ports") or ())
    selector = ",".join(f"{key}={value}" for key, value in (spec.get("selector") or {}).items())
    return [
        _name(obj),
        spec["type"],
        spec.get("clusterIP", _NONE),
        _NONE,
        ports or _NONE,
        age(obj, now),
        selector or _NONE,
    ]


def _event(obj: Object, now: str) -> Cells:
    about = obj.get("involvedObject") or {}
    last = obj.get("lastTimestamp") or obj.get("eventTime") or obj["metadata"].get("creationTimestamp")
    first = obj.get("firstTimestamp") or last
    what = f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"
    words = [obj.get("type", ""), obj.get("reason", ""), what]
    source = (obj.get("source") or {}).get("component", "")
    wide = [about.get("fieldPath", ""), source]
    return [since(last, now), *words, *wide, obj.get("message", ""), since(first, now), obj.get("count", 1), _name(obj)]


def _budget(obj: Object, now: str) -> Cells:
    spec, status = obj["spec"], obj.get("status") or {}
    limits = [str(spec.get(field, "N/A")) for field in ("minAvailable", "maxUnavailable")]
    return [_name(obj), *limits, status.get("disruptionsAllowed", 0), age(obj, now)]


def _scaler(obj: Object, now: str) -> Cells:
    spec, status = obj["spec"], obj.get("status") or {}
    reference = spec.get("scaleTargetRef") or {}
    targets = []
    for place, metric in enumerate(spec.get("metrics") or ()):
        measured = [*(status.get("currentMetrics") or ()), *[{}] * (place + 1)][place]
        name = (metric.get("resource") or {}).get("name", metric.get("type"))
        wanted = ((metric.get("resource") or {}).get("target") or {}).get("averageUtilization", _UNKNOWN)
        seen = ((measured.get("resource") or {}).get("current") or {}).get("averageUtilization")
        targets.append(f"{name}: {_UNKNOWN if seen is None else f'{seen}%'}/{wanted}%")
    limits = [str(spec.get("minReplicas", 1)), spec.get("maxReplicas", 0), status.get("currentReplicas", 0)]
    about = f"{reference.get('kind', '')}/{reference.get('name', '')}"
    return [_name(obj), about, ", ".join(targets) or _NONE, *limits, age(obj, now)]


def _stateful(obj: Object, now: str) -> Cells:
    ready = f"{(obj.get('status') or {}).get('readyReplicas', 0)}/{obj['spec'].get('replicas', 1)}"
    containers = obj["spec"]["template"]["spec"]["containers"]
    wide = [",".join(container.get(field, "") for container in containers) for field in ("name", "image")]
    return [_name(obj), ready, age(obj, now), *wide]


def _lease(obj: Object, now: str) -> Cells:
    return [_name(obj), (obj.get("spec") or {}).get("holderIdentity", ""), age(obj, now)]


def _config_map(obj: Object, now: str) -> Cells:
    return [_name(obj), len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), age(obj, now)]


def _secret(obj: Object, now: str) -> Cells:
    return [_name(obj), obj.get("type", ""), len(obj.get("data") or ()), age(obj, now)]


def _definition_row(obj: Object, now: str) -> Cells:
    return [_name(obj), obj["metadata"].get("creationTimestamp", "")]


def _custom_names(resource: Resource) -> str:
    given = [("+" if column.get("priority") else "") + column["name"] for column in resource.columns]
    return ",".join(["Name", *given] if given else ["Name", "Age"])


def _custom_row(resource: Resource, obj: Object, now: str) -> Cells:
    if not resource.columns:
        return _plain(obj, now)
    cells: Cells = [_name(obj)]
    for column in resource.columns:
        value = selectors.value_at(obj, column["jsonPath"].lstrip("."))
        cells.append(since(value, now) if column.get("type") == "date" else value)
    return cells


_KINDS: Mapping[str, tuple[str, Callable[[Object, str], Cells]]] = {
    "pods.": ("Name,Ready,Status,Restarts,Age,+IP,+Node,+Nominated Node,+Readiness Gates", _pod),
    "nodes.": (
        "Name,Status,Roles,Age,Version,+Internal-IP,+External-IP,+OS-Image,+Kernel-Version,+Container-Runtime",
        _node,
    ),
    "deployments.apps": ("Name,Ready,Up-to-date,Available,Age,+Containers,+Images,+Selector", _deployment),
    "replicasets.apps": ("Name,Desired,Current,Ready,Age,+Containers,+Images,+Selector", _replicaset),
    "namespaces.": ("Name,Status,Age", _namespace),
    "services.": ("Name,Type,Cluster-IP,External-IP,Port(s),Age,+Selector", _service),
    "events.": ("Last Seen,Type,Reason,Object,+Subobject,+Source,Message,+First Seen,+Count,+Name", _event),
    "poddisruptionbudgets.policy": ("Name,Min Available,Max Unavailable,Allowed Disruptions,Age", _budget),
    "horizontalpodautoscalers.autoscaling": ("Name,Reference,Targets,MinPods,MaxPods,Replicas,Age", _scaler),
    "statefulsets.apps": ("Name,Ready,Age,+Containers,+Images", _stateful),
    "leases.coordination.k8s.io": ("Name,Holder,Age", _lease),
    "configmaps.": ("Name,Data,Age", _config_map),
    "secrets.": ("Name,Type,Data,Age", _secret),
    "customresourcedefinitions.apiextensions.k8s.io": ("Name,Created At", _definition_row),
}

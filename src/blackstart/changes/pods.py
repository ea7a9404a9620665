"""Deleting pods. What deletes is we; what heals is the controller that owns them.

A pod that nothing would bring back is refused: one without a controller, or whose controller is not known to replace
pods. Undo waits until the controller has as many ready pods as it wants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from blackstart.access import Need, in_namespace
from blackstart.changes.clients import Clients
from blackstart.changes.healed import Healed
from blackstart.changes.kind import Ending, Outcome
from blackstart.changes.model import Change, Share, new_id
from blackstart.errors import Refused
from blackstart.kube.client import Kube, KubeRefused
from blackstart.scope import Target

HEALERS = {"ReplicaSet": "replicasets", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
ZONE_LABEL = "topology.kubernetes.io/zone"
REGION_LABEL = "topology.kubernetes.io/region"


@dataclass(frozen=True)
class Pod:
    """One pod, as found. ``owner``: kind and name of its controller, or None. ``zone``, ``region``: of its node."""

    name: str
    uid: str
    labels: Mapping[str, str]
    owner: tuple[str, str] | None
    zone: str
    region: str


@dataclass(frozen=True)
class Pods:
    """All live pods of one selection, as found."""

    cluster: str
    context: str
    namespace: str
    selector: str
    pods: tuple[Pod, ...]


def find_pods(clients: Clients, context: str, namespace: str, selector: str) -> Pods:
    """The pods that match the label ``selector`` and are not being deleted, by name. Read-only.

    ``context``: of the kubeconfig. Deleted pods that are still shutting down are left out.
    """
    kube = clients.kube(context)
    nodes = {node["metadata"]["name"]: node["metadata"].get("labels", {}) for node in kube.items("/api/v1/nodes")}
    items = kube.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector)
    pods = [
        Pod(
            item["metadata"]["name"],
            item["metadata"]["uid"],
            item["metadata"].get("labels", {}),
            _controller(item),
            *_place(nodes.get(item["spec"].get("nodeName", ""), {})),
        )
        for item in items
        if "deletionTimestamp" not in item["metadata"]
    ]
    pods.sort(key=lambda pod: pod.name)
    return Pods(kube.cluster, context, namespace, selector, tuple(pods))


def _place(labels: Mapping[str, str]) -> tuple[str, str]:
    return labels.get(ZONE_LABEL, ""), labels.get(REGION_LABEL, "")


def plan_deletion(
    found: Pods, chosen: Sequence[Pod], grace_seconds: int = 0, new_change: Callable[[], str] = new_id
) -> list[Change]:
    """``chosen`` of the pods deleted; with 0 seconds of grace they are killed at once. Pure.

    Refused if one of them would not come back.
    """
    return [_deletion(found, pod, grace_seconds, new_change()) for pod in chosen]


def _deletion(found: Pods, pod: Pod, grace_seconds: int, change_id: str) -> Change:
    if pod.owner is None or pod.owner[0] not in HEALERS:
        reason = f"its owner is a {pod.owner[0]}" if pod.owner else "no controller owns it"
        raise Refused(f"deleting pod {found.namespace}/{pod.name}", f"{reason}, so nothing would bring it back")
    kind, owner = pod.owner
    return Change(
        id=change_id,
        kind=PodDeletion.name,
        target=Target(
            "pod",
            pod.name,
            region=pod.region,
            zone=pod.zone,
            cluster=found.cluster,
            namespace=found.namespace,
            tags=dict(pod.labels),
        ),
        before={"context": found.context, "uid": pod.uid, "owner": {"kind": kind, "name": owner}},
        after={"deleted": True, "grace_seconds": grace_seconds},
        summary=f"pod {found.namespace}/{pod.name}" + (f" ({pod.zone})" if pod.zone else "") + ": deleted",
        undo_summary=f"{kind} {owner}, which starts another one",
        calls=("kubernetes:delete pods",),
        share=_share(found, pod),
    )


def _share(found: Pods, pod: Pod) -> Share:
    """Of its workload, because a selection may span many; those of its pods that the selection leaves out do not count,
    which makes the share no smaller than it is."""
    workload = _workload(pod)
    total = sum(_workload(each) == workload for each in found.pods)
    return Share("pod", f"{found.cluster}/{found.namespace} {workload}", (pod.name,), total)


def _workload(pod: Pod) -> str:
    """Its controller, or the deployment behind it, so that the pods of a roll-out count together."""
    kind, name = pod.owner or ("", "")
    of_template = "-" + pod.labels.get("pod-template-hash", "")
    if kind == "ReplicaSet" and name.endswith(of_template):
        return f"Deployment {name.removesuffix(of_template)}"
    return f"{kind} {name}"


class PodDeletion(Healed):
    """One pod is deleted, for good; its controller heals."""

    name: ClassVar[str] = "kubernetes.pod_deletion"
    permissions: ClassVar[tuple[str, ...]] = (
        "kubernetes:get pods",
        "kubernetes:list pods",
        "kubernetes:delete pods",
        "kubernetes:get replicasets",
        "kubernetes:get statefulsets",
        "kubernetes:get daemonsets",
        "kubernetes:get deployments",
    )

    def needs(self, change: Change) -> Sequence[Need]:
        owner = HEALERS[change.before["owner"]["kind"]]
        above = ("kubernetes:get deployments",) if owner == "replicasets" else ()
        names = (*self.permissions[:3], f"kubernetes:get {owner}", *above)
        return in_namespace(names, change.target.cluster, change.target.namespace)

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        for change in changes:
            options = {
                "gracePeriodSeconds": change.after["grace_seconds"],
                "preconditions": {"uid": change.before["uid"]},
            }
            try:
                clients.kube(change.before["context"]).delete(_path(change), options)
            except KubeRefused as error:
                # 404: it is deleted. 409: it is, and another one with its name has come.
                if error.status not in (404, 409):
                    raise

    def look(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        return {change.id: _look(change, clients.kube(change.before["context"])) for change in changes}


def _look(change: Change, kube: Kube) -> Outcome:
    pod = kube.find(_path(change))
    if pod and pod["metadata"]["uid"] == change.before["uid"] and "deletionTimestamp" not in pod["metadata"]:
        return Outcome(Ending.UNTOUCHED)
    owner = _healer(change, kube)
    if owner is None:
        name = f"{change.before['owner']['kind']} {change.before['owner']['name']}"
        return Outcome(Ending.CONFLICT, f"{name}, which would bring {change.target} back, no longer exists")
    ready, wanted = _ready(change, owner, kube), _wanted(owner)
    if ready < wanted:
        what = f"{owner['kind']} {owner['metadata']['name']}"
        return Outcome(Ending.WAITING, f"{what} has {ready} of {wanted} pods ready")
    return Outcome(Ending.RESTORED)


def _healer(change: Change, kube: Kube) -> Any | None:
    """The pod's controller, or rather the Deployment behind it: a roll-out replaces the ReplicaSet meanwhile."""
    workloads = f"/apis/apps/v1/namespaces/{change.target.namespace}"
    owner = change.before["owner"]
    found = kube.find(f"{workloads}/{HEALERS[owner['kind']]}/{owner['name']}")
    above = _controller(found) if found else None
    if above and above[0] == "Deployment":
        return kube.find(f"{workloads}/deployments/{above[1]}")
    return found


def _wanted(owner: Any) -> int:
    if owner["kind"] == "DaemonSet":
        return int(owner.get("status", {}).get("desiredNumberScheduled", 1))
    return int(owner["spec"].get("replicas", 1))


def _ready(change: Change, owner: Any, kube: Kube) -> int:
    """How many live pods of ``owner`` are ready: counted, because its status may not know of the deletion yet.

    Without the deleted one, which a list that lags still has.
    """
    path = f"/api/v1/namespaces/{change.target.namespace}/pods"
    pods = kube.items(path, labelSelector=_selector(owner["spec"]["selector"]))
    gone = change.before["uid"]
    live = (pod for pod in pods if "deletionTimestamp" not in pod["metadata"] and pod["metadata"]["uid"] != gone)
    return sum(_is_ready(pod) for pod in live)


def _is_ready(pod: Any) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)


def _selector(selector: Any) -> str:
    """A LabelSelector in the form that a list request takes."""
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for rule in selector.get("matchExpressions") or []:
        key, values = rule["key"], ",".join(rule.get("values") or [])
        parts.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }[rule["operator"]]
        )
    return ",".join(parts)


def _controller(item: Any) -> tuple[str, str] | None:
    for owner in item["metadata"].get("ownerReferences", []):
        if owner.get("controller"):
            return owner["kind"], owner["name"]
    return None


def _path(change: Change) -> str:
    return f"/api/v1/namespaces/{change.target.namespace}/pods/{change.target.id}"

"""The Kubernetes objects that the lab writes: workloads, and what nodes say of themselves and their pods. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from blackstart.lab.topology import NAMESPACE, PLATFORM, SERVICE

Object = dict[str, Any]
WORKER = f"{SERVICE}-worker"
OPT_IN = {"blackstart": "allowed"}
APPS, CORE, LEASES = "/apis/apps/v1", "/api/v1", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
PODS = f"{CORE}/pods"
PORT_ANNOTATION = "blackstart.lab/port"
SERVICE_PORT = 8080
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"


@dataclass(frozen=True)
class NodeFacts:
    """One node: its instance, where it is, and whether the instance runs.

    ``lifecycle`` is ``on-demand`` or ``spot``; ``group`` is the name of its node group.
    """

    name: str
    instance: str
    region: str
    zone: str
    lifecycle: str
    group: str
    running: bool = True

    def manifest(self) -> Object:
        """The Node object to register."""
        labels = {
            "topology.kubernetes.io/region": self.region,
            "topology.kubernetes.io/zone": self.zone,
            "eks.amazonaws.com/capacityType": "SPOT" if self.lifecycle == "spot" else "ON_DEMAND",
            "eks.amazonaws.com/nodegroup": self.group,
            "kubernetes.io/hostname": self.name,
            "kubernetes.io/os": "linux",
        } | OPT_IN
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.name, "labels": labels},
            "spec": {"providerID": f"aws:///{self.zone}/{self.instance}"},
        } | self.status("")

    def status(self, now: str) -> Object:
        """What a healthy kubelet reports; ``now`` as ISO 8601, empty to leave times out."""
        ready: Object = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is ready"}
        if now:
            ready |= {"lastHeartbeatTime": now}
        room = {"cpu": "4", "memory": "8Gi", "pods": "29"}
        return {
            "status": {
                "conditions": [ready],
                "capacity": room,
                "allocatable": room,
                "addresses": [{"type": "Hostname", "address": self.name}],
                "nodeInfo": {"kubeletVersion": "v1.32.0", "operatingSystem": "linux", "architecture": "amd64"},
            }
        }


def lease(node: str, now: str) -> Object:
    """The heartbeat of ``node``; ``now`` with microseconds, as Kubernetes wants it."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": node, "namespace": "kube-node-lease"},
        "spec": {"holderIdentity": node, "leaseDurationSeconds": 3, "renewTime": now},
    }


def namespace() -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": OPT_IN}}


def deployment(name: str, replicas: int) -> Object:
    """A workload of the order service: its image is called ``shop/<name>``."""
    labels = {"app": name} | OPT_IN
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "containers": [
                        {
                            "name": name,
                            "image": f"{PLATFORM}/{name}:1",
                            "ports": [{"name": "http", "containerPort": SERVICE_PORT}],
                            "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1},
                        }
                    ]
                },
            },
        },
    }


@dataclass(frozen=True)
class PodReport:
    """What a kubelet knows of one pod. ``waiting`` is why its container does not run, empty if it does."""

    started: str
    address: tuple[str, int]
    ready: bool = False
    restarts: int = 0
    waiting: str = ""
    container: Mapping[str, Any] = field(default_factory=dict)

    def patch(self, uid: str, now: str) -> Object:
        """A merge patch of the pod's status; ``uid`` keeps it from reaching a successor of the same name."""
        running = not self.waiting
        state = {"running": {"startedAt": self.started}} if running else {"waiting": {"reason": self.waiting}}
        conditions = [
            {"type": kind, "status": str(value), "lastTransitionTime": now}
            for kind, value in (
                ("PodScheduled", True),
                ("Initialized", True),
                ("ContainersReady", self.ready),
                ("Ready", self.ready),
            )
        ]
        container = {
            "name": self.container.get("name", ""),
            "image": self.container.get("image", ""),
            "ready": self.ready,
            "started": running,
            "restartCount": self.restarts,
            "state": state,
        }
        return {
            "metadata": {"uid": uid, "annotations": {PORT_ANNOTATION: str(self.address[1])}},
            "status": {
                "phase": "Running" if running or self.restarts else "Pending",
                "podIP": self.address[0],
                "podIPs": [{"ip": self.address[0]}],
                "hostIP": self.address[0],
                "startTime": self.started,
                "conditions": conditions,
                "containerStatuses": [container],
            },
        }


def ready(pod: Object) -> bool:
    """Whether a pod object says that it is ready, and is not on its way out."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def image(pod: Object) -> str:
    """The image of a pod's first container, without its tag."""
    name: str = pod["spec"]["containers"][0].get("image", "")
    return name.rpartition(":")[0] or name

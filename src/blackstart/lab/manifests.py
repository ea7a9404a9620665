"""The Kubernetes objects that the lab writes: workloads, and what nodes say of themselves and their pods. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from blackstart.lab.topology import LOOPBACK, NAMESPACE, PLATFORM, SERVICE

Object = dict[str, Any]
WORKER = f"{SERVICE}-worker"
OPT_IN = {"blackstart": "allowed"}
APPS, CORE, LEASES = "/apis/apps/v1", "/api/v1", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
PODS = f"{CORE}/pods"
POLICY, AUTOSCALING = (f"/apis/{group}/namespaces/{NAMESPACE}" for group in ("policy/v1", "autoscaling/v2"))
PORT_ANNOTATION = "blackstart.lab/port"
SERVICE_PORT = 8080
CPU_REQUEST, CPU_TARGET_PERCENT = "100m", 30
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"


@dataclass(frozen=True)
class NodeFacts:
    """One node: its instance, where it is, whether the instance runs, and whether a kubelet runs on it.

    ``lifecycle`` is ``on-demand`` or ``spot``; ``group`` is the name of its node group. Without its kubelet a node is
    silent and obeys nobody, but its processes go on.
    """

    name: str
    instance: str
    region: str
    zone: str
    lifecycle: str
    group: str
    running: bool = True
    kubelet: bool = True

    def manifest(self, kubelet_port: int = 0) -> Object:
        """The Node object to register; ``kubelet_port`` is where its kubelet answers, 0 for nowhere."""
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
        } | self.status("", kubelet_port)

    def status(self, now: str, kubelet_port: int = 0) -> Object:
        """What a healthy kubelet reports; ``now`` as ISO 8601, empty to leave times out."""
        ready: Object = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is ready"}
        if now:
            ready |= {"lastHeartbeatTime": now}
        room = {"cpu": "4", "memory": "8Gi", "pods": "29"}
        status: Object = {
            "conditions": [ready],
            "capacity": room,
            "allocatable": room,
            "addresses": [{"type": "Hostname", "address": self.name}, {"type": "InternalIP", "address": LOOPBACK}],
            "nodeInfo": {"kubeletVersion": "v1.32.0", "operatingSystem": "linux", "architecture": "amd64"},
        }
        if kubelet_port:
            status["daemonEndpoints"] = {"kubeletEndpoint": {"Port": kubelet_port}}
        return {"status": status}


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
                            "resources": {"requests": {"cpu": CPU_REQUEST}},
                        }
                    ],
                    "topologySpreadConstraints": [
                        {
                            "maxSkew": 1,
                            "topologyKey": "topology.kubernetes.io/zone",
                            "whenUnsatisfiable": "ScheduleAnyway",
                            "labelSelector": {"matchLabels": {"app": name}},
                        }
                    ],
                },
            },
        },
    }


def budget(name: str) -> Object:
    """At least half of the pods of workload ``name`` stay."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": name} | OPT_IN},
        "spec": {"minAvailable": "50%", "selector": {"matchLabels": {"app": name}}},
    }


def autoscaler(name: str, replicas: int) -> Object:
    """Grows workload ``name`` from ``replicas`` to half as many again; it shrinks ten seconds after the load went."""
    target = {"type": "Utilization", "averageUtilization": CPU_TARGET_PERCENT}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": name} | OPT_IN},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": replicas,
            "maxReplicas": replicas + max(1, replicas // 2),
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 10}},
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

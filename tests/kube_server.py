"""The lab's Kubernetes API server in a process of its own, without the lab: the tests play the kubelet."""

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from blackstart.kube.client import Kube, KubeRefused

SERVER = (
    "import asyncio, sys; from blackstart.lab.kube.server import KubeSpec, serve\n"
    "asyncio.run(serve(KubeSpec('us-east-1', 'shop', '127.0.0.1', int(sys.argv[1]), 9999.0, 9999.0)))"
)
CLUSTER, CONTEXT, NAMESPACE = "shop", "shop-admin", "shop"
LABELS = {"app": "orders", "blackstart": "allowed"}
PODS, WORKLOADS = f"/api/v1/namespaces/{NAMESPACE}/pods", f"/apis/apps/v1/namespaces/{NAMESPACE}"


@contextmanager
def running(folder: Path) -> Iterator[dict[str, str]]:
    """What points a client at it; its kubeconfig goes to ``folder``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(port)])
    try:
        for _ in range(600):
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield {"KUBECONFIG": str(_kubeconfig(f"http://127.0.0.1:{port}", folder / "config", {}))}
    finally:
        process.kill()
        process.wait()


def as_member(environ: dict[str, str], folder: Path, group: str) -> dict[str, str]:
    """The same for a member of ``group``, who may do what its Roles allow, instead of the administrator."""
    config = json.loads(Path(environ["KUBECONFIG"]).read_text())
    path = _kubeconfig(config["clusters"][0]["cluster"]["server"], folder / group, {"token": f"group:{group}"})
    return environ | {"KUBECONFIG": str(path)}


def _kubeconfig(url: str, path: Path, user: dict[str, str]) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CLUSTER, "cluster": {"server": url}}],
        "users": [{"name": "me", "user": user}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CLUSTER, "user": "me"}}],
        "current-context": CONTEXT,
    }
    path.write_text(json.dumps(config))
    return path


def furnish(kube: Kube) -> None:
    """A namespace, and a ready node in each of two zones."""
    kube.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    for zone in "ab":
        labels = {"topology.kubernetes.io/zone": f"us-east-1{zone}", "topology.kubernetes.io/region": "us-east-1"}
        kube.post("/api/v1/nodes", {"metadata": {"name": f"node-{zone}", "labels": labels}, "spec": {}})
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        kube.patch(f"/api/v1/nodes/node-{zone}/status", {"status": ready})


def names(kube: Kube) -> set[str]:
    return {pod["metadata"]["name"] for pod in kube.get(PODS)["items"]}


def heal(kube: Kube, count: int) -> None:
    """Play the kubelet until the namespace has so many ready pods of the deployment."""
    for _ in range(500):
        pods = kube.get(PODS, labelSelector="app=orders")["items"]
        for pod in pods:
            conditions = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running"}
            kube.patch(f"{PODS}/{pod['metadata']['name']}/status", {"status": conditions})
        if len(pods) == count:
            return
        time.sleep(0.02)
    raise AssertionError(pods)


@contextmanager
def orders(kube: Kube, replicas: int = 4) -> Iterator[Callable[[int], None]]:
    """A deployment of so many ready pods, as long as it is needed. Gives what heals it."""
    container = {"name": "orders", "image": "orders:1"}
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [container]}}
    selector = {"matchLabels": {"app": "orders"}}
    spec: dict[str, Any] = {"replicas": replicas, "selector": selector, "template": template}
    kube.post(f"{WORKLOADS}/deployments", {"metadata": {"name": "orders"}, "spec": spec})
    heal(kube, replicas)
    try:
        yield lambda count: heal(kube, count)
    finally:
        kube.delete(f"{WORKLOADS}/deployments/orders", {"propagationPolicy": "Background"})
        for _ in range(500):
            left = names(kube)
            if not left and not kube.get(f"{WORKLOADS}/replicasets")["items"]:
                break
            for name in left:
                with contextlib.suppress(KubeRefused):
                    kube.delete(f"{PODS}/{name}", {"gracePeriodSeconds": 0})
            time.sleep(0.02)

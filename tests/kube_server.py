"""The lab's Kubernetes API server in a process of its own, without the lab: the tests play the kubelet."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from blackstart.changes.workloads import unready
from blackstart.errors import NotYet
from blackstart.kube.client import Kube, KubeRefused

SERVER = (
    "import asyncio, sys; from blackstart.lab.kube.server import KubeSpec, serve\n"
    "asyncio.run(serve(KubeSpec('us-east-1', 'shop', '127.0.0.1', int(sys.argv[1]), 9999.0, 9999.0)))"
)
CLUSTER, CONTEXT, NAMESPACE = "shop", "shop-admin", "shop"
MADE_SECONDS = 60.0  # others may have the processor
LABELS = {"app": "orders", "blackstart": "allowed"}
PODS, WORKLOADS = f"/api/v1/namespaces/{NAMESPACE}/pods", f"/apis/apps/v1/namespaces/{NAMESPACE}"
ORDERS = f"{WORKLOADS}/deployments/orders"


@contextmanager
def running(folder: Path) -> Iterator[dict[str, str]]:
    """What points a client at it; its kubeconfig goes to ``folder``."""
    process, port = _started()
    try:
        yield {"KUBECONFIG": str(_kubeconfig(f"http://127.0.0.1:{port}", folder / "config", {}))}
    finally:
        process.kill()
        process.wait()


def _started() -> tuple[subprocess.Popen, int]:
    """The server and its port. Another test may take a port that was free, and then this one ends: so another one."""
    while True:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = subprocess.Popen([sys.executable, "-c", SERVER, str(port)])
        while process.poll() is None:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return process, port
            time.sleep(0.05)


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
        kube.patch(f"/api/v1/nodes/node-{zone}/status", as_nodes_say(True))


def as_nodes_say(ready: bool) -> dict[str, Any]:
    """A patch of a node's status."""
    return {"status": {"conditions": [{"type": "Ready", "status": str(ready)}]}}


def names(kube: Kube) -> set[str]:
    return {pod["metadata"]["name"] for pod in kube.get(PODS)["items"]}


def heal(kube: Kube, count: int) -> None:
    """Play the kubelet until the namespace has so many ready pods of the deployment, each on a node."""
    for _ in range(500):
        pods = kube.get(PODS, labelSelector="app=orders")["items"]
        bound = [pod for pod in pods if pod["spec"].get("nodeName")]
        for pod in bound:
            conditions = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running"}
            kube.patch(f"{PODS}/{pod['metadata']['name']}/status", {"status": conditions})
        if len(pods) == len(bound) == count:
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


def bury(kube: Kube) -> None:
    """Play the kubelet: what is being deleted is gone."""
    for pod in kube.get(PODS)["items"]:
        if "deletionTimestamp" in pod["metadata"]:
            with contextlib.suppress(KubeRefused):
                kube.delete(f"{PODS}/{pod['metadata']['name']}", {"gracePeriodSeconds": 0})


def await_field(kube: Kube, path: str, wanted: Callable[[Any], bool]) -> Any:
    """The object at ``path`` once its controllers have made it as ``wanted``."""
    until = time.monotonic() + MADE_SECONDS
    while not wanted(found := kube.get(path)):
        assert time.monotonic() < until, found
        time.sleep(0.02)
    return found


def make_ready(kube: Kube, selector: str = "app=orders") -> None:
    """Play the kubelet once for all pods that are there and not ready; those that go meanwhile do not matter."""
    status = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running"}
    for pod in kube.get(PODS, labelSelector=selector)["items"]:
        if not is_ready(pod):
            with contextlib.suppress(KubeRefused):
                kube.patch(f"{PODS}/{pod['metadata']['name']}/status", {"status": status})


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions") or ()
    return "deletionTimestamp" not in pod["metadata"] and any(
        (each["type"], each["status"]) == ("Ready", "True") for each in conditions
    )


@contextmanager
def budget(kube: Kube, name: str = "orders", **spec: Any) -> Iterator[Callable[..., None]]:
    """A disruption budget over the deployment's pods, once its status is current. Gives what changes its spec."""
    budgets = f"/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets"

    def change(**spec: Any) -> None:
        kube.patch(f"{budgets}/{name}", {"spec": spec})

    spec.setdefault("selector", {"matchLabels": {"app": "orders"}})
    kube.post(budgets, {"metadata": {"name": name}, "spec": spec})
    try:
        await_field(kube, f"{budgets}/{name}", _is_current)
        yield change
    finally:
        kube.delete(f"{budgets}/{name}")


def _is_current(found: Any) -> bool:
    return bool((found.get("status") or {}).get("observedGeneration") == found["metadata"]["generation"])


@contextmanager
def least_ready(kube: Kube) -> Iterator[Callable[[], int]]:
    """Watch the deployment's pods. Gives the least number that was ready at any moment, up to the last event."""
    ended, ready, seen = threading.Event(), set(), []

    def watch() -> None:
        for kind, pod in kube.follow(PODS, ended, labelSelector="app=orders"):
            (ready.add if kind != "DELETED" and is_ready(pod) else ready.discard)(pod["metadata"]["uid"])
            seen.append((pod["metadata"]["uid"], len(ready)))

    def least() -> int:
        """Every pod that is ready now has been heard of."""
        now = {pod["metadata"]["uid"] for pod in kube.get(PODS, labelSelector="app=orders")["items"] if is_ready(pod)}
        for _ in range(500):
            if ready == now:
                break
            time.sleep(0.02)
        full = next(at for at, (_, count) in enumerate(seen) if count == total)
        return min(count for _, count in seen[full:])

    total = len(kube.get(PODS, labelSelector="app=orders")["items"])
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    for _ in range(500):
        if len(ready) == total:
            break
        time.sleep(0.02)
    try:
        yield least
    finally:
        ended.set()
        watcher.join()


@contextmanager
def settled_orders(kube: Kube) -> Iterator[Callable[[], None]]:
    """As ``orders``; its deployment has opted in and knows that all is well. Gives what makes it so again."""
    with orders(kube) as heal_to:
        kube.patch(ORDERS, {"metadata": {"labels": LABELS}})

        def settle() -> None:
            bury(kube)
            heal_to(4)
            await_field(kube, ORDERS, lambda item: not unready("Deployment", item))

        settle()
        yield settle


def patiently(work: Callable[[], Any]) -> Any:
    """What ``work`` gives; from the beginning again while a controller writes to the same object in between."""
    for _ in range(100):
        with contextlib.suppress(NotYet):
            return work()
        time.sleep(0.02)
    return work()

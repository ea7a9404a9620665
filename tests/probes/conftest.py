"""The lab's Kubernetes API server, one for all probes; the tests play the kubelet and the cloud."""

import json
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent))
import kube_server

from blackstart.changes.clients import Clients
from blackstart.clock import SystemClock, iso
from blackstart.observer import jsonl

ZONE = "topology.kubernetes.io/zone"


@dataclass
class Shop:
    """A namespace of its own, and the nodes that a test gives the cluster."""

    kube: object
    name: str
    nodes: list = field(default_factory=list)

    def at(self, resource, name="", group="/api/v1"):
        return f"{group}/namespaces/{self.name}/{resource}" + (f"/{name}" if name else "")

    def node(self, name, zone="", ready=True, labels=None, instance="", **spec):
        labels = {**({ZONE: zone} if zone else {}), **(labels or {})}
        provider = {"providerID": f"aws:///{zone}/{instance}"} if instance else {}
        self.kube.post("/api/v1/nodes", {"metadata": {"name": name, "labels": labels}, "spec": spec | provider})
        self.nodes.append(name)
        self.say(f"/api/v1/nodes/{name}", ready)
        while ready and any(each["key"].endswith("/not-ready") for each in self.taints(name)):
            SystemClock().sleep(0.01)  # the control plane takes away what it has put on a node that had not reported

    def taints(self, name):
        return self.kube.get(f"/api/v1/nodes/{name}")["spec"].get("taints") or ()

    def lose(self, name):
        self.kube.delete(f"/api/v1/nodes/{name}")
        self.nodes.remove(name)

    def pod(self, name, node="", ready=True, labels=None, **status):
        spec = {"containers": [{"name": "c", "image": "c:1"}], **({"nodeName": node} if node else {})}
        metadata = {"name": name, "labels": labels or {"app": "orders"}}
        self.kube.post(self.at("pods"), {"metadata": metadata, "spec": spec})
        self.say(self.at("pods", name), ready, **({"phase": "Running"} | status))

    def say(self, path, ready, **status):
        """What a kubelet says of its node or its pod, since just now."""
        since = iso(SystemClock().now())
        told = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": since}
        self.kube.patch(f"{path}/status", {"status": {"conditions": [told]} | status})

    def deployment(self, name="orders", replicas=0, spread=(), **spec):
        labels = {"app": name}
        template = {"containers": [{"name": "c", "image": "c:1"}], "topologySpreadConstraints": list(spread)} | spec
        body = {
            "metadata": {"name": name},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": template},
            },
        }
        self.kube.post(self.at("deployments", group="/apis/apps/v1"), body)


@pytest.fixture(scope="session")
def api(tmp_path_factory):
    with kube_server.running(tmp_path_factory.mktemp("kube")) as environ:
        clients = Clients(environ=environ)
        yield environ, clients.kube("shop"), count()
        clients.close()


@pytest.fixture
def shop(api, monkeypatch):
    environ, kube, numbers = api
    monkeypatch.setenv("KUBECONFIG", environ["KUBECONFIG"])
    name = f"shop-{next(numbers)}"
    kube.post("/api/v1/namespaces", {"metadata": {"name": name}})
    found = Shop(kube, name)
    yield found
    for node in list(found.nodes):
        found.lose(node)


@pytest.fixture
def drilled(tmp_path):
    """Gives the configuration of a drill whose fault began so many seconds ago and changed some targets."""

    def drill(ago=0.0, changes=(), objectives=None):
        origin = SystemClock().monotonic() - ago - 10
        tables = {"origin_monotonic": origin, "objectives": objectives or {}, "service": {}}
        (tmp_path / "drill.json").write_text(json.dumps(tables))
        for number, change in enumerate(changes or [{}]):
            record = {"kind": "test", "target": {"kind": "thing", "id": "x"}, "before": {}} | change
            lines = {"planned": {"record": record}, "applied": {"began": origin + 10}}
            for state, more in lines.items():
                line = {"change": f"c{number}", "state": state, "monotonic": origin + 10, **more}
                jsonl.append(tmp_path / "changes.jsonl", line)
        return {"blackstart_journal": str(tmp_path)}

    return drill


def seconds_ago(seconds):
    return iso(SystemClock().now() - timedelta(seconds=seconds))

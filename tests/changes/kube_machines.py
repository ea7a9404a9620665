"""Nodes of the lab's Kubernetes API whose instances are moto's."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kube_server import LABELS, as_nodes_say

from blackstart.changes.clients import Clients
from blackstart.changes.kube_nodes import Nodes, Which, find_nodes

TEAM = {"team": "machines"}
TAGS = [{"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in LABELS.items()]}]


@dataclass
class Machines:
    """``instances``: their ids by the names of their nodes."""

    clients: Clients
    instances: dict[str, str]

    def found(self, *names: str) -> Nodes:
        return find_nodes(self.clients, "shop-admin", Which(names=names, selector="team=machines"))

    def ready(self, name: str, ready: bool) -> None:
        self.clients.kube("shop").patch(f"/api/v1/nodes/{name}/status", as_nodes_say(ready))


@contextmanager
def machines(clients: Clients, count: int = 2, subnet: str = "") -> Iterator[Machines]:
    """So many ready nodes in us-east-1a, called ``machine-0`` and so on, as long as they are needed."""
    kube, ec2 = clients.kube("shop"), clients.aws("ec2", "us-east-1")
    where = {"SubnetId": subnet} if subnet else {"Placement": {"AvailabilityZone": "us-east-1a"}}
    made = ec2.run_instances(ImageId="ami-1", MinCount=count, MaxCount=count, TagSpecifications=TAGS, **where)
    found = Machines(clients, {f"machine-{n}": each["InstanceId"] for n, each in enumerate(made["Instances"])})
    zone = {"topology.kubernetes.io/zone": "us-east-1a", "topology.kubernetes.io/region": "us-east-1"}
    for name, instance in found.instances.items():
        spec = {"providerID": f"aws:///us-east-1a/{instance}"}
        kube.post("/api/v1/nodes", {"metadata": {"name": name, "labels": TEAM | zone | LABELS}, "spec": spec})
        found.ready(name, True)
    try:
        yield found
    finally:
        for name in found.instances:
            if kube.find(f"/api/v1/nodes/{name}"):
                kube.delete(f"/api/v1/nodes/{name}")

"""A cluster of Spot nodes between moto and the stand-in for Kubernetes; a plugin of the tests that name it."""

import json
from dataclasses import replace
from random import Random

import kube_server
import pytest
import spot_world
from spot_world import REGION, add_node, group_of, run_spot

from blackstart.changes.clients import Clients
from blackstart.changes.spot import spot_nodes_of_cluster
from blackstart.drill import RunningDrill


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with kube_server.running(tmp_path_factory.mktemp("kube")) as environ:
        clients = Clients(environ=environ)
        kube_server.furnish(clients.kube("shop"))
        spot_world.install_karpenter(clients.kube("shop"))
        clients.close()
        yield environ


@pytest.fixture
def calls():
    return []


@pytest.fixture
def both(clients, cluster, calls):
    """Clients of moto and of the cluster, to whom a recorder listens."""
    made = Clients(environ=cluster, record=calls.append)
    spot_world.clear(made.kube("shop"))
    calls.clear()
    yield made
    made.close()


@pytest.fixture
def spot_kube(both):
    return both.kube("shop")


@pytest.fixture
def nodes(both, spot_kube, vpc):
    """Four Spot nodes of a group and one that is on demand; the ids of the former."""
    spot, steady = run_spot(both, vpc, 4), run_spot(both, vpc, 1, spot=False)
    group_of(both, vpc, "spot", spot)
    for number, instance in enumerate(spot + steady):
        add_node(spot_kube, f"node-{number}", instance)
    return spot


@pytest.fixture
def found(both, nodes):
    return spot_nodes_of_cluster(both, REGION, "shop")


@pytest.fixture
def queue(both):
    return both.aws("sqs", REGION).create_queue(QueueName="interruptions")["QueueUrl"]


@pytest.fixture
def messages(both, queue):
    """Reads the queue empty: the events in it."""

    def read():
        answer = both.aws("sqs", REGION).receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]

    return read


@pytest.fixture
def drill(tmp_path, both, spot_kube, aws_gate):
    """A drill that runs, with a gate over moto and the cluster."""
    uid = spot_kube.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
    inside = {"clusters": ("shop",), "cluster_ids": {"shop": uid}, "namespaces": ("shop",)}
    gate = replace(
        aws_gate, scope=aws_gate.scope.model_copy(update=inside), reach=replace(aws_gate.reach, clients=both)
    )
    gate.reach.log.begin(gate.drill)
    return RunningDrill("drill-1", tmp_path, None, gate, None, Random(1), gate.reach.clock)

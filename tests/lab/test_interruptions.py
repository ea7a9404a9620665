"""The lab's node termination handler, between a real queue and the real stand-in for Kubernetes."""

import asyncio
import json
import sys
from pathlib import Path

import aiohttp
import pytest

sys.path.append(str(Path(__file__).parent.parent))
import kube_server
import moto_server

from blackstart.clock import SystemClock
from blackstart.lab.aws.clients import Clients
from blackstart.lab.cluster import Cluster
from blackstart.lab.interruptions import INTERRUPTION, TerminationHandler, evictable, lost_instance

REGION, QUEUE, INSTANCE = "us-east-1", "shop-interruptions", "i-0123456789abcdef0"
PODS, BUDGETS = "/api/v1/namespaces/shop/pods", "/apis/policy/v1/namespaces/shop/poddisruptionbudgets"


def event(kind=INTERRUPTION, instance=INSTANCE):
    return json.dumps({"detail-type": kind, "source": "aws.ec2", "detail": {"instance-id": instance}})


@pytest.mark.parametrize(
    "body", ["", "not JSON", "[]", "{}", event("EC2 Instance Rebalance Recommendation"), '{"detail-type": 1}']
)
def test_what_is_no_interruption_names_no_instance(body):
    assert lost_instance(body) == ""


def test_an_interruption_names_its_instance():
    assert lost_instance(event()) == INSTANCE


@pytest.fixture(scope="module")
def cluster_url(tmp_path_factory):
    with kube_server.running(tmp_path_factory.mktemp("kube")) as environ:
        config = json.loads(Path(environ["KUBECONFIG"]).read_text())
        yield config["clusters"][0]["cluster"]["server"]


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    with moto_server.running(tmp_path_factory.mktemp("moto")) as url:
        made = Clients(url)
        yield made
        made.close()


def pod(name, **more):
    spec = {"nodeName": "node-1", "containers": [{"name": "c", "image": "i"}], "terminationGracePeriodSeconds": 0}
    return {"metadata": {"name": name, "labels": {"app": name}, **more}, "spec": spec}


def test_daemons_stay_and_what_is_on_its_way_out_needs_no_push():
    daemon = pod("daemon", ownerReferences=[{"kind": "DaemonSet"}])
    plain, going = pod("plain"), pod("going", deletionTimestamp="2026-01-01T00:00:00Z")
    assert list(evictable([daemon, plain, going])) == [plain]


async def furnish(cluster):
    await cluster.create("/api/v1/namespaces", {"metadata": {"name": "shop"}})
    for name, instance in (("node-1", INSTANCE), ("node-2", "i-2")):
        spec = {"providerID": f"aws:///us-east-1a/{instance}"}
        await cluster.create("/api/v1/nodes", {"metadata": {"name": name}, "spec": spec})
    for each in (pod("plain"), pod("guarded")):
        await cluster.create(PODS, each)
        ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        await cluster.merge(f"{PODS}/{each['metadata']['name']}/status", {"status": ready})
    budget = {"minAvailable": 1, "selector": {"matchLabels": {"app": "guarded"}}}
    await cluster.create(BUDGETS, {"metadata": {"name": "guarded"}, "spec": budget})


async def left(cluster, wanted):
    """Wait until these pods are left that are not on their way out."""
    async with asyncio.timeout(20):
        while True:
            pods, _ = await cluster.list(PODS)
            there = {each["metadata"]["name"] for each in pods if "deletionTimestamp" not in each["metadata"]}
            if there == wanted:
                return
            await asyncio.sleep(0.05)


async def empty(sqs, url):
    """Wait until every message has been dealt with."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    async with asyncio.timeout(20):
        while True:
            if set(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()) == {"0"}:
                return
            await asyncio.sleep(0.05)


def test_a_node_that_will_be_interrupted_is_cordoned_and_drained(clients, cluster_url):
    sqs = clients("sqs", REGION)
    url = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]

    async def drain():
        async with aiohttp.ClientSession() as session:
            cluster = Cluster(session, cluster_url)
            await furnish(cluster)
            handler = asyncio.create_task(TerminationHandler(REGION, QUEUE, clients, cluster, SystemClock()).run())
            for body in ("nonsense", event(instance="i-unknown"), event()):
                sqs.send_message(QueueUrl=url, MessageBody=body)
            await left(cluster, {"guarded"})
            await cluster.delete(f"{BUDGETS}/guarded")
            await left(cluster, set())
            nodes, _ = await cluster.list("/api/v1/nodes")
            await empty(sqs, url)
            handler.cancel()
            await asyncio.gather(handler, return_exceptions=True)
            return {node["metadata"]["name"]: node["spec"].get("unschedulable", False) for node in nodes}

    assert asyncio.run(drain()) == {"node-1": True, "node-2": False}

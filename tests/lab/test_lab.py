"""The whole lab, as its users meet it: what the APIs hold is so."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lab_user import order, resolve, until, until_served

from blackstart.changes.clients import Clients
from blackstart.changes.kind import Ending
from blackstart.errors import LabError
from blackstart.lab import faults
from blackstart.lab.client import LabClient
from blackstart.lab.status import Status, environment

pytestmark = pytest.mark.lab
HOME, STANDBY = "us-east-1", "us-west-2"


@pytest.fixture
def aws(lab: Status) -> Callable[..., Any]:
    told = environment(lab)

    def client(service: str, region: str = HOME) -> Any:
        keys = {"aws_access_key_id": told["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": told["AWS_SECRET_ACCESS_KEY"]}
        return boto3.client(service, region_name=region, endpoint_url=told["AWS_ENDPOINT_URL"], **keys)

    return client


def kubectl(lab: Status, *arguments: str, region: str = HOME) -> str:
    command = ["kubectl", "--context", lab.endpoints.regions[region].context, *arguments]
    return subprocess.run(
        command, env=os.environ | environment(lab), check=True, capture_output=True, text=True, timeout=30
    ).stdout


def pods(lab: Status, region: str = HOME) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        kubectl(lab, "get", "pods", "-l", "app=orders", "-o", "json", region=region)
    )["items"]
    return found


def ready(lab: Status, region: str = HOME) -> set[str]:
    return {
        pod["metadata"]["name"]
        for pod in pods(lab, region)
        if any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", ()))
        and "deletionTimestamp" not in pod["metadata"]
    }


def pids(lab: Status) -> dict[str, int]:
    return {part.name: part.pid for part in LabClient(lab.endpoints.admin).status().parts}


def test_an_order_is_taken_at_home(lab: Status) -> None:
    answer = asyncio.run(order(lab, seconds=5))
    assert (answer.status, answer.region) == (201, HOME)


def test_the_edge_leads_to_the_same_service(lab: Status) -> None:
    assert resolve(lab, lab.endpoints.edge) == "127.0.0.10"
    assert resolve(lab) == lab.endpoints.regions[HOME].gateway.partition(":")[0]


def test_every_part_is_told_and_runs(lab: Status) -> None:
    parts = LabClient(lab.endpoints.admin).status().parts
    kinds = {part.kind for part in parts}
    assert {"postgres", "redis", "envoy", "dns", "aws", "kubernetes", "links", "automation", "orders"} <= kinds
    assert all(psutil.pid_exists(part.pid) for part in parts)
    states = {part.name: part.state for part in parts if part.kind == "postgres"}
    assert states == {
        f"postgres-{HOME}-1": "primary",
        f"postgres-{HOME}-2": "replica",
        f"postgres-{STANDBY}-1": "standby",
    }


def test_nodes_have_zones_and_capacity_types(lab: Status) -> None:
    nodes = json.loads(kubectl(lab, "get", "nodes", "-o", "json"))["items"]
    labels = [node["metadata"]["labels"] for node in nodes]
    assert [one["eks.amazonaws.com/capacityType"] for one in labels].count("SPOT") == 2
    assert {one["topology.kubernetes.io/zone"] for one in labels} == {f"{HOME}{letter}" for letter in "abc"}
    assert len(nodes) == 5


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
def test_a_deleted_pod_is_a_killed_process_and_is_replaced(lab: Status) -> None:
    victim = sorted(ready(lab))[0]
    pid = pids(lab)[victim]
    kubectl(lab, "delete", "pod", victim, "--wait=false")
    asyncio.run(until(lambda: not psutil.pid_exists(pid)))
    asyncio.run(until(lambda: len(ready(lab) - {victim}) == 6))


def test_a_zone_behind_a_deny_all_acl_is_out_of_reach_until_it_is_put_back(
    lab: Status, aws: Callable[..., Any]
) -> None:
    ec2, zone = aws("ec2"), f"{HOME}b"
    address = next(part.address for part in LabClient(lab.endpoints.admin).status().parts if in_zone(part, zone))
    assert asyncio.run(reaches(address))
    deny = acl(ec2)
    association, before = associated(ec2, zone)
    ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=deny)
    try:
        asyncio.run(until(lambda: not asyncio.run(reaches(address))))
        answers = [asyncio.run(order(lab, seconds=5)) for _ in range(6)]
        assert {answer.status for answer in answers} == {201}
        assert zone not in {answer.zone for answer in answers}
    finally:
        association, _ = associated(ec2, zone)
        ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=before)
        ec2.delete_network_acl(NetworkAclId=deny)
    asyncio.run(until(lambda: len(ready(lab)) == 6))
    asyncio.run(until(lambda: zone in {asyncio.run(order(lab)).zone for _ in range(6)}))


def test_a_terminated_instance_is_replaced_with_its_node_and_its_pods(lab: Status, aws: Callable[..., Any]) -> None:
    nodes = json.loads(kubectl(lab, "get", "nodes", "-o", "json"))["items"]
    victim = nodes[0]
    doomed = {pod["metadata"]["name"] for pod in pods(lab) if pod["spec"]["nodeName"] == victim["metadata"]["name"]}
    processes = [pid for name, pid in pids(lab).items() if name in doomed]
    aws("ec2").terminate_instances(InstanceIds=[victim["spec"]["providerID"].rpartition("/")[2]])
    asyncio.run(until(lambda: not any(psutil.pid_exists(pid) for pid in processes)))

    def replaced() -> bool:
        names = kubectl(lab, "get", "nodes", "-o", "name").split()
        return len(names) == 5 and f"node/{victim['metadata']['name']}" not in names and len(ready(lab)) == 6

    asyncio.run(until(replaced))


def test_an_inverted_health_check_moves_the_name(lab: Status, aws: Callable[..., Any]) -> None:
    route53 = aws("route53")
    check = route53.list_health_checks()["HealthChecks"][0]["Id"]
    home = resolve(lab)
    route53.update_health_check(HealthCheckId=check, Inverted=True)
    try:
        asyncio.run(until(lambda: resolve(lab) != home))
    finally:
        route53.update_health_check(HealthCheckId=check, Inverted=False)
    asyncio.run(until(lambda: resolve(lab) == home))
    asyncio.run(until_served(lab, HOME))


def test_a_scaled_node_group_brings_and_takes_nodes(lab: Status, aws: Callable[..., Any]) -> None:
    eks = aws("eks", STANDBY)

    def scale(size: int) -> None:
        eks.update_nodegroup_config(
            clusterName=f"shop-{STANDBY}", nodegroupName="spot", scalingConfig={"desiredSize": size}
        )

    def nodes() -> int:
        return len(kubectl(lab, "get", "nodes", "-o", "name", region=STANDBY).split())

    scale(2)
    asyncio.run(until(lambda: nodes() == 4))
    scale(0)
    asyncio.run(until(lambda: nodes() == 2))


def test_an_unknown_region_or_member_is_refused(lab: Status) -> None:
    client = LabClient(lab.endpoints.admin)
    with pytest.raises(Exception, match="no region mars-1"):
        client.set("mars-1", {"control_plane": False})
    with pytest.raises(Exception, match="Extra inputs"):
        client.set(HOME, {"everything": False})


@pytest.mark.parametrize("kind", [faults.ControlPlane(), faults.DataStores()], ids=lambda kind: kind.name)
def test_a_lab_fault_is_in_force_when_applied_and_gone_when_undone(
    lab: Status, kind: faults.ControlPlane | faults.DataStores
) -> None:
    clients = Clients(environ={})
    found = faults.find_region({"BLACKSTART_LAB": lab.endpoints.admin}, STANDBY)
    plan = faults.plan_data_stores if kind.name == "lab.data_stores" else faults.plan_control_plane
    change = plan(found, "bs-000000000001")
    assert kind.undo([change], clients)[change.id].ending is Ending.UNTOUCHED
    kind.apply([change], clients)
    try:
        assert kind.verify([change], clients)[change.id].ending is Ending.PENDING
        assert suffers(lab, kind.name)
    finally:
        assert kind.undo([change], clients)[change.id].ending is Ending.RESTORED
    assert kind.undo([change], clients)[change.id].ending is Ending.UNTOUCHED
    assert kind.verify([change], clients)[change.id].ending is Ending.UNTOUCHED
    asyncio.run(until(lambda: not suffers(lab, kind.name)))


def test_outside_a_lab_its_faults_are_refused() -> None:
    with pytest.raises(LabError, match="BLACKSTART_LAB is not set"):
        faults.find_region({}, HOME)


def suffers(lab: Status, kind: str) -> bool:
    """Whether the standby region is as ``kind`` leaves it."""
    if kind == "lab.data_stores":
        parts = LabClient(lab.endpoints.admin).status().parts
        return {part.state for part in parts if part.kind == "postgres"} == {"primary", "replica", "down"}
    try:
        kubectl(lab, "get", "nodes", "--request-timeout=2s", region=STANDBY)
    except subprocess.CalledProcessError:
        return True
    return False


def in_zone(part: Any, zone: str) -> bool:
    return bool(part.kind == "orders" and part.zone == zone)


async def reaches(address: str) -> bool:
    host, _, port = address.partition(":")
    with suppress(TimeoutError, OSError):
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")
                return await reader.read(12) == b"HTTP/1.1 200"
            finally:
                writer.close()
    return False


def acl(ec2: Any) -> str:
    vpc = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["shop"]}])["Vpcs"][0]["VpcId"]
    return str(ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"])


def associated(ec2: Any, zone: str) -> tuple[str, str]:
    """The association of the zone's subnet, and the network ACL that it leads to."""
    named = [{"Name": "tag:Name", "Values": [f"shop-{zone}"]}]
    subnet = ec2.describe_subnets(Filters=named)["Subnets"][0]["SubnetId"]
    for found in ec2.describe_network_acls()["NetworkAcls"]:
        for association in found["Associations"]:
            if association["SubnetId"] == subnet:
                return association["NetworkAclAssociationId"], found["NetworkAclId"]
    raise AssertionError(f"{subnet} has no network ACL")

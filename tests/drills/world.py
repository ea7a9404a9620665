"""What a lab's APIs hold, for comparing before with after. What legitimately moves is left out, and named here:

- pods and their names: a killed pod is replaced by another one; their number by zone may move, their sum may not;
- times, resource versions, heartbeats;
- association ids of network ACLs, which the service makes anew at each swap.
"""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import yaml

REGIONS = ("us-east-1", "us-west-2")


def dump(environ: dict[str, str]) -> dict[str, Any]:
    """Everything that a drill of this suite could change."""
    found: dict[str, Any] = {}
    for region in REGIONS:
        found[region] = {"aws": _aws(environ, region), "kubernetes": _kubernetes(environ, region)}
    return found


def settled(environ: dict[str, str], expected: dict[str, Any], seconds: float = 40) -> dict[str, Any]:
    """The dump, as soon as it equals ``expected``; the last one if it never does."""
    deadline = time.monotonic() + seconds
    while (now := dump(environ)) != expected and time.monotonic() < deadline:
        time.sleep(0.5)
    return now


def quiet(environ: dict[str, str], nodes: int, seconds: float = 60) -> None:
    """Return when the home region has ``nodes`` ready nodes and nothing has moved for 3 s."""
    deadline = time.monotonic() + seconds
    while True:
        first = dump(environ)
        time.sleep(3)
        ready = [is_ready for _, is_ready in first[REGIONS[0]]["kubernetes"]["nodes"].values()]
        if first == dump(environ) and ready == [True] * nodes:
            return
        assert time.monotonic() < deadline, "the lab does not come to rest"


def _client(environ: dict[str, str], service: str, region: str) -> Any:
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=environ["AWS_ENDPOINT_URL"],
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
    )


def _aws(environ: dict[str, str], region: str) -> dict[str, Any]:
    ec2 = _client(environ, "ec2", region)
    acls = ec2.describe_network_acls()["NetworkAcls"]
    groups = _client(environ, "autoscaling", region).describe_auto_scaling_groups()["AutoScalingGroups"]
    instances = [one for each in ec2.describe_instances()["Reservations"] for one in each["Instances"]]
    checks = _client(environ, "route53", "us-east-1").list_health_checks()["HealthChecks"]
    return {
        "acls": {acl["NetworkAclId"]: (acl["Entries"], acl["Tags"]) for acl in acls},
        "guards": {one["SubnetId"]: acl["NetworkAclId"] for acl in acls for one in acl["Associations"]},
        "groups": {
            group["AutoScalingGroupName"]: (
                sorted(group["VPCZoneIdentifier"].split(",")),
                sorted(process["ProcessName"] for process in group["SuspendedProcesses"]),
                group["DesiredCapacity"],
            )
            for group in groups
        },
        "instances": {one["InstanceId"]: one["State"]["Name"] for one in instances},
        "inverted": {check["Id"]: check["HealthCheckConfig"].get("Inverted", False) for check in checks},
    }


def _kubernetes(environ: dict[str, str], region: str) -> dict[str, Any]:
    config = yaml.safe_load(Path(environ["KUBECONFIG"]).read_text())
    servers = {each["name"]: each["cluster"]["server"] for each in config["clusters"]}

    def items(path: str) -> list[Any]:
        with urllib.request.urlopen(f"{servers[f'shop-{region}']}{path}", timeout=30) as answer:
            return json.load(answer)["items"]

    nodes = {node["metadata"]["name"]: node for node in items("/api/v1/nodes")}
    return {
        "deployments": {
            each["metadata"]["name"]: (each["spec"], each["status"].get("readyReplicas", 0))
            for each in items("/apis/apps/v1/deployments")
        },
        "nodes": {name: (_filled(node["spec"]), _ready(node)) for name, node in nodes.items()},
    }


def _filled(spec: dict[str, Any]) -> dict[str, Any]:
    """Without empty fields: no taints and an empty list of taints are the same."""
    return {key: value for key, value in spec.items() if value}


def _ready(thing: dict[str, Any]) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in thing["status"]["conditions"])

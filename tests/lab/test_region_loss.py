"""The primary region is lost, for real: the automation fails over, and nothing comes back as a second writer."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lab_user import Answer, order, resolve, until, until_served

from blackstart.clock import SystemClock
from blackstart.lab import launch
from blackstart.lab.client import LabClient
from blackstart.lab.status import Status, environment

pytestmark = [pytest.mark.lab, pytest.mark.sweep, pytest.mark.timeout(300)]
HOME, STANDBY = "us-east-1", "us-west-2"


@pytest.fixture(scope="module")
def doomed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Status]:
    """A lab whose regions are half a second apart, and which nobody else uses."""
    config = tmp_path_factory.mktemp("config") / "lab.toml"
    config.write_text("wan_delay_seconds = 0.5\n")
    started = launch.launch(f"doomed-{os.getpid()}", config, lambda words: None, stays=False)
    try:
        yield started.status
    finally:
        started.end(SystemClock())


def client(lab: Status, service: str, region: str) -> Any:
    told = environment(lab)
    keys = {"aws_access_key_id": told["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": told["AWS_SECRET_ACCESS_KEY"]}
    return boto3.client(service, region_name=region, endpoint_url=told["AWS_ENDPOINT_URL"], **keys)


def behind(lab: Status, region: str, acl: str) -> None:
    """Put every subnet of ``region`` behind network ACL ``acl``; "": the default one."""
    ec2 = client(lab, "ec2", region)
    acls = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc(ec2)]}])["NetworkAcls"]
    target = acl or next(found["NetworkAclId"] for found in acls if found["IsDefault"])
    for found in acls:
        for association in found["Associations"]:
            ec2.replace_network_acl_association(
                AssociationId=association["NetworkAclAssociationId"], NetworkAclId=target
            )


def vpc(ec2: Any) -> str:
    return str(ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["shop"]}])["Vpcs"][0]["VpcId"])


def roles(lab: Status) -> dict[str, str]:
    parts = LabClient(lab.endpoints.admin).status().parts
    return {f"{part.kind} {part.region}": part.state for part in parts if part.state in ("primary", "standby")}


def keys_in(lab: Status, region: str) -> set[str]:
    with psycopg.connect(lab.endpoints.regions[region].database) as connection:
        return {row[0] for row in connection.execute("SELECT key FROM orders").fetchall()}


async def orders_for(lab: Status, seconds: float, prefix: str) -> set[str]:
    """Post orders one after the other; the keys that were acknowledged."""
    done: set[str] = set()
    began = time.monotonic()
    number = 0
    while time.monotonic() - began < seconds:
        key = f"{prefix}-{number}"
        number += 1
        answer: Answer = await order(lab, key=key)
        if answer.status == 201:
            done.add(key)
    return done


def test_the_standby_region_takes_over_and_the_lost_one_comes_back_as_standby(doomed: Status) -> None:
    lab = LabClient(doomed.endpoints.admin)
    ec2 = client(doomed, "ec2", HOME)
    deny = ec2.create_network_acl(VpcId=vpc(ec2))["NetworkAcl"]["NetworkAclId"]
    acknowledged = asyncio.run(orders_for(doomed, 3, "before"))

    lab.set(HOME, {"data_stores": False})
    behind(doomed, HOME, deny)
    lab.set(HOME, {"control_plane": False})
    took = asyncio.run(until_served(doomed, STANDBY, seconds=60))
    assert took < 20
    assert resolve(doomed) == doomed.endpoints.regions[STANDBY].gateway.partition(":")[0]

    lost = acknowledged - keys_in(doomed, STANDBY)
    assert lost, "half a second of acknowledged orders never crossed the ocean"
    assert lost < acknowledged

    lab.set(HOME, {"control_plane": True, "data_stores": True})
    behind(doomed, HOME, "")
    expected = {"postgres us-east-1": "standby", "redis us-east-1": "standby"}
    expected |= {"postgres us-west-2": "primary", "redis us-west-2": "primary"}
    asyncio.run(until(lambda: roles(doomed) == expected))
    asyncio.run(until(lambda: keys_in(doomed, HOME) == keys_in(doomed, STANDBY)))
    assert not lost & keys_in(doomed, HOME), "what was lost does not come back beside the new history"
    assert asyncio.run(order(doomed, seconds=5)).region == STANDBY


def test_failing_back_makes_home_the_only_writer_again(doomed: Status) -> None:
    client(doomed, "rds", HOME).failover_global_cluster(
        GlobalClusterIdentifier="shop",
        TargetDbClusterIdentifier=f"arn:aws:rds:{HOME}:123456789012:cluster:shop-{HOME}",
        AllowDataLoss=True,
    )
    asyncio.run(until_served(doomed, HOME, seconds=60))
    asyncio.run(until(lambda: roles(doomed).get("postgres us-west-2") == "standby"))
    assert roles(doomed)["postgres us-east-1"] == "primary"

"""What AWS says of the standby region: room for more nodes, and a database that can take over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from blackstart.changes.database_backups import AVAILABLE, describe, pages
from blackstart.errors import NotMeasured
from blackstart.probes import _restored
from blackstart.probes._capacity import Check, instance_size, share

VCPU_QUOTA = "L-1216C47A"
"""Running on-demand instances of the standard families, in vCPUs."""
STANDARD = "acdhimrtz"
SERVERLESS = "db.serverless"


@dataclass(frozen=True)
class Growth:
    """``nodes``: by how many the node groups of a cluster may still grow; ``groups``: their names."""

    nodes: int
    groups: tuple[str, ...]


def growth(region: str, cluster: str) -> Growth:
    """Of the managed node groups of an EKS cluster."""
    nodes, names = 0, []
    with _restored.aws("eks", region, "read node groups") as eks:
        for page in eks.get_paginator("list_nodegroups").paginate(clusterName=cluster):
            for name in page["nodegroups"]:
                sizes = eks.describe_nodegroup(clusterName=cluster, nodegroupName=name)["nodegroup"]["scalingConfig"]
                nodes += max(0, sizes["maxSize"] - sizes["desiredSize"])
                names.append(name)
    return Growth(nodes, tuple(names))


def vcpus(region: str, wanted: float) -> Check:
    """Whether the account may start so many more vCPUs in ``region``; NotMeasured if AWS does not tell its quota."""
    from botocore.exceptions import BotoCoreError, ClientError

    with _restored.aws("service-quotas", region, "read quotas") as quotas:
        try:
            limit = float(quotas.get_service_quota(ServiceCode="ec2", QuotaCode=VCPU_QUOTA)["Quota"]["Value"])
        except (BotoCoreError, ClientError) as error:
            raise NotMeasured(f"the vCPU quota of {region}", f"Service Quotas answered: {error}") from error
    with _restored.aws("ec2", region, "count running vCPUs") as ec2:
        used = sum(map(_vcpus, _running(ec2)))
    left = limit - used
    problem = f"{wanted:g} more vCPUs are needed in {region}, and the quota has {left:g} of {limit:g} left"
    return Check("vCPU quota", share(left, wanted), problem)


def _running(ec2: Any) -> Iterator[Mapping[str, Any]]:
    filters = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    for page in ec2.get_paginator("describe_instances").paginate(Filters=filters):
        for reservation in page["Reservations"]:
            yield from reservation["Instances"]


def _vcpus(instance: Mapping[str, Any]) -> float:
    """Spot instances and other families have quotas of their own."""
    if instance.get("InstanceLifecycle") or str(instance["InstanceType"])[0] not in STANDARD:
        return 0.0
    options = instance.get("CpuOptions") or {}
    return float(options.get("CoreCount", 0)) * float(options.get("ThreadsPerCore", 1))


@dataclass(frozen=True)
class Database:
    """One cluster: the classes of its available instances by name, the writer's among them first; its ACU ceiling."""

    name: str
    region: str
    classes: tuple[str, ...]
    ceiling: float

    @classmethod
    def found(cls, region: str, name: str) -> Database:
        """NotMeasured if there is no such cluster."""
        with _restored.aws("rds", region, "look at the database") as rds:
            described = describe(rds, name)
            if described is None:
                raise NotMeasured("the standby database", f"{region} has no database cluster {name}")
            filters = [{"Name": "db-cluster-id", "Values": [name]}]
            instances = list(pages(rds, "describe_db_instances", "DBInstances", Filters=filters))
        writers = {each["DBInstanceIdentifier"] for each in described["DBClusterMembers"] if each["IsClusterWriter"]}
        able = [each for each in instances if each["DBInstanceStatus"] == AVAILABLE]
        able.sort(key=lambda each: each["DBInstanceIdentifier"] not in writers)
        limits = described.get("ServerlessV2ScalingConfiguration") or {}
        classes = tuple(str(each["DBInstanceClass"]) for each in able)
        return cls(name, region, classes, float(limits.get("MaxCapacity") or 0.0))


def databases(home: Database, standby: Database) -> Iterable[Check]:
    """Whether ``standby`` can take what ``home`` carries. Pure; NotMeasured where the two cannot be compared."""
    if not standby.classes:
        yield Check("database", 0.0, f"database cluster {standby.name} has no instance that is available")
        return
    if not home.classes:
        raise NotMeasured("the standby database", f"{home.name} has no instance that is available to compare it with")
    mine, theirs = standby.classes[0], home.classes[0]
    if (mine == SERVERLESS) != (theirs == SERVERLESS):
        raise NotMeasured("the standby database", f"{mine} of {standby.name} cannot be compared with {theirs}")
    if mine == SERVERLESS:
        told = f"database cluster {standby.name} may grow to {standby.ceiling:g} ACU, {home.name} to {home.ceiling:g}"
        yield Check("database", share(standby.ceiling, home.ceiling), told)
    elif mine != theirs:
        told = f"database cluster {standby.name} has {mine}, {home.name} has {theirs}"
        yield Check("database", share(instance_size(mine), instance_size(theirs)), told)
    else:
        yield Check("database", 1.0)

"""What there is to restore a database cluster from, and what a cluster that is restored should be like. Read-only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from blackstart.changes.clients import Clients
from blackstart.changes.model import Json
from blackstart.clock import iso
from blackstart.errors import Refused

AVAILABLE = "available"
TYPES: tuple[Mapping[str, str], ...] = ({}, {"SnapshotType": "awsbackup"})
"""Automated and manual snapshots come without asking for a type, those of AWS Backup do not."""
PERMISSIONS = ("rds:DescribeDBClusters", "rds:DescribeDBInstances", "rds:DescribeDBClusterSnapshots")


@dataclass(frozen=True)
class Snapshot:
    """One snapshot of a cluster that is available. ``taken``: the moment it holds, in UTC."""

    id: str
    arn: str
    at: datetime

    @property
    def taken(self) -> str:
        return iso(self.at)


@dataclass(frozen=True)
class Source:
    """A database cluster with its newest backups. ``restorable``: the latest time that it can be restored to, "" if it
    keeps no automated backups. ``shape``: what a cluster needs that is to be like it."""

    id: str
    arn: str
    account: str
    region: str
    tags: Mapping[str, str]
    snapshot: Snapshot | None
    restorable: str
    shape: Mapping[str, Json] = field(default_factory=dict)


def find_source(clients: Clients, region: str, cluster: str) -> Source:
    """The cluster ``cluster`` of ``region``; Refused if it is not there, or has no instance to be like."""
    subject = f"restoring database cluster {cluster}"
    rds = clients.aws("rds", region)
    described = describe(rds, cluster)
    if described is None:
        raise Refused(subject, f"there is no such cluster in {region}")
    instances = pages(
        rds, "describe_db_instances", "DBInstances", Filters=[{"Name": "db-cluster-id", "Values": [cluster]}]
    )
    classes = {item["DBInstanceIdentifier"]: str(item["DBInstanceClass"]) for item in instances}
    writers = [item["DBInstanceIdentifier"] for item in described["DBClusterMembers"] if item["IsClusterWriter"]]
    known = [classes[name] for name in (*writers, *sorted(classes)) if name in classes]
    if not known:
        raise Refused(subject, "it has no instance, so which class a restored one needs is not known")
    return Source(
        id=str(described["DBClusterIdentifier"]),
        arn=str(described["DBClusterArn"]),
        account=clients.account(),
        region=region,
        tags={tag["Key"]: tag["Value"] for tag in described.get("TagList", [])},
        snapshot=newest_snapshot(rds, cluster),
        restorable=_restorable(described),
        shape=_shape(described, known[0]),
    )


def describe(rds: Any, cluster: str) -> Mapping[str, Any] | None:
    """The cluster as RDS describes it, None if there is none."""
    try:
        found: Mapping[str, Any] = rds.describe_db_clusters(DBClusterIdentifier=cluster)["DBClusters"][0]
    except rds.exceptions.DBClusterNotFoundFault:
        return None
    return found


def newest_snapshot(rds: Any, cluster: str) -> Snapshot | None:
    """The newest snapshot of ``cluster`` that is available, whoever took it."""
    found = [
        Snapshot(item["DBClusterSnapshotIdentifier"], item["DBClusterSnapshotArn"], item["SnapshotCreateTime"])
        for kind in TYPES
        for item in pages(
            rds, "describe_db_cluster_snapshots", "DBClusterSnapshots", DBClusterIdentifier=cluster, **kind
        )
        if item["Status"] == AVAILABLE and "SnapshotCreateTime" in item
    ]
    return max(found, key=lambda each: each.at, default=None)


def pages(rds: Any, operation: str, key: str, **query: Any) -> Iterator[Mapping[str, Any]]:
    for page in rds.get_paginator(operation).paginate(**query):
        yield from page[key]


def _restorable(described: Mapping[str, Any]) -> str:
    at = described.get("LatestRestorableTime")
    return iso(at) if at and int(described.get("BackupRetentionPeriod") or 0) > 0 else ""


def _shape(described: Mapping[str, Any], instance_class: str) -> dict[str, Json]:
    """Without these, AWS would put it into the default network, open to other people than its source."""
    limits = described.get("ServerlessV2ScalingConfiguration") or {}
    scaling = {name: limits[name] for name in ("MinCapacity", "MaxCapacity") if name in limits}
    groups = described.get("VpcSecurityGroups") or ()
    parameters = str(described.get("DBClusterParameterGroup") or "")
    return {
        "engine": str(described["Engine"]),
        "class": instance_class,
        "subgrp": str(described.get("DBSubnetGroup") or ""),
        "security groups": sorted(str(group["VpcSecurityGroupId"]) for group in groups),
        "cluster-pg": "" if parameters.startswith("default.") else parameters,
        "scaling": scaling,
    }

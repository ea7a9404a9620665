"""What the AWS API holds of the servers inside database clusters and replication groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from blackstart.errors import LabError
from blackstart.lab.aws.clients import Clients
from blackstart.lab.aws.plan import SeedPlan

_REBOOTING, _RESTARTED = "rebooting", "restarted"  # status of an instance, and a word in the events after
_SOURCES = {"rds": "db-instance", "elasticache": "cache-cluster"}
_MINUTES = 60


def read_writer(clients: Clients, plan: SeedPlan, region: str) -> str:
    """The instance that leads the database cluster of a region."""
    name = plan.regional(region)
    (cluster,) = clients("rds", region).describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
    members = sorted(cluster["DBClusterMembers"], key=lambda member: not member["IsClusterWriter"])
    if not members:
        raise LabError(f"find the writer of database cluster {name}", "it has no instances")
    return str(members[0]["DBInstanceIdentifier"])


def read_primary_node(clients: Clients, plan: SeedPlan, region: str) -> str:
    """The node that leads the replication group of a region."""
    name = plan.regional(region)
    answer = clients("elasticache", region).describe_replication_groups(ReplicationGroupId=name)
    for shard in answer["ReplicationGroups"][0]["NodeGroups"]:
        for node in shard["NodeGroupMembers"]:
            if node["CurrentRole"] == "primary":
                return str(node["CacheClusterId"])
    raise LabError(f"find the primary of replication group {name}", "no node of it is the primary")


def read_restarts(clients: Clients, plan: SeedPlan, service: str) -> frozenset[tuple[str, str]]:
    """Servers of ``service`` that were told to restart in the last hour, and when. LabError while one still begins."""
    found = set()
    for region in plan.regions:
        client = clients(service, region.name)
        if service == "rds":
            _all_begun(client.describe_db_instances()["DBInstances"])
        for event in client.describe_events(SourceType=_SOURCES[service], Duration=_MINUTES)["Events"]:
            if _RESTARTED in event["Message"]:
                found.add((event["SourceIdentifier"], event["Date"].isoformat()))
    return frozenset(found)


def _all_begun(instances: Iterable[Mapping[str, Any]]) -> None:
    """RDS notes a restart when it has begun, a moment after it was told to."""
    for instance in instances:
        if instance["DBInstanceStatus"] == _REBOOTING:
            raise LabError("see a restart", f"{instance['DBInstanceIdentifier']} has not begun it yet")

"""Nodes of ElastiCache's replication groups, which moto knows by name only: described, rebooted, told of.

A reboot is over when the node has been described once more, so that whoever looks sees it go on.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.elasticache.exceptions import CacheClusterNotFound, ElastiCacheException
from moto.elasticache.responses import ElastiCacheResponse

AVAILABLE, REBOOTING = "available", "rebooting cluster nodes"
SOURCE, PART = "cache-cluster", "0001"


class CacheNodes(ElastiCacheResponse):
    """ElastiCache whose replication groups have nodes that can be asked for and rebooted."""

    def describe_cache_clusters(self) -> ActionResult:
        name = self._get_param("CacheClusterId")
        found = self._node(name) if name else None
        if found is None:
            return super().describe_cache_clusters()
        group, node = found
        status = node.pop("status", AVAILABLE)
        described = {
            "CacheClusterId": name,
            "CacheClusterStatus": status,
            "ReplicationGroupId": group.replication_group_id,
            "Engine": group.engine,
            "NumCacheNodes": 1,
            "PreferredAvailabilityZone": node["preferred_availability_zone"],
            "CacheNodes": [{"CacheNodeId": PART, "CacheNodeStatus": status}],
        }
        return ActionResult({"CacheClusters": [described]})

    def reboot_cache_cluster(self) -> ActionResult:
        name = self._get_param("CacheClusterId")
        found = self._node(name)
        if found is None:
            raise CacheClusterNotFound(name)
        group, node = found
        if group.cluster_enabled or node.get("status", AVAILABLE) != AVAILABLE:
            raise ElastiCacheException("InvalidCacheClusterState", f"{name} cannot be rebooted now.")
        node["status"] = REBOOTING
        for part in self._get_param("CacheNodeIdsToReboot") or []:
            for happened in ("shutdown", "restarted"):
                self._told().append({**_event(name), "Message": f"Cache node {part} {happened}"})
        return ActionResult({"CacheCluster": {"CacheClusterId": name, "CacheClusterStatus": REBOOTING}})

    def describe_events(self) -> ActionResult:
        name, start = self._get_param("SourceIdentifier"), self._get_param("StartTime")
        found = [each for each in self._told() if name in (None, each["SourceIdentifier"])]
        if start:
            found = [each for each in found if each["Date"] >= _moment(start)]
        return ActionResult({"Events": found})

    def _node(self, name: str) -> tuple[Any, dict[str, Any]] | None:
        for group in self.elasticache_backend.replication_groups.values():
            for shard in group.node_groups:
                for node in shard["node_group_members"]:
                    if node["cache_cluster_id"] == name:
                        return group, node
        return None

    def _told(self) -> list[dict[str, Any]]:
        backend: Any = self.elasticache_backend
        if not hasattr(backend, "told"):
            backend.told = []
        told: list[dict[str, Any]] = backend.told
        return told


def _event(name: str) -> dict[str, Any]:
    return {"SourceIdentifier": name, "SourceType": SOURCE, "Date": utcnow()}


def _moment(said: str | datetime) -> datetime:
    """In UTC without a zone, as moto keeps time."""
    found = said if isinstance(said, datetime) else datetime.fromisoformat(said)
    return found.replace(tzinfo=None)

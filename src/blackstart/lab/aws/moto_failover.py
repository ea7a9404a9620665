"""TestFailover of ElastiCache, which moto does not have: the first replica of a shard becomes its primary."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.elasticache.exceptions import ElastiCacheException, ReplicationGroupNotFound
from moto.elasticache.responses import ElastiCacheResponse

PRIMARY, REPLICA = "primary", "replica"
A_DAY = 15


class Failovers(ElastiCacheResponse):
    """ElastiCache whose shards fail over when they are told to, as often as AWS allows in a day, and at once."""

    def test_failover(self) -> ActionResult:
        name, shard_id = self._get_param("ReplicationGroupId"), self._get_param("NodeGroupId")
        backend = self.elasticache_backend
        group = backend.replication_groups.get(name)
        if group is None:
            raise ReplicationGroupNotFound(name)
        members = _members(group, shard_id)
        replicas = [member for member in members if member["current_role"] == REPLICA]
        if group.automatic_failover != "enabled" or not replicas:
            raise ElastiCacheException("InvalidReplicationGroupState", f"{name} does not fail over.")
        done = getattr(backend, "failed_over", 0)
        if done >= A_DAY:
            raise ElastiCacheException("APICallRateForCustomerExceeded", f"{done} shards were failed over today.")
        backend.failed_over = done + 1  # type: ignore[attr-defined]
        for member in members:
            member["current_role"] = PRIMARY if member is replicas[0] else REPLICA
        return ActionResult({"ReplicationGroup": group})


def _members(group: Any, shard_id: str) -> list[dict[str, Any]]:
    for shard in group.node_groups:
        if shard["node_group_id"] == shard_id:
            return [member for member in shard["node_group_members"] if "current_role" in member]
    raise ElastiCacheException("NodeGroupNotFoundFault", f"{group.replication_group_id} has no shard {shard_id}.")

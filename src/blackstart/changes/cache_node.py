"""Rebooting one node of an ElastiCache replication group: what it held in memory is gone until it has copied it again.

AWS starts the node again by itself, so undo waits until it is available. Whether a reboot came about, AWS's own events
of the node tell, from the moment at which the change was planned by AWS's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar

from blackstart.access import Aws, Need, arn, everything
from blackstart.changes.clients import Clients
from blackstart.changes.healed import Healed
from blackstart.changes.kind import Ending, Outcome
from blackstart.changes.model import Change, Share, new_id
from blackstart.clock import iso
from blackstart.errors import NotYet, Refused, TargetChanged
from blackstart.scope import Target

AVAILABLE, REBOOTING = "available", "rebooting cluster nodes"
GROUP, PARTS, SINCE = "group", "parts", "since"
NODES, EVENTS = "elasticache:DescribeCacheClusters", "elasticache:DescribeEvents"
REBOOT = "elasticache:RebootCacheCluster"
TOLD = ("shutdown", "restarted")
"""How the messages of AWS's events end that tell of a reboot."""
PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class CacheNode:
    """One node, as found at ``since`` (ISO 8601, AWS's clock). ``parts``: the ids of what reboots in it.

    ``beside``: the other nodes of its shard. ``role``: "" where AWS does not tell, as in cluster mode.
    """

    id: str
    account: str
    region: str
    group: str
    shard: str
    zone: str
    role: str
    beside: tuple[str, ...]
    parts: tuple[str, ...]
    cluster_mode: bool
    since: str
    tags: Mapping[str, str]


def find_cache_node(clients: Clients, region: str, name: str) -> CacheNode:
    """The node ``name`` ("shop-us-east-1-002"). Read-only.

    Refused if there is none, or it is in no replication group.
    """
    cache = clients.aws("elasticache", region)
    described, at = _described(cache, name)
    if described is None:
        raise Refused(_subject(name), f"there is no such node in {region}")
    group_name = described.get("ReplicationGroupId", "")
    if not group_name:
        raise Refused(_subject(name), "it is in no replication group, so nothing takes over from it")
    group = cache.describe_replication_groups(ReplicationGroupId=group_name)["ReplicationGroups"][0]
    shard = next(shard for shard in group["NodeGroups"] if name in _names(shard))
    node = next(node for node in shard["NodeGroupMembers"] if node["CacheClusterId"] == name)
    tags = cache.list_tags_for_resource(ResourceName=group["ARN"])["TagList"]
    return CacheNode(
        id=name,
        account=group["ARN"].split(":")[4],
        region=region,
        group=group_name,
        shard=shard["NodeGroupId"],
        zone=node.get("PreferredAvailabilityZone", ""),
        role=node.get("CurrentRole", ""),
        beside=tuple(each for each in _names(shard) if each != name),
        parts=tuple(part["CacheNodeId"] for part in described.get("CacheNodes", ())),
        cluster_mode=bool(group.get("ClusterEnabled")),
        since=iso(at),
        tags={tag["Key"]: tag["Value"] for tag in tags},
    )


def _names(shard: Mapping[str, Any]) -> list[str]:
    return [node["CacheClusterId"] for node in shard["NodeGroupMembers"]]


def _subject(name: str) -> str:
    return f"rebooting cache node {name}"


def plan_node_reboot(
    found: CacheNode, *, only_node: bool = False, step: int = 0, new_change: Callable[[], str] = new_id
) -> list[Change]:
    """The node reboots. Refused for the only one of its shard unless ``only_node``, and in cluster mode. Pure."""
    if found.cluster_mode:
        raise Refused(_subject(found.id), "AWS reboots no nodes of caches in cluster mode")
    if not found.beside and not only_node:
        problem = f"it is the only node of {found.group}, and all that it holds would be gone"
        raise Refused(_subject(found.id), f"{problem}; say only_node if that is meant")
    state = {GROUP: found.group, PARTS: list(found.parts), SINCE: found.since}
    role = f"{found.role or 'node'} of {found.group}, {found.zone}"
    return [
        Change(
            id=new_change(),
            kind=NodeReboot.name,
            target=Target("cache node", found.id, account=found.account, region=found.region, tags=dict(found.tags)),
            before=state,
            after=state,
            summary=f"cache node {found.id} ({role}): rebooted",
            undo_summary="nobody: AWS starts it again, and it copies its primary; waits until it is available",
            calls=(REBOOT,),
            step=step,
            share=Share("cache node", f"cache {found.group}/{found.shard}", (found.id,), len(found.beside) + 1),
        )
    ]


class NodeReboot(Healed):
    """A node that is rebooted. It is healed when it is available."""

    name: ClassVar[str] = "elasticache.node_reboot"
    permissions: ClassVar[tuple[str, ...]] = (NODES, EVENTS, REBOOT)
    look_size: ClassVar[int] = 1

    def needs(self, change: Change) -> Sequence[Need]:
        target = change.target
        node = arn("elasticache", target.region, target.account, f"cluster:{target.id}")
        return everything(self.permissions, target.region, [Aws(REBOOT, (node,))])

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        for change in changes:
            cache, name = clients.aws("elasticache", change.target.region), change.target.id
            described, _ = _described(cache, name)
            if described is None:
                raise TargetChanged(str(change.target), "it is gone")
            status = described["CacheClusterStatus"]
            if status == REBOOTING or _rebooted(cache, change):
                continue
            if status != AVAILABLE:
                raise NotYet(str(change.target), str(status), PATIENCE_SECONDS)
            try:
                cache.reboot_cache_cluster(CacheClusterId=name, CacheNodeIdsToReboot=change.before[PARTS])
            except cache.exceptions.InvalidCacheClusterStateFault as error:
                raise NotYet(str(change.target), f"not ready to reboot ({error})", PATIENCE_SECONDS) from error

    def look(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        return {change.id: _outcome(change, clients) for change in changes}


def _outcome(change: Change, clients: Clients) -> Outcome:
    cache = clients.aws("elasticache", change.target.region)
    described, _ = _described(cache, change.target.id)
    if described is None:
        return Outcome(Ending.CONFLICT, f"{change.target} no longer exists")
    if described["CacheClusterStatus"] != AVAILABLE:
        return Outcome(Ending.WAITING, f"{change.target} is {described['CacheClusterStatus']}")
    return Outcome(Ending.RESTORED if _rebooted(cache, change) else Ending.UNTOUCHED)


def _rebooted(cache: Any, change: Change) -> bool:
    events = cache.describe_events(
        SourceIdentifier=change.target.id,
        SourceType="cache-cluster",
        StartTime=datetime.fromisoformat(change.before[SINCE]),
    )["Events"]
    return any(event["Message"].endswith(TOLD) for event in events)


def _described(cache: Any, name: str) -> tuple[Mapping[str, Any] | None, datetime]:
    """The node, None if there is none, and when AWS said so."""
    try:
        answer = cache.describe_cache_clusters(CacheClusterId=name, ShowCacheNodeInfo=True)
        found: Mapping[str, Any] | None = answer["CacheClusters"][0]
    except cache.exceptions.CacheClusterNotFoundFault as error:
        answer, found = error.response, None
    return found, parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

"""Failing caches over, as ElastiCache does when the primary's zone is lost: all in a zone, or the ones that are named.

AWS replaces the primary that was taken from its role; which replica follows it is AWS's choice. Failing back would
spend what AWS allows in a day and hurt users again, so undo waits until each shard has a primary and is available.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from blackstart.access import Aws, Need, arn, everything
from blackstart.changes.clients import Clients
from blackstart.changes.healed import Healed
from blackstart.changes.kind import Ending, Outcome
from blackstart.changes.model import ZONE, Change, Share, new_id
from blackstart.changes.network import Vpc
from blackstart.errors import NotYet, Refused, TargetChanged
from blackstart.scope import Target

PRIMARY, SHARD, GROUP, MOVED = "primary", "shard", "group", "another node"
AVAILABLE = "available"
A_DAY = 15
"""How many shards AWS lets an account fail over in 24 hours."""
READ, FAILOVER = "elasticache:DescribeReplicationGroups", "elasticache:TestFailover"
PATIENCE_SECONDS = 300.0  # shards of one group go one after the other


@dataclass(frozen=True)
class Shard:
    """One shard of a replication group. ``nodes``: the zone of each node; ``primary``: "" if AWS does not tell."""

    group: str
    id: str
    primary: str
    nodes: Mapping[str, str]
    fails_over: bool
    tags: Mapping[str, str]


def find_shards(clients: Clients, region: str, names: Iterable[str]) -> list[Shard]:
    """The shards of the replication groups ``names``; Refused if one is not there. Read-only."""
    cache = clients.aws("elasticache", region)
    return [shard for name in names for shard in _shards(cache, name)]


def _shards(cache: Any, name: str) -> list[Shard]:
    group = _described(cache, name)
    if group is None:
        raise Refused(f"failing over cache {name}", "there is no such replication group")
    tags = {tag["Key"]: tag["Value"] for tag in cache.list_tags_for_resource(ResourceName=group["ARN"])["TagList"]}
    return [
        Shard(
            name,
            shard["NodeGroupId"],
            _primary(shard),
            {node["CacheClusterId"]: node.get("PreferredAvailabilityZone", "") for node in _nodes(shard)},
            group.get("AutomaticFailover") == "enabled",
            tags,
        )
        for shard in group["NodeGroups"]
    ]


def plan_cache_failovers(
    shards: Sequence[Shard],
    vpc: Vpc,
    zones: Collection[str],
    *,
    step: int = 0,
    new_change: Callable[[], str] = new_id,
) -> list[Change]:
    """Every shard whose primary is in ``zones`` gets another one; the others are left out. Pure.

    Refused if one has no replica outside, does not fail over by itself, or if there are more than AWS allows in a day.
    """
    changes = []
    for shard in shards:
        if set(shard.nodes.values()) & set(zones) and (not shard.primary or shard.nodes[shard.primary] in zones):
            _fit(shard)
            if all(zone in zones for node, zone in shard.nodes.items() if node != shard.primary):
                raise Refused(_subject(shard), f"it has no replica outside {', '.join(sorted(zones))}")
            change = _moved(shard, vpc.account, vpc.region, step, new_change())
            zone = shard.nodes[shard.primary]
            share = Share(ZONE, vpc.region, (zone,), len(vpc.zones))
            changes.append(replace(change, target=replace(change.target, zone=zone), share=share))
    return _within_a_day(changes)


def plan_group_failovers(
    shards: Sequence[Shard],
    account: str,
    region: str,
    *,
    step: int = 0,
    new_change: Callable[[], str] = new_id,
) -> list[Change]:
    """Each of ``shards`` gets another primary, wherever its nodes are. Pure.

    Refused if one has no replica or does not fail over by itself, or if there are more than AWS allows in a day.
    """
    changes = []
    for shard in shards:
        _fit(shard)
        if len(shard.nodes) < 2:
            raise Refused(_subject(shard), "it has no replica")
        changes.append(_moved(shard, account, region, step, new_change()))
    return _within_a_day(changes)


def _within_a_day(changes: list[Change]) -> list[Change]:
    if len(changes) > A_DAY:
        raise Refused(
            f"failing over {len(changes)} shards of caches", f"AWS lets an account do {A_DAY} in 24 hours; name fewer"
        )
    return changes


def _subject(shard: Shard) -> str:
    return f"failing over cache {shard.group}, shard {shard.id}"


def _fit(shard: Shard) -> None:
    subject = _subject(shard)
    if not shard.primary:
        raise Refused(subject, "AWS does not tell which of its nodes is the primary (cluster mode is enabled)")
    if not shard.fails_over:
        raise Refused(subject, "automatic fail-over is not enabled")


def _moved(shard: Shard, account: str, region: str, step: int, change_id: str) -> Change:
    cache, zone = f"{shard.group}/{shard.id}", shard.nodes[shard.primary]
    context = {GROUP: shard.group, SHARD: shard.id}
    return Change(
        id=change_id,
        kind=CacheFailover.name,
        target=Target("cache", cache, account=account, region=region, tags=dict(shard.tags)),
        before={PRIMARY: shard.primary, **context},
        after={PRIMARY: MOVED, **context},
        summary=f"cache {cache}: primary {shard.primary} ({zone}) → a replica that AWS chooses",
        undo_summary="nobody: the new primary stays (failing back would interrupt users again); AWS replaces the node",
        calls=(FAILOVER,),
        step=step,
    )


class CacheFailover(Healed):
    """A shard that gets another primary. It is healed when it has one and is available."""

    name: ClassVar[str] = "elasticache.failover"
    permissions: ClassVar[tuple[str, ...]] = (READ, FAILOVER)

    def needs(self, change: Change) -> Sequence[Need]:
        target = change.target
        group = arn("elasticache", target.region, target.account, f"replicationgroup:{change.before[GROUP]}")
        return everything((READ,), target.region, [Aws(FAILOVER, (group,))])

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        for change in changes:
            cache, group = clients.aws("elasticache", change.target.region), change.before[GROUP]
            described = _described(cache, group)
            shard = _shard(described, change)
            if shard is None or described is None:
                raise TargetChanged(str(change.target), "it is gone")
            if _primary(shard) not in ("", change.before[PRIMARY]):
                continue
            if not _settled(described, shard):
                raise NotYet(str(change.target), shard["Status"], PATIENCE_SECONDS)
            try:
                cache.test_failover(ReplicationGroupId=group, NodeGroupId=change.before[SHARD])
            except (
                cache.exceptions.InvalidReplicationGroupStateFault,
                cache.exceptions.InvalidCacheClusterStateFault,
            ) as error:
                raise NotYet(str(change.target), f"not ready to fail over ({error})", PATIENCE_SECONDS) from error

    def look(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        groups = {(change.target.region, change.before[GROUP]) for change in changes}
        found = {(region, name): _described(clients.aws("elasticache", region), name) for region, name in groups}
        return {change.id: _outcome(change, found[change.target.region, change.before[GROUP]]) for change in changes}


def _outcome(change: Change, group: Mapping[str, Any] | None) -> Outcome:
    shard = _shard(group, change)
    if shard is None or group is None:
        return Outcome(Ending.CONFLICT, f"{change.target} no longer exists")
    if not _settled(group, shard):
        return Outcome(Ending.WAITING, f"{change.target} is {shard['Status']}")
    if not _primary(shard):
        return Outcome(Ending.WAITING, f"{change.target} has no primary")
    return Outcome(Ending.UNTOUCHED if _primary(shard) == change.before[PRIMARY] else Ending.RESTORED)


def _described(cache: Any, name: str) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]
    except cache.exceptions.ReplicationGroupNotFoundFault:
        return None
    return found


def _shard(group: Mapping[str, Any] | None, change: Change) -> Mapping[str, Any] | None:
    shards = group["NodeGroups"] if group else []
    return next((shard for shard in shards if shard["NodeGroupId"] == change.before[SHARD]), None)


def _settled(group: Mapping[str, Any], shard: Mapping[str, Any]) -> bool:
    return bool(group["Status"] == AVAILABLE and shard.get("Status", AVAILABLE) == AVAILABLE)


def _nodes(shard: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = shard.get("NodeGroupMembers", [])
    return found


def _primary(shard: Mapping[str, Any]) -> str:
    return next((str(node["CacheClusterId"]) for node in _nodes(shard) if node.get("CurrentRole") == PRIMARY), "")

"""Which ElastiCache replication group a cache's address belongs to: its tags say whether the cache has opted in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blackstart.changes.clients import Clients
from blackstart.errors import Refused

AWS_HOSTS = (".cache.amazonaws.com", ".cache.amazonaws.com.cn")
ENDPOINTS = ("PrimaryEndpoint", "ReaderEndpoint")


@dataclass(frozen=True)
class Group:
    """A replication group; ``name`` is "" for a cache that belongs to none, which has no tags either."""

    name: str = ""
    account: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


def find_group_of(clients: Clients, region: str, host: str, name: str = "") -> Group:
    """The replication group in ``region`` that ``host`` is an endpoint of. Read-only.

    A host that is no endpoint of any, such as a proxy, belongs to the group ``name``, or to the only one there is.
    Refused if the host is ElastiCache's but no group's, or another group's than ``name``, or if that cannot be told.
    """
    cache = clients.aws("elasticache", region)
    pages = cache.get_paginator("describe_replication_groups").paginate()
    groups = [group for page in pages for group in page["ReplicationGroups"]]
    found = _chosen(groups, region, host, name)
    if found is None:
        return Group(account=clients.account())
    tags = cache.list_tags_for_resource(ResourceName=found["ARN"])["TagList"]
    return Group(found["ReplicationGroupId"], found["ARN"].split(":")[4], {tag["Key"]: tag["Value"] for tag in tags})


def _chosen(groups: Sequence[Mapping[str, Any]], region: str, host: str, name: str) -> Mapping[str, Any] | None:
    subject = f"emptying the cache at {host}"
    owner = next((group for group in groups if host in _hosts(group)), None)
    if owner is None and host.endswith(AWS_HOSTS):
        raise Refused(subject, f"it is no endpoint of a replication group in {region}, so whose it is cannot be told")
    if owner is not None and name not in ("", owner["ReplicationGroupId"]):
        raise Refused(subject, f"it belongs to the replication group {owner['ReplicationGroupId']}, not to {name}")
    if owner is not None:
        return owner
    named = [group for group in groups if name in ("", group["ReplicationGroupId"])]
    if name and not named:
        raise Refused(subject, f"there is no replication group {name} in {region}")
    if len(named) > 1:
        raise Refused(subject, f"{region} has {len(named)} replication groups; name the one that it belongs to")
    return named[0] if named else None


def _hosts(group: Mapping[str, Any]) -> set[str]:
    holders = [group.get("ConfigurationEndpoint", {})]
    for shard in group.get("NodeGroups", ()):
        holders += [shard.get(endpoint, {}) for endpoint in ENDPOINTS]
        holders += [node.get("ReadEndpoint", {}) for node in shard.get("NodeGroupMembers", ())]
    return {str(holder["Address"]) for holder in holders if holder.get("Address")}

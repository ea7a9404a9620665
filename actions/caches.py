"""Losing caches: a primary, a node, a region's place in a global datastore, or all that a cache holds."""

from typing import Any, Dict

from blackstart import drill as drills
from blackstart import settings
from blackstart.changes.cache_failover import find_shards, plan_group_failovers
from blackstart.changes.cache_finding import find_group_of
from blackstart.changes.cache_node import find_cache_node, plan_node_reboot
from blackstart.changes.global_cache import find_global_cache, plan_global_cache_failover
from blackstart.errors import ConfigInvalid, Refused

__all__ = ["empty_cache", "fail_over_global", "fail_over_node_group", "reboot_node"]

LIMIT_SECONDS = 600.0


def fail_over_node_group(
    replication_group: str,
    region: str,
    shard: str = "",
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Have ElastiCache take the primary of each shard of a replication group from its role, or of the one named
    ``shard`` ("0001"). AWS chooses the replica that takes over; not for groups in cluster mode.

    The new primary stays: undo waits until each shard is available. Gives the ``changes`` that were made.
    """
    subject = f"failing over cache {replication_group}"
    drill = drills.opened(configuration, subject)
    _named("fail_over_node_group", replication_group=replication_group, region=region)
    shards = find_shards(drill.clients, region, [replication_group])
    chosen = [each for each in shards if shard in ("", each.id)]
    if not chosen:
        raise Refused(subject, f"it has no shard {shard}; it has {', '.join(each.id for each in shards) or 'none'}")
    changes = plan_group_failovers(chosen, drill.clients.account(), region)
    drill.inject(changes, subject)
    return {"changes": [change.summary for change in changes]}


def reboot_node(
    node: str,
    region: str,
    only_node: bool = False,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Reboot one node of a replication group ("shop-us-east-1-002"): what it held in memory is gone.

    The only node of its shard only with ``only_node``, and if the scope's share of cache nodes permits it. Undo waits
    until the node is available. Gives the ``changes`` that were made.
    """
    subject = f"rebooting cache node {node}"
    drill = drills.opened(configuration, subject)
    _named("reboot_node", node=node, region=region)
    changes = plan_node_reboot(find_cache_node(drill.clients, region, node), only_node=only_node)
    drill.inject(changes, subject)
    return {"changes": [change.summary for change in changes]}


def fail_over_global(
    global_datastore: str,
    to_region: str,
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Make the member in ``to_region`` the primary of a global datastore (its whole id, "ldgnf-shop").

    Only ``to_region`` is asked, so it works while the primary's region answers nothing. Undo moves the primary back
    once its old member is associated; the reverter does so after ``duration_seconds`` if the drill has not. Gives the
    ``changes`` that were made.
    """
    subject = f"moving the primary of global cache {global_datastore} to {to_region}"
    drill = drills.opened(configuration, subject)
    _named("fail_over_global", global_datastore=global_datastore, to_region=to_region)
    changes = plan_global_cache_failover(find_global_cache(drill.clients, to_region, global_datastore), to_region)
    drill.inject(changes, subject, duration_seconds=duration_seconds)
    return {"changes": [change.summary for change in changes]}


def empty_cache(
    region: str,
    prefix: str = "",
    replication_group: str = "",
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Delete what the cache of ``region`` holds (``[stores] caches`` says where it is), or only the keys that begin
    with ``prefix``. Its replicas forget it too, in other regions as well.

    Only if the scope says ``cold_caches = true``: nobody can put it back. Undo waits until the cache is warm again,
    with nine tenths of its keys or of its share of hits. The tags that opt in are those of its ElastiCache
    replication group, which ``replication_group`` names if the address does not tell. Gives the ``changes`` made.
    """
    from blackstart.changes.emptied_cache import find_cache, plan_emptying
    from blackstart.changes.redis_server import host

    subject = f"emptying the cache of {region}"
    drill = drills.opened(configuration, subject)
    _named("empty_cache", region=region)
    address = settings.current().stores.caches.get(region, "")
    if not address:
        raise ConfigInvalid("stores.caches", region, "there is no address, so where the cache is is not known")
    group = find_group_of(drill.clients, region, host(address), replication_group)
    changes = plan_emptying(find_cache(address, region, group, prefix))
    drill.inject(changes, subject, nothing=f"the cache at {address} holds nothing that begins with {prefix!r}")
    return {"changes": [change.summary for change in changes]}


def _named(action: str, **targets: str) -> None:
    """ConfigInvalid for a target without a name: empty must never come to mean all."""
    empty = next((name for name, value in targets.items() if not value), None)
    if empty:
        raise ConfigInvalid(action, empty, "it is empty; name what is meant")

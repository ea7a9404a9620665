"""What a cache does: how many reads it answers, who its primary is, how far its replicas are behind, and its memory.

Asked of the Redis server itself (``[stores] caches`` says where it is, by region), of AWS, or of what users saw. Shares
are 0–1, times in seconds. NotMeasured when there is nothing to tell it from; ServiceUnreachable when a server
or AWS does not answer.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Dict

from blackstart import settings
from blackstart.changes.clients import Clients
from blackstart.clock import SystemClock
from blackstart.errors import ConfigInvalid, NotMeasured, ServiceUnreachable
from blackstart.observer.samples import Cache
from blackstart.observer.waiting import POLL_SECONDS
from blackstart.probes import _metrics
from blackstart.probes._warmth import WARM_READS, told, warm_again
from blackstart.probes._watched import limit, watched

__all__ = [
    "hit_ratio",
    "is_warm",
    "memory_share",
    "primary_node",
    "primary_region",
    "replication_lag_seconds",
    "warm_up_seconds",
]

_GROUP, _GLOBAL = "elasticache:DescribeReplicationGroups", "elasticache:DescribeGlobalReplicationGroups"
_METRICS = (_GROUP, "cloudwatch:ListMetrics", "cloudwatch:GetMetricData")
PERMISSIONS = {
    "hit_ratio": _METRICS,
    "primary_node": (_GROUP,),
    "primary_region": (_GLOBAL,),
    "replication_lag_seconds": _METRICS,
}
"""What each probe needs of AWS in its ``region``; the others, and those that ask the server itself, need nothing."""

FRESH_SECONDS = 300.0
"""CloudWatch has a value a minute, and some minutes late."""
LOOK_SECONDS = 0.02
SOURCES = ("server", "cloudwatch")


def hit_ratio(region: str, seconds: float = 5.0, source: str = "server", replication_group: str = "") -> float:
    """The share of reads that the cache of ``region`` could answer.

    ``source`` "server": of the reads in ``seconds`` from now, by the server's own counters. "cloudwatch": of all nodes
    of ``replication_group`` in the last ``seconds``, five minutes at least. NotMeasured if there was no read.
    """
    if _by_server("hit_ratio", source, replication_group):
        with _server(region, "measure the hit ratio") as server:
            before = server.info()
            SystemClock().sleep(seconds)
            after = server.info()
        if before["run_id"] != after["run_id"]:
            raise NotMeasured("the hit ratio", f"another server answers for the cache of {region} than at first")
        hits, misses = (int(after[name]) - int(before[name]) for name in ("keyspace_hits", "keyspace_misses"))
    else:
        names = ("CacheHits", "CacheMisses")
        hits, misses = (round(sum(_metric(region, replication_group, name, "Sum", seconds))) for name in names)
    if hits + misses <= 0:
        raise NotMeasured("the hit ratio", f"nobody read from the cache of {region}, or nothing counted it")
    return hits / (hits + misses)


def memory_share(region: str) -> float:
    """How much of the memory that it may use the cache of ``region`` uses; NotMeasured if it has no limit."""
    with _server(region, "measure its memory") as server:
        said = server.info()
    if not int(said.get("maxmemory", 0)):
        raise NotMeasured("the share of memory", f"the cache of {region} has no limit (maxmemory)")
    return int(said["used_memory"]) / int(said["maxmemory"])


def primary_node(replication_group: str, region: str, shard: str = "0001") -> str:
    """The node that is the primary of a shard; NotMeasured if AWS tells of none, as in cluster mode."""
    shards = _group(region, replication_group)["NodeGroups"]
    nodes = [node for each in shards if each["NodeGroupId"] == shard for node in each["NodeGroupMembers"]]
    roles = {node.get("CurrentRole"): node["CacheClusterId"] for node in nodes}
    if "primary" not in roles:
        raise NotMeasured("the primary node", f"AWS tells of none in shard {shard} of {replication_group}")
    return str(roles["primary"])


def primary_region(global_datastore: str, region: str) -> str:
    """The region that has the primary of a global datastore (its whole id), as ``region`` tells it."""
    what = f"the primary of global cache {global_datastore}"
    with _aws("elasticache", region) as cache:
        try:
            answer = cache.describe_global_replication_groups(
                GlobalReplicationGroupId=global_datastore, ShowMemberInfo=True
            )
        except cache.exceptions.GlobalReplicationGroupNotFoundFault as error:
            raise NotMeasured(what, f"{region} has no such datastore") from error
    for member in answer["GlobalReplicationGroups"][0]["Members"]:
        if str(member["Role"]).upper() == "PRIMARY":
            return str(member["ReplicationGroupRegion"])
    raise NotMeasured(what, f"{region} tells of none")


def replication_lag_seconds(
    region: str,
    primary_region: str = "",
    source: str = "server",
    replication_group: str = "",
    limit_seconds: float = 10.0,
) -> float | None:
    """How far the cache of ``region``, a replica, is behind its primary.

    ``source`` "server": how long it takes until it has what the cache of ``primary_region`` had written when asked;
    None if that takes longer than ``limit_seconds``. "cloudwatch": the longest lag that AWS tells of the nodes of
    ``replication_group``, the global datastore's member in ``region``, in the last five minutes.
    """
    if not _by_server("replication_lag_seconds", source, replication_group):
        lags = _metric(region, replication_group, "GlobalDatastoreReplicationLag", "Maximum", FRESH_SECONDS)
        if not lags:
            raise NotMeasured("the replication lag", f"CloudWatch has no recent value of {replication_group}")
        return max(lags)
    clock = SystemClock()
    with _server(primary_region, "see what was written") as primary, _server(region, "see what arrived") as replica:
        wanted = primary.info("replication")
        began = clock.monotonic()
        while True:
            seen = replica.info("replication")
            _same_history(wanted, seen, primary_region, region)
            if int(seen.get("slave_repl_offset", -1)) >= int(wanted["master_repl_offset"]):
                return clock.monotonic() - began
            if clock.monotonic() - began >= limit_seconds:
                return None
            clock.sleep(LOOK_SECONDS)


def _same_history(primary: Mapping[str, Any], replica: Mapping[str, Any], primary_region: str, region: str) -> None:
    what = "the replication lag"
    if primary.get("role") != "master" or replica.get("role") != "slave":
        raise NotMeasured(what, f"{primary_region} has a {primary.get('role')} and {region} a {replica.get('role')}")
    if primary["master_replid"] != replica["master_replid"]:
        raise NotMeasured(what, f"the cache of {region} does not follow that of {primary_region}")


def warm_up_seconds(
    share: float = 0.9,
    region: str = "",
    limit_seconds: float = 0.0,
    settle_seconds: float = 0.0,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> float | None:
    """Seconds from the fault until, as users see it, ``share`` of the last 50 reads (of ``region``, or of all) were
    answered from the cache; 0.0 if so many were all along, until ``settle_seconds`` after the fault.

    Waits for it, at most ``limit_seconds`` from the fault (0: the objective for the recovery time), and gives None if
    it was not so by then. NotMeasured if fewer than 50 answers said whether the cache had it (header ``x-cache``).
    """
    drill, clock = watched(configuration), SystemClock()
    fault, longest = drill.fault_at(), limit(drill, limit_seconds)
    while True:
        samples = drill.samples()
        cold, since = warm_again(samples, fault, share, region)
        known = samples.complete_until - fault
        if since is not None and (cold or known >= settle_seconds):
            found = since if cold else 0.0
            return found if found <= longest else None
        if samples.header.ended is not None or known >= max(longest, settle_seconds):
            if len(told(samples, region)) < WARM_READS:
                raise NotMeasured(
                    "the time to warm up", f"fewer than {WARM_READS} answers said whether the cache had it"
                )
            return None
        clock.sleep(POLL_SECONDS)


def is_warm(
    share: float = 0.9,
    region: str = "",
    limit_seconds: float = 60.0,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> bool:
    """Whether, as users see it, ``share`` of the last 50 reads (of ``region``, or of all) were answered from the cache.

    Waits for it, at most ``limit_seconds`` from now. NotMeasured as `warm_up_seconds`.
    """
    drill, clock = watched(configuration), SystemClock()
    begun = drill.now()
    while True:
        samples = drill.samples()
        last = told(samples, region).cache[-WARM_READS:]
        if len(last) == WARM_READS and int((last == Cache.HIT).sum()) >= share * WARM_READS:
            return True
        if samples.header.ended is not None or drill.now() >= begun + limit_seconds:
            if len(last) < WARM_READS:
                raise _too_few("whether the cache is warm")
            return False
        clock.sleep(POLL_SECONDS)


def _too_few(what: str) -> NotMeasured:
    return NotMeasured(what, f"fewer than {WARM_READS} answers said whether the cache had it")


def _by_server(probe: str, source: str, replication_group: str) -> bool:
    if source not in SOURCES:
        raise ConfigInvalid(probe, "source", f"{source!r} is none; there are {', '.join(SOURCES)}")
    if source == "cloudwatch" and not replication_group:
        raise ConfigInvalid(probe, "replication_group", "CloudWatch knows caches by their replication group; name it")
    return source == "server"


@contextmanager
def _server(region: str, wanted: str) -> Iterator[Any]:
    from blackstart.changes import redis_server

    address = settings.current().stores.caches.get(region, "")
    if not address:
        raise ConfigInvalid("stores.caches", region or "(no region)", "there is no address of this region's cache")
    with redis_server.asked(address, wanted) as server:
        yield server


@contextmanager
def _aws(service: str, region: str) -> Iterator[Any]:
    from botocore.exceptions import BotoCoreError, ClientError

    clients = Clients(threads=1, read_only=True)
    try:
        yield clients.aws(service, region)
    except (BotoCoreError, ClientError) as error:
        raise ServiceUnreachable("ask about a cache", f"{service} in {region}", f"answered: {error}") from error
    finally:
        clients.close()


def _group(region: str, name: str) -> Mapping[str, Any]:
    with _aws("elasticache", region) as cache:
        try:
            groups = cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"]
        except cache.exceptions.ReplicationGroupNotFoundFault as error:
            raise NotMeasured(f"cache {name}", f"{region} has no such replication group") from error
    found: Mapping[str, Any] = groups[0]
    return found


def _metric(region: str, group: str, metric: str, statistic: str, seconds: float) -> list[float]:
    shards = _group(region, group)["NodeGroups"]
    nodes = {node["CacheClusterId"] for shard in shards for node in shard["NodeGroupMembers"]}
    with _aws("cloudwatch", region) as cloudwatch:
        recent = max(seconds, FRESH_SECONDS)
        return _metrics.values(cloudwatch, metric, nodes, statistic, recent, SystemClock().now())

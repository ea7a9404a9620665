"""What a database does: who writes, how far its standby is behind, how many connections and units it takes.

Asked of AWS, or of the PostgreSQL server itself (``[stores] databases`` of the settings says where it is, by region).
Shares are 0–1, times in seconds. NotMeasured when there is nothing to tell it from; ServiceUnreachable when a server or
AWS does not answer.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from blackstart import settings
from blackstart.changes.clients import Clients
from blackstart.changes.global_database import find_global_database
from blackstart.clock import SystemClock
from blackstart.errors import ConfigInvalid, NotMeasured, Refused, ServiceUnreachable

__all__ = [
    "capacity_units",
    "caught_up_seconds",
    "connections_share",
    "replication_lag_seconds",
    "writer",
    "writer_region",
]

_CLUSTERS, _METRICS = "rds:DescribeDBClusters", "cloudwatch:GetMetricStatistics"
PERMISSIONS = {
    "capacity_units": (_METRICS,),
    "replication_lag_seconds": (_METRICS,),
    "writer": (_CLUSTERS,),
    "writer_region": ("rds:DescribeGlobalClusters", _CLUSTERS),
}
"""What each probe needs of AWS in its ``region``; the others ask the server itself."""

SOURCES = ("database", "rows", "cloudwatch")
FRESH_SECONDS, PERIOD_SECONDS = 300.0, 60
"""CloudWatch has a value a minute, and some minutes late."""
LOOK_SECONDS = 0.1


def writer(cluster: str, region: str) -> str:
    """The instance that writes in a database cluster, as RDS says; NotMeasured unless it is exactly one."""
    with _aws("rds", region, "tell who writes") as rds:
        try:
            (described,) = rds.describe_db_clusters(DBClusterIdentifier=cluster)["DBClusters"]
        except rds.exceptions.DBClusterNotFoundFault as error:
            raise NotMeasured(f"the writer of {cluster}", f"{region} has no such database cluster") from error
    writers = [each["DBInstanceIdentifier"] for each in described["DBClusterMembers"] if each["IsClusterWriter"]]
    if len(writers) != 1:
        raise NotMeasured(f"the writer of {cluster}", f"it has {len(writers)}")
    return str(writers[0])


def writer_region(global_cluster: str, region: str) -> str:
    """The region whose member writes in a global database, as the API of ``region`` says."""
    what, clients = f"the writer's region of {global_cluster}", _clients()
    try:
        with _answering("rds", region, "tell which region writes"):
            found = find_global_database(clients, region, global_cluster)
    except Refused as error:
        raise NotMeasured(what, f"{region} has no such global cluster") from error
    finally:
        clients.close()
    if found.writer is None:
        raise NotMeasured(what, "it does not have exactly one writer")
    return found.writer.region


def replication_lag_seconds(
    region: str,
    from_region: str = "",
    source: str = "database",
    table: str = "",
    column: str = "",
    cluster: str = "",
) -> float:
    """How far the standby of ``region`` is behind the writer of ``from_region``.

    ``source`` "database": 0.0 if it has replayed all that the writer had when it was asked just before, else the time
    since the newest commit that it has replayed. "rows": how much younger the newest ``column`` (a time) of ``table``
    is at the writer, so of rows that the service itself writes. Both by the writer's clock alone. "cloudwatch":
    AuroraGlobalDBReplicationLag of ``cluster`` there, the newest value of the last five minutes.
    """
    if source not in SOURCES:
        known = ", ".join(SOURCES)
        raise ConfigInvalid("replication_lag_seconds", "source", f"{source!r} is none; there are {known}")
    if source == "cloudwatch":
        return _metric("AuroraGlobalDBReplicationLag", cluster, region) / 1000
    from blackstart.probes import _postgres

    primary, standby = _address(from_region), _address(region)
    if source == "rows":
        return _postgres.rows_behind(primary, standby, table, column)
    return _postgres.behind(primary, standby)


def caught_up_seconds(region: str, from_region: str, limit_seconds: float = 60.0) -> float | None:
    """How long it takes until the standby of ``region`` has replayed all that the writer of ``from_region`` has now.

    None if that is not so after ``limit_seconds``. Exact to about 0.1 s.
    """
    from blackstart.probes import _postgres

    clock, primary, standby = SystemClock(), _address(from_region), _address(region)
    began, wanted = clock.monotonic(), _postgres.position(primary)
    while not _postgres.replayed(standby, wanted):
        if clock.monotonic() - began >= limit_seconds:
            return None
        clock.sleep(LOOK_SECONDS)
    return clock.monotonic() - began


def connections_share(region: str) -> float:
    """The share of all connections that the database of ``region`` allows (max_connections) which are open.

    1.0 if it has none left for us; those that are reserved for superusers count as taken then.
    """
    from blackstart.probes import _postgres

    return _postgres.connections_share(_address(region))


def capacity_units(cluster: str, region: str) -> float:
    """The Aurora capacity units (ACU) that a Serverless v2 cluster took, the newest value of the last five minutes."""
    return _metric("ServerlessDatabaseCapacity", cluster, region)


def _address(region: str) -> str:
    address = settings.current().stores.databases.get(region)
    if not address:
        raise ConfigInvalid(
            "stores.databases", region or "region", "there is no address, so nothing can be asked there"
        )
    return address


def _metric(name: str, cluster: str, region: str) -> float:
    if not cluster:
        raise ConfigInvalid("the probe", "cluster", "it is empty; name what is meant")
    now = SystemClock().now()
    with _aws("cloudwatch", region, f"read {name}") as cloudwatch:
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/RDS",
            MetricName=name,
            Dimensions=[{"Name": "DBClusterIdentifier", "Value": cluster}],
            StartTime=now - timedelta(seconds=FRESH_SECONDS),
            EndTime=now + timedelta(seconds=PERIOD_SECONDS),
            Period=PERIOD_SECONDS,
            Statistics=["Average"],
        )["Datapoints"]
    if not points:
        raise NotMeasured(f"{name} of {cluster}", f"CloudWatch has no value of the last {FRESH_SECONDS:.0f} s")
    return float(max(points, key=lambda point: point["Timestamp"])["Average"])


@contextmanager
def _aws(service: str, region: str, wanted: str) -> Iterator[Any]:
    clients = _clients()
    try:
        with _answering(service, region, wanted):
            yield clients.aws(service, region)
    finally:
        clients.close()


def _clients() -> Clients:
    return Clients(attempts=2, read_only=True)


@contextmanager
def _answering(service: str, region: str, wanted: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise ServiceUnreachable(wanted, f"{service} in {region}", f"answered: {error}") from error

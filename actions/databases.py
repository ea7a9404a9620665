"""Losing databases: a writer, a region's place in a global database, replication, connections, capacity."""

from collections.abc import Sequence
from typing import Any, Dict

from blackstart import drill as drills
from blackstart import settings
from blackstart.changes.capacity_ceiling import find_capacity, plan_ceiling
from blackstart.changes.database_failover import find_clusters, plan_cluster_failover
from blackstart.changes.global_cache import find_global_cache, plan_global_primary
from blackstart.changes.global_database import find_global_database, plan_global_failover
from blackstart.changes.model import Change
from blackstart.changes.writer_reboot import plan_writer_reboot
from blackstart.errors import ConfigInvalid

__all__ = [
    "exhaust_connections",
    "fail_over_cluster",
    "fail_over_global",
    "lower_capacity_ceiling",
    "pause_replication",
    "reboot_writer",
    "switch_over_global",
]

LIMIT_SECONDS = 600.0


def fail_over_cluster(
    cluster: str,
    region: str,
    to: str = "",
    fail_back: bool = False,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Have RDS make another instance the writer of a database cluster: ``to``, or else the reader of the best tier.

    The new writer stays, undo waits until the cluster is whole; or it fails back, which interrupts users again, with
    ``fail_back``. Gives the ``changes`` that were made.
    """
    subject = f"failing over database cluster {cluster}"
    drill = drills.opened(configuration, subject)
    _named("fail_over_cluster", cluster=cluster, region=region)
    (found,) = find_clusters(drill.clients, region, [cluster])
    changes = plan_cluster_failover(found, to, fail_back=fail_back)
    drill.inject(changes, subject)
    return _told(changes)


def reboot_writer(
    cluster: str,
    region: str,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Reboot the writer of a database cluster; undo waits until it is available. Gives the ``changes`` made."""
    subject = f"rebooting the writer of database cluster {cluster}"
    drill = drills.opened(configuration, subject)
    _named("reboot_writer", cluster=cluster, region=region)
    (found,) = find_clusters(drill.clients, region, [cluster])
    changes = plan_writer_reboot(found)
    drill.inject(changes, subject)
    return _told(changes)


def fail_over_global(
    global_cluster: str,
    to_region: str,
    global_datastore: str = "",
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Make the member in ``to_region`` the writer of an Aurora global database, and lose what it had not received.

    Only ``to_region`` is asked, so it works while the writer's region answers nothing. Undo switches back once the old
    writer has been rebuilt, which takes minutes to hours on AWS; the reverter does so after ``duration_seconds`` if the
    drill has not. The primary of ``global_datastore`` comes home with it, if the platform moves that too. Gives the
    ``changes`` that were made.
    """
    subject = f"failing over global database {global_cluster} to {to_region}"
    names = {"global_cluster": global_cluster, "to_region": to_region}
    return _moved("fail_over_global", subject, names, global_datastore, duration_seconds, configuration)


def switch_over_global(
    global_cluster: str,
    to_region: str,
    global_datastore: str = "",
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Make the member in ``to_region`` the writer of an Aurora global database without losing anything.

    Refused unless all is healthy. Undo switches back; the reverter does so after ``duration_seconds`` if the drill has
    not. The primary of ``global_datastore`` comes home with it, if the platform moves that too. Gives the ``changes``
    that were made.
    """
    subject = f"switching over global database {global_cluster} to {to_region}"
    names = {"global_cluster": global_cluster, "to_region": to_region}
    return _moved("switch_over_global", subject, names, global_datastore, duration_seconds, configuration)


def _moved(
    action: str, subject: str, names: Dict[str, str], cache: str, seconds: float, configuration: Dict[str, Any]
) -> Dict[str, Any]:
    drill = drills.opened(configuration, subject)
    _named(action, **names)
    to_region = names["to_region"]
    changes = plan_global_primary(find_global_cache(drill.clients, to_region, cache)) if cache else []
    found = find_global_database(drill.clients, to_region, names["global_cluster"])
    changes += plan_global_failover(found, to_region, data_loss=action == "fail_over_global", step=1)
    drill.inject(changes, subject, duration_seconds=seconds)
    return _told(changes)


def pause_replication(
    region: str,
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Let no more WAL arrive at the self-managed PostgreSQL standby of ``region`` (``[stores] databases`` says where).

    What is written meanwhile is lost if it is promoted. Aurora is refused: its storage replicates by itself. The
    reverter ends the fault after ``duration_seconds`` if the drill has not. Gives the ``changes`` that were made.
    """
    from blackstart.changes.postgres_replication import find_standby, plan_pause

    subject = f"pausing the replication to {region}"
    drill = drills.opened(configuration, subject)
    _named("pause_replication", region=region)
    changes = plan_pause(find_standby(drill.clients, settings.current().stores.databases, region))
    drill.inject(changes, subject, duration_seconds=duration_seconds)
    return _told(changes)


def exhaust_connections(
    region: str,
    share: float = 1.0,
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Hold so many connections to the database of ``region`` that ``share`` (0–1) of all that it allows are taken.

    Those that are reserved for superusers stay free. The reverter ends the fault after ``duration_seconds`` if the
    drill has not; it ends as well when the drill's process does. Gives the ``changes`` that were made.
    """
    from blackstart.changes.postgres_connections import find_room, plan_connections

    subject = f"exhausting the connections of the database of {region}"
    drill = drills.opened(configuration, subject)
    _named("exhaust_connections", region=region)
    changes = plan_connections(find_room(drill.clients, settings.current().stores.databases, region), share)
    drill.inject(changes, subject, duration_seconds=duration_seconds)
    return _told(changes)


def lower_capacity_ceiling(
    cluster: str,
    region: str,
    units: float,
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Let an Aurora Serverless v2 cluster scale up to ``units`` ACU at most; never below its minimum.

    The reverter ends the fault after ``duration_seconds`` if the drill has not. Gives the ``changes`` that were made.
    """
    subject = f"lowering the capacity of database cluster {cluster}"
    drill = drills.opened(configuration, subject)
    _named("lower_capacity_ceiling", cluster=cluster, region=region)
    changes = plan_ceiling(find_capacity(drill.clients, region, cluster), units)
    drill.inject(changes, subject, duration_seconds=duration_seconds)
    return _told(changes)


def _named(action: str, **targets: str) -> None:
    """ConfigInvalid for a target without a name: empty must never come to mean all."""
    empty = next((name for name, value in targets.items() if not value), None)
    if empty:
        raise ConfigInvalid(action, empty, "it is empty; name what is meant")


def _told(changes: Sequence[Change]) -> Dict[str, Any]:
    return {"changes": [change.summary for change in changes]}

"""Backups: how old the newest one is, how long it takes to restore it, and what is missing in it.

The ones that tell of a restore look at what this drill has restored, and give 0.0 as long as that is nothing: a
hypothesis is asked before the restore, too, and a drill that restores nothing cannot pass anyway. Times in seconds.
"""

from datetime import datetime
from typing import Any, Dict, List

import psycopg

from blackstart.changes import velero_restore as velero_kind
from blackstart.changes.database_backups import AVAILABLE, describe, newest_snapshot
from blackstart.changes.restored_cluster import RestoredCluster
from blackstart.clock import Clock, SystemClock
from blackstart.errors import NotMeasured
from blackstart.kube.reading import Kube
from blackstart.observer import ledger
from blackstart.observer.samples import read_header
from blackstart.probes import _cluster, _restored, _velero
from blackstart.probes._restored import Restoring
from blackstart.probes._watched import watched

__all__ = [
    "backup_age_seconds",
    "backup_since_start_seconds",
    "namespace_restore_problems",
    "namespace_restored_seconds",
    "restored_ledger",
    "restored_loss_seconds",
    "restored_seconds",
    "velero_backup_age_seconds",
]

OF_DATABASES = ("rds:DescribeDBClusters", "rds:DescribeDBClusterSnapshots")
OF_NAMESPACES = tuple(f"kubernetes:list {name.partition('.')[0]}" for name in velero_kind.RESTORED)
PERMISSIONS = {
    "backup_age_seconds": OF_DATABASES,
    "backup_since_start_seconds": OF_DATABASES,
    "namespace_restore_problems": (*OF_NAMESPACES, "kubernetes:get restores"),
    "namespace_restored_seconds": ("kubernetes:get restores",),
    "restored_ledger": OF_DATABASES[:1],
    "restored_loss_seconds": OF_DATABASES[:1],
    "restored_seconds": OF_DATABASES[:1],
    "velero_backup_age_seconds": ("kubernetes:list backups",),
}
"""What each probe needs: of AWS in its ``region``, of Kubernetes in the cluster of its ``context``."""

KINDS = ("any", "snapshot", "point-in-time")
LIMIT_SECONDS, LOOK_SECONDS = 3600.0, 0.5
KEYS = "SELECT key FROM orders WHERE starts_with(key, %(prefix)s)"
NEWEST = "SELECT extract(epoch FROM max(created)) FROM orders"


def backup_age_seconds(cluster: str, region: str, of: str = "any") -> float:
    """How old the newest backup of a database cluster is: its newest available snapshot, or the latest time that it can
    be restored to, or (``of`` "any") the younger of both. NotMeasured if there is none."""
    _restored.choice("backup_age_seconds", "of", of, KINDS)
    return max(0.0, (SystemClock().now() - _newest(cluster, region, of)).total_seconds())


def _newest(cluster: str, region: str, of: str) -> datetime:
    what = f"the age of the backups of {cluster}"
    with _restored.aws("rds", region, "look for backups") as rds:
        described = describe(rds, cluster)
        snapshot = newest_snapshot(rds, cluster) if described and of != "point-in-time" else None
    if described is None:
        raise NotMeasured(what, f"{region} has no such database cluster")
    times = [snapshot.at] if snapshot else []
    if of != "snapshot" and described.get("LatestRestorableTime"):
        times.append(described["LatestRestorableTime"])
    if not times:
        raise NotMeasured(what, "there is none")
    return max(times)


def backup_since_start_seconds(
    cluster: str,
    region: str,
    of: str = "any",
    limit_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> float | None:
    """Wait until there is a backup that has writes of this drill, so that its ledger can be checked; how long that
    took. None if there was none after ``limit_seconds``: then the age of the newest row has to do."""
    _restored.choice("backup_since_start_seconds", "of", of, KINDS)
    clock = SystemClock()
    drill, began = watched(configuration, clock), clock.monotonic()
    while True:
        acknowledged = [each.at for each in ledger.read(_restored.folder_of(configuration)) if each.at is not None]
        if acknowledged and _age(_newest(cluster, region, of), clock) < drill.now() - min(acknowledged):
            return clock.monotonic() - began
        if clock.monotonic() - began >= limit_seconds:
            return None
        clock.sleep(LOOK_SECONDS)


def _age(moment: datetime, clock: Clock) -> float:
    return (clock.now() - moment).total_seconds()


def restored_seconds(
    query: str = "SELECT 1",
    limit_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> float | None:
    """Seconds from the beginning of the restore until the scratch cluster was available and answered ``query``.

    Waits for it, at most ``limit_seconds`` from that beginning, and gives None if it did not by then; 0.0 as long as
    this drill has restored no database.
    """
    clock = SystemClock()
    found = _restored.restoring(configuration, clock, RestoredCluster.name)
    if found is None:
        return 0.0
    return found.took if found.took is not None else _wait(found, query, limit_seconds, clock)


def _wait(found: Restoring, query: str, limit_seconds: float, clock: Clock) -> float | None:
    while True:
        answers = _answers(found, query)
        seconds = _restored.since_origin(found, clock) - found.began
        if answers:
            _restored.tell(found, seconds, clock)
            return seconds if seconds <= limit_seconds else None
        if seconds >= limit_seconds:
            return None
        clock.sleep(LOOK_SECONDS)


def _answers(found: Restoring, query: str) -> bool:
    where = _where(found)
    try:
        return bool(where) and bool(_restored.ask(where, query))
    except psycopg.OperationalError:
        return False


def _where(found: Restoring) -> str:
    """How to connect to the scratch cluster; "" while it is not available."""
    region = str(found.target["region"])
    with _restored.aws("rds", region, "find the restored cluster") as rds:
        described = describe(rds, str(found.target["id"]))
    if described is None or described["Status"] != AVAILABLE or not described.get("DBClusterMembers"):
        return ""
    return _restored.address(described, region)


def restored_ledger(
    query: str = KEYS,
    newest: str = NEWEST,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """What the restored database lacks of this drill's acknowledged writes: ``seconds`` (how long before the restore
    the oldest missing one was acknowledged: the RPO of a backup), ``lost``, ``found``, ``acknowledged``.

    ``query`` gives the keys that begin with ``%(prefix)s``, ``newest`` the time of the newest row in seconds since 1970
    ("": no such row). If none of the drill's writes is in the backup, ``seconds`` is the age of that row
    (``by_newest_row``). NotMeasured if the drill has restored no database, or its database does not answer.
    """
    clock, what = SystemClock(), "what a restore would lose"
    found = _restored.needed(_restored.restoring(configuration, clock, RestoredCluster.name), what)
    where = _where(found)
    if not where:
        raise NotMeasured(what, f"{found.target['id']} is not available")
    header = read_header(found.folder)
    try:
        keys = frozenset(str(row[0]) for row in _restored.ask(where, query, {"prefix": header.prefix}))
        row = _restored.ask(where, newest)[0][0] if newest else None
    except psycopg.Error as error:
        raise NotMeasured(what, f"the restored database answers {str(error).strip()!r}") from error
    began = clock.now().timestamp() - (_restored.since_origin(found, clock) - found.began)
    age = None if row is None else began - float(row)
    return vars(_restored.loss(ledger.read(found.folder), keys, found.began, age)).copy()


def restored_loss_seconds(
    query: str = KEYS,
    newest: str = NEWEST,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> float:
    """The ``seconds`` of `restored_ledger`; 0.0 as long as this drill has restored no database."""
    if _restored.restoring(configuration, SystemClock(), RestoredCluster.name) is None:
        return 0.0
    return float(restored_ledger(query, newest, configuration)["seconds"])


def velero_backup_age_seconds(namespace: str, context: str = "", velero: str = velero_kind.VELERO) -> float:
    """How old the newest backup of ``namespace`` is that Velero completed; NotMeasured if there is none."""

    async def look(kube: Kube) -> datetime:
        items = await kube.items(f"{velero_kind.API}/namespaces/{velero}/backups", {})
        times = [backup.started for backup in velero_kind.completed(items, namespace)]
        if not times:
            raise NotMeasured(f"the age of the backups of namespace {namespace}", "Velero has completed none")
        return max(times)

    return max(0.0, _age(_cluster.ask(context, look), SystemClock()))


def namespace_restored_seconds(
    limit_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> float | None:
    """Seconds from the beginning of the restore until Velero had completed it.

    Waits for it, at most ``limit_seconds`` from that beginning, and gives None if Velero did not by then, or failed
    (`namespace_restore_problems` says why); 0.0 as long as this drill has restored no namespace.
    """
    clock = SystemClock()
    found = _restored.restoring(configuration, clock, velero_kind.VeleroRestore.name)
    if found is None:
        return 0.0
    if found.took is not None:
        return found.took
    phase, seconds = _velero.wait(found, limit_seconds, clock)
    if phase != velero_kind.COMPLETED:
        return None
    _restored.tell(found, seconds, clock)
    return seconds if seconds <= limit_seconds else None


def namespace_restore_problems(
    limit_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> List[str]:
    """What is wrong with the namespace that this drill has restored: that Velero failed, and each object that is older
    than the backup, still there, and not restored. Empty if all is well, or nothing was restored yet."""
    clock = SystemClock()
    found = _restored.restoring(configuration, clock, velero_kind.VeleroRestore.name)
    return [] if found is None else _velero.problems(found, limit_seconds, clock)

"""Restoring backups into scratch places, to see that they can be restored, how long it takes, and what is missing."""

from typing import Any, Dict

from blackstart import drill as drills
from blackstart.changes import restored_cluster, velero_restore
from blackstart.changes.database_backups import find_source
from blackstart.changes.restored_cluster import SNAPSHOT, SOURCES
from blackstart.errors import ConfigInvalid

__all__ = ["restore_database", "restore_namespace"]

LIMIT_SECONDS = 4 * 3600.0


def restore_database(
    cluster: str,
    region: str,
    from_: str = SNAPSHOT,
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Restore the newest backup of a database cluster into a new cluster beside it, which undo deletes.

    ``from_`` "snapshot": the newest snapshot; "point-in-time": the latest time that it can be restored to. The source
    is only read. Returns once the new cluster has been given its instance; the probe `restored_seconds` waits until it
    answers. The reverter deletes it after ``duration_seconds`` if the drill has not. Gives the ``changes`` that were
    made and the name of the new ``cluster``.
    """
    subject = f"restoring database cluster {cluster}"
    drill = drills.opened(configuration, subject)
    if from_ not in SOURCES:
        raise ConfigInvalid("restore_database", "from_", f"{from_!r} is none; there are {', '.join(SOURCES)}")
    changes = restored_cluster.plan_restore(find_source(drill.clients, region, cluster), from_)
    drill.inject(changes, subject, duration_seconds=duration_seconds)
    return {"changes": [change.summary for change in changes], "cluster": changes[0].target.id}


def restore_namespace(
    namespace: str,
    context: str = "",
    backup: str = "newest",
    velero: str = velero_restore.VELERO,
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Have Velero restore its newest ``backup`` of a namespace (or the one of that name) into a new namespace, in which
    no pod can start; undo deletes it.

    ``velero`` is the namespace that Velero is in. Returns once Velero has been told; `namespace_restored_seconds` waits
    until it is done. The reverter deletes the namespace after ``duration_seconds`` if the drill has not. Gives the
    ``changes`` that were made and the name of the new ``namespace``.
    """
    subject = f"restoring namespace {namespace}"
    drill = drills.opened(configuration, subject)
    changes = velero_restore.plan_restore(
        velero_restore.find_backups(drill.clients, context, namespace, velero), backup
    )
    drill.inject(changes, subject, duration_seconds=duration_seconds)
    return {"changes": [change.summary for change in changes], "namespace": changes[0].target.id}

"""Rebooting the writer of a database cluster: its engine restarts where it is, and every connection is cut.

Aurora may promote a reader meanwhile; that is left so, because failing back would interrupt users again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from blackstart.access import Aws, Need, arn, everything
from blackstart.changes.clients import Clients
from blackstart.changes.database_failover import AVAILABLE, WRITER, Cluster
from blackstart.changes.healed import Healed
from blackstart.changes.kind import Ending, Outcome
from blackstart.changes.model import Change, new_id
from blackstart.errors import NotYet, Refused, TargetChanged
from blackstart.scope import Target

CLUSTERS, INSTANCES, REBOOT = "rds:DescribeDBClusters", "rds:DescribeDBInstances", "rds:RebootDBInstance"
REBOOTING = "rebooting"
PATIENCE_SECONDS = 120.0


def plan_writer_reboot(found: Cluster, *, step: int = 0, new_change: Callable[[], str] = new_id) -> list[Change]:
    """The writer reboots. Pure. Refused if there is not exactly one, or it is not available."""
    subject = f"rebooting the writer of database cluster {found.id}"
    writers = [member for member in found.members if member.writer]
    if len(writers) != 1:
        raise Refused(subject, f"it has {len(writers)} writers")
    (writer,) = writers
    if not writer.available:
        raise Refused(subject, f"{writer.id} is not available")
    _, _, _, region, account, *_ = found.arn.split(":")
    return [
        Change(
            id=new_change(),
            kind=WriterReboot.name,
            target=Target("database cluster", found.id, account=account, region=region, tags=dict(found.tags)),
            before={WRITER: writer.id},
            after={WRITER: writer.id},
            summary=f"database cluster {found.id}: writer {writer.id} reboots, its connections are cut",
            undo_summary="nobody: RDS brings it up again; waits until it is available and the cluster has a writer",
            calls=(REBOOT,),
            step=step,
        )
    ]


class WriterReboot(Healed):
    """A writer that reboots. It is healed when it is available and the cluster has a writer."""

    name: ClassVar[str] = "rds.writer_reboot"
    permissions: ClassVar[tuple[str, ...]] = (CLUSTERS, INSTANCES, REBOOT)
    look_size: ClassVar[int] = 1

    def needs(self, change: Change) -> Sequence[Need]:
        target = change.target
        instance = arn("rds", target.region, target.account, f"db:{change.before[WRITER]}")
        return everything((CLUSTERS, INSTANCES), target.region, [Aws(REBOOT, (instance,))])

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        """One that reboots already is taken for our own doing, seen again after a call whose answer was lost."""
        for change in changes:
            rds, instance = clients.aws("rds", change.target.region), change.before[WRITER]
            writer, status = _writer(rds, change.target.id), _status(rds, instance)
            if not status:
                raise TargetChanged(str(change.target), f"its instance {instance} is gone")
            if status == REBOOTING:
                continue
            if writer != instance:
                raise TargetChanged(str(change.target), f"its writer is {writer or 'not known'}")
            try:
                rds.reboot_db_instance(DBInstanceIdentifier=instance)
            except rds.exceptions.InvalidDBInstanceStateFault as error:
                problem = f"not ready to reboot {instance} ({error})"
                raise NotYet(str(change.target), problem, PATIENCE_SECONDS) from error

    def look(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        return {change.id: _outcome(change, clients.aws("rds", change.target.region)) for change in changes}


def _outcome(change: Change, rds: Any) -> Outcome:
    instance, writer = change.before[WRITER], _writer(rds, change.target.id)
    status = _status(rds, instance)
    if not status:
        return Outcome(Ending.CONFLICT, f"instance {instance} of {change.target} no longer exists")
    if status != AVAILABLE:
        return Outcome(Ending.WAITING, f"instance {instance} of {change.target} is {status}")
    if not writer:
        return Outcome(Ending.WAITING, f"{change.target} has no writer")
    return Outcome(Ending.UNTOUCHED if writer == instance else Ending.RESTORED)


def _writer(rds: Any, cluster: str) -> str:
    """ "" if there is no such cluster, or it does not have exactly one."""
    try:
        (described,) = rds.describe_db_clusters(DBClusterIdentifier=cluster)["DBClusters"]
    except rds.exceptions.DBClusterNotFoundFault:
        return ""
    writers = [each["DBInstanceIdentifier"] for each in described["DBClusterMembers"] if each["IsClusterWriter"]]
    return str(writers[0]) if len(writers) == 1 else ""


def _status(rds: Any, instance: str) -> str:
    """ "" if there is no such instance."""
    try:
        (described,) = rds.describe_db_instances(DBInstanceIdentifier=instance)["DBInstances"]
    except rds.exceptions.DBInstanceNotFoundFault:
        return ""
    return str(described["DBInstanceStatus"])

"""A restore drill of a database: the newest backup of a cluster becomes a new cluster beside it, and is deleted again.

The source is only read. The scratch cluster and its one instance are named after the change and carry its id as a tag
from the very call that makes them, so that undo finds them even if an answer got lost, and deletes nothing else. An
instance can be made only once the cluster is available, which on AWS takes minutes to an hour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from blackstart.access import Aws, Need, arn, everything
from blackstart.changes.clients import Clients
from blackstart.changes.database_backups import AVAILABLE, Source, pages
from blackstart.changes.kind import AT_ONCE, Ending, Outcome
from blackstart.changes.leftovers import Tagged
from blackstart.changes.model import TAG, Change, new_id
from blackstart.errors import NotYet, Refused, TargetChanged
from blackstart.scope import Target

SNAPSHOT, POINT_IN_TIME = "snapshot", "point-in-time"
SOURCES = (SNAPSHOT, POINT_IN_TIME)
NOUN = "scratch database cluster"
LONGEST_NAME = 60  # RDS takes 63 characters; the instance is named after the cluster
PATIENCE_SECONDS = 3600.0  # a large cluster takes this long until it can be given an instance
DELETING = "deleting"
CLUSTERS, INSTANCES = "rds:DescribeDBClusters", "rds:DescribeDBInstances"
FROM_SNAPSHOT, TO_POINT_IN_TIME = "rds:RestoreDBClusterFromSnapshot", "rds:RestoreDBClusterToPointInTime"
CREATE, TAGGING = "rds:CreateDBInstance", "rds:AddTagsToResource"
DELETE_CLUSTER, DELETE_INSTANCE = "rds:DeleteDBCluster", "rds:DeleteDBInstance"


def plan_restore(found: Source, from_: str = SNAPSHOT, new_change: Callable[[], str] = new_id) -> list[Change]:
    """The newest backup of ``found`` in a cluster of its own; ``from_`` is one of SOURCES. Pure.

    Refused if there is no such backup.
    """
    subject = f"restoring database cluster {found.id}"
    if from_ == SNAPSHOT and found.snapshot is None:
        raise Refused(subject, "it has no snapshot that is available")
    if from_ == POINT_IN_TIME and not found.restorable:
        raise Refused(subject, "it has no time that it can be restored to, so it keeps no automated backups")
    change_id = new_change()
    name = scratch_name(change_id, found.id)
    taken = found.snapshot if from_ == SNAPSHOT else None
    told = f"snapshot {taken.id} of {taken.taken}" if taken else f"its latest restorable time ({found.restorable})"
    backup = {"snapshot": taken.id if taken else "", "arn": taken.arn if taken else found.arn}
    origin = {"source": found.id, "from": from_, **backup, **found.shape}
    return [
        Change(
            id=change_id,
            kind=RestoredCluster.name,
            target=Target(NOUN, name, account=found.account, region=found.region, tags=dict(found.tags)),
            before={"exists": False, **origin},
            after={"exists": True, **origin},
            summary=f"database cluster {found.id}: {told} restored into new cluster {name}",
            undo_summary="deleting the new cluster and its instance, without a final snapshot",
            calls=(FROM_SNAPSHOT if taken else TO_POINT_IN_TIME, CREATE),
        )
    ]


def scratch_name(change_id: str, source: str) -> str:
    """The scratch cluster that ``change_id`` makes of ``source``. Pure."""
    return f"{change_id}-{source.lower()}"[:LONGEST_NAME].rstrip("-")


def instance_name(cluster: str) -> str:
    """The one instance of a scratch cluster. Pure."""
    return f"{cluster}-1"


class RestoredCluster:
    """The scratch cluster of one change, with its instance: there, or not."""

    name: ClassVar[str] = "rds.restored_cluster"
    permissions: ClassVar[tuple[str, ...]] = (
        CLUSTERS,
        INSTANCES,
        FROM_SNAPSHOT,
        TO_POINT_IN_TIME,
        CREATE,
        TAGGING,
        DELETE_CLUSTER,
        DELETE_INSTANCE,
    )
    batch_size: ClassVar[int] = 1
    look_size: ClassVar[int] = 1
    at_once: ClassVar[int] = AT_ONCE
    joined: ClassVar[bool] = False
    restores: ClassVar[bool] = True

    def needs(self, change: Change) -> Sequence[Need]:
        target, origin = change.target, change.before

        def within(resource: str) -> str:
            return arn("rds", target.region, target.account, resource)

        scratch, instance = within(f"cluster:{target.id}"), within(f"db:{instance_name(target.id)}")
        around = tuple(within(f"{kind}:{origin[kind]}") for kind in ("subgrp", "cluster-pg") if origin[kind])
        restore = FROM_SNAPSHOT if origin["snapshot"] else TO_POINT_IN_TIME
        narrow = [
            Aws(restore, (scratch, origin["arn"], *around)),
            Aws(CREATE, (instance, scratch, *around)),
            Aws(TAGGING, (scratch, instance), implied_by=restore),
            Aws(DELETE_CLUSTER, (scratch,)),
            Aws(DELETE_INSTANCE, (instance, scratch)),
        ]
        return everything((CLUSTERS, INSTANCES), target.region, narrow)

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        for change in changes:
            _apply(change, clients.aws("rds", change.target.region))

    def undo(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        return {change.id: _undo(change, clients.aws("rds", change.target.region)) for change in changes}

    def verify(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        return {change.id: _look(change, clients.aws("rds", change.target.region)) for change in changes}

    def tagged(self, targets: Sequence[Target], clients: Clients) -> Iterable[Tagged]:
        """Clusters and instances that carry TAG in the regions of ``targets``."""
        for region in sorted({target.region for target in targets}):
            rds = clients.aws("rds", region)
            for item in pages(rds, "describe_db_clusters", "DBClusters"):
                yield from _tagged("db-cluster", item["DBClusterIdentifier"], item)
            for item in pages(rds, "describe_db_instances", "DBInstances"):
                yield from _tagged("db-instance", item["DBInstanceIdentifier"], item)


def _tagged(what: str, name: str, item: Mapping[str, Any]) -> Iterable[Tagged]:
    change = _maker(item)
    if change:
        yield Tagged(what, name, change)


def _maker(item: Mapping[str, Any]) -> str:
    """The change that made it, "" if none did."""
    return next((str(tag["Value"]) for tag in item.get("TagList", []) if tag["Key"] == TAG), "")


def _apply(change: Change, rds: Any) -> None:
    cluster, name = _cluster(change, rds), change.target.id
    if cluster is None:
        _restore(change, rds)
        cluster = _cluster(change, rds)
    if cluster is None:
        raise NotYet(str(change.target), "not to be seen", PATIENCE_SECONDS)
    if _maker(cluster) != change.id:
        raise TargetChanged(str(change.target), "there is one of this name that this drill did not make")
    if _instances(change, rds):
        return
    if cluster["Status"] != AVAILABLE:
        raise NotYet(str(change.target), str(cluster["Status"]), PATIENCE_SECONDS)
    try:
        rds.create_db_instance(
            DBInstanceIdentifier=instance_name(name),
            DBClusterIdentifier=name,
            Engine=change.before["engine"],
            DBInstanceClass=change.before["class"],
            PubliclyAccessible=False,
            Tags=[{"Key": TAG, "Value": change.id}],
        )
    except (rds.exceptions.InvalidDBClusterStateFault, rds.exceptions.DBInstanceAlreadyExistsFault) as error:
        # Not ready after all; or our own call, that got through before, or somebody else's instance: look first.
        raise NotYet(str(change.target), f"not ready for its instance ({error})", PATIENCE_SECONDS) from error


def _restore(change: Change, rds: Any) -> None:
    origin = change.before
    alike = {
        "DBClusterIdentifier": change.target.id,
        "DeletionProtection": False,
        "Tags": [{"Key": TAG, "Value": change.id}],
        **({"DBSubnetGroupName": origin["subgrp"]} if origin["subgrp"] else {}),
        **({"VpcSecurityGroupIds": origin["security groups"]} if origin["security groups"] else {}),
        **({"DBClusterParameterGroupName": origin["cluster-pg"]} if origin["cluster-pg"] else {}),
        **({"ServerlessV2ScalingConfiguration": origin["scaling"]} if origin["scaling"] else {}),
    }
    try:
        if origin["snapshot"]:
            rds.restore_db_cluster_from_snapshot(
                SnapshotIdentifier=origin["snapshot"], Engine=origin["engine"], **alike
            )
        else:
            rds.restore_db_cluster_to_point_in_time(
                SourceDBClusterIdentifier=origin["source"], UseLatestRestorableTime=True, **alike
            )
    except rds.exceptions.DBClusterAlreadyExistsFault as error:
        # Our own call that got through before, or somebody else's cluster: the next look tells by its tag.
        raise NotYet(str(change.target), "not to be seen, although its name is taken", PATIENCE_SECONDS) from error
    except (
        rds.exceptions.DBClusterSnapshotNotFoundFault,
        rds.exceptions.InvalidDBClusterSnapshotStateFault,
        rds.exceptions.DBClusterNotFoundFault,
    ) as error:
        raise TargetChanged(f"the backup of database cluster {origin['source']}", str(error)) from error


def _undo(change: Change, rds: Any) -> Outcome:
    """One step further: everything of ours is told to go, in the order that RDS takes it."""
    before = _look(change, rds)
    if before.ending is not Ending.PENDING:
        return before
    for instance in _instances(change, rds):
        if _maker(instance) == change.id and instance["DBInstanceStatus"] != DELETING:
            try:
                rds.delete_db_instance(DBInstanceIdentifier=instance["DBInstanceIdentifier"], SkipFinalSnapshot=True)
            except rds.exceptions.DBInstanceNotFoundFault:
                continue
            except rds.exceptions.InvalidDBInstanceStateFault as error:
                return Outcome(Ending.PENDING, f"{change.target} cannot be deleted yet ({error})")
    cluster = _cluster(change, rds)
    if cluster is not None and cluster["Status"] != DELETING:
        try:
            rds.delete_db_cluster(DBClusterIdentifier=change.target.id, SkipFinalSnapshot=True)
        except rds.exceptions.DBClusterNotFoundFault:
            return _look(change, rds)
        except rds.exceptions.InvalidDBClusterStateFault as error:
            return Outcome(Ending.PENDING, f"{change.target} cannot be deleted yet ({error})")
    after = _look(change, rds)
    return Outcome(Ending.RESTORED) if after.ending is Ending.UNTOUCHED else after


def _look(change: Change, rds: Any) -> Outcome:
    """PENDING while something is there that undo has to delete, WAITING while RDS deletes it."""
    cluster, instances = _cluster(change, rds), _instances(change, rds)
    if cluster is None and not instances:
        return Outcome(Ending.UNTOUCHED)
    foreign = [item["DBInstanceIdentifier"] for item in instances if _maker(item) != change.id]
    if cluster is not None and _maker(cluster) != change.id:
        return Outcome(Ending.CONFLICT, f"the database cluster {change.target.id} was not made by this drill")
    if foreign:
        return Outcome(Ending.CONFLICT, f"{change.target} has instances of somebody else: {', '.join(foreign)}")
    states = [str(item["DBInstanceStatus"]) for item in instances] + ([str(cluster["Status"])] if cluster else [])
    if all(state == DELETING for state in states):
        return Outcome(Ending.WAITING, f"{change.target} is being deleted")
    return Outcome(Ending.PENDING, f"{change.target} is still there ({', '.join(sorted(set(states)))})")


def _cluster(change: Change, rds: Any) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = rds.describe_db_clusters(DBClusterIdentifier=change.target.id)["DBClusters"][0]
    except rds.exceptions.DBClusterNotFoundFault:
        return None
    return found


def _instances(change: Change, rds: Any) -> list[Mapping[str, Any]]:
    """The instances of the scratch cluster, whoever made them."""
    found = pages(rds, "describe_db_instances", "DBInstances", Filters=[_of(change.target.id)])
    return [item for item in found if item.get("DBClusterIdentifier") == change.target.id]


def _of(cluster: str) -> dict[str, Any]:
    return {"Name": "db-cluster-id", "Values": [cluster]}

"""Failing a database cluster over to one of its readers, as RDS does when the writer or its zone is lost.

Two kinds, because going back costs users a second outage: ``rds.cluster_failover`` leaves the new writer in its place,
and its undo waits until the cluster is whole; ``rds.cluster_writer`` fails back to the old one, if the writer is still
the one that we chose.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from blackstart.access import Aws, Need, arn, everything
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen, Unsettled, Wanted
from blackstart.changes.healed import Healed
from blackstart.changes.kind import Ending, Outcome
from blackstart.changes.model import ZONE, Change, Share, new_id
from blackstart.changes.network import Vpc
from blackstart.errors import NotYet, Refused, TargetChanged
from blackstart.scope import Target

WRITER, AVAILABLE = "writer", "available"
READ, FAILOVER = "rds:DescribeDBClusters", "rds:FailoverDBCluster"
PATIENCE_SECONDS = 120.0  # a fail-over takes one minute


@dataclass(frozen=True)
class Member:
    """One instance of a cluster. ``tier``: lower is promoted first."""

    id: str
    zone: str
    writer: bool
    tier: int
    available: bool


@dataclass(frozen=True)
class Cluster:
    """One database cluster, as found. ``arn`` says in which account and region."""

    id: str
    members: tuple[Member, ...]
    tags: Mapping[str, str]
    arn: str = ""


def find_clusters(clients: Clients, region: str, names: Iterable[str]) -> list[Cluster]:
    """The database clusters ``names``; Refused if one is not there. Read-only."""
    rds = clients.aws("rds", region)
    return [_found(rds, name) for name in names]


def _found(rds: Any, name: str) -> Cluster:
    described = _described(rds, name)
    if described is None:
        raise Refused(f"failing over database cluster {name}", "there is no such cluster")
    pages = rds.get_paginator("describe_db_instances").paginate(
        Filters=[{"Name": "db-cluster-id", "Values": [described["DBClusterIdentifier"]]}]
    )
    instances = {item["DBInstanceIdentifier"]: item for page in pages for item in page["DBInstances"]}
    members = [
        Member(
            member["DBInstanceIdentifier"],
            str(instances[member["DBInstanceIdentifier"]].get("AvailabilityZone", "")),
            bool(member["IsClusterWriter"]),
            int(member.get("PromotionTier", 1)),
            instances[member["DBInstanceIdentifier"]]["DBInstanceStatus"] == AVAILABLE,
        )
        for member in described["DBClusterMembers"]
        if member["DBInstanceIdentifier"] in instances
    ]
    tags = {tag["Key"]: tag["Value"] for tag in described.get("TagList", [])}
    return Cluster(name, tuple(members), tags, str(described["DBClusterArn"]))


def plan_failovers(
    clusters: Sequence[Cluster],
    vpc: Vpc,
    zones: Collection[str],
    *,
    fail_back: bool = False,
    step: int = 0,
    new_change: Callable[[], str] = new_id,
) -> list[Change]:
    """The writers in ``zones`` move to a reader outside; clusters whose writer is elsewhere are left out. Pure.

    Refused if a cluster has no such reader.
    """
    changes = []
    for cluster in clusters:
        for writer in cluster.members:
            if writer.writer and writer.zone in zones:
                heir = _heir(cluster, writer, zones)
                target = _target(cluster, vpc.account, vpc.region, writer.zone)
                share = Share(ZONE, vpc.region, (writer.zone,), len(vpc.zones))
                moved = _moved(cluster, target, (writer, heir), fail_back=fail_back, step=step, id=new_change())
                changes.append(replace(moved, share=share))
    return changes


def plan_cluster_failover(
    found: Cluster,
    to: str = "",
    *,
    fail_back: bool = False,
    step: int = 0,
    new_change: Callable[[], str] = new_id,
) -> list[Change]:
    """The writer moves to the reader ``to``, or to the one that RDS would choose. Pure.

    Refused if there is no such reader, it is not available, or the cluster does not have exactly one writer.
    """
    subject = f"failing over database cluster {found.id}"
    writers = [member for member in found.members if member.writer]
    if len(writers) != 1:
        raise Refused(subject, f"it has {len(writers)} writers")
    (writer,) = writers
    if to == writer.id:
        raise Refused(subject, f"{to} is its writer already")
    able = {member.id: member for member in found.members if member.available and not member.writer}
    if to not in able and to:
        raise Refused(
            subject, f"{to} is no reader of it that is available; there is {', '.join(sorted(able)) or 'none'}"
        )
    if not able:
        raise Refused(subject, "no reader is available to take over")
    heir = able[to] if to else _first(able.values())
    _, _, _, region, account, *_ = found.arn.split(":")
    target = _target(found, account, region)
    return [_moved(found, target, (writer, heir), fail_back=fail_back, step=step, id=new_change())]


def _heir(cluster: Cluster, writer: Member, zones: Collection[str]) -> Member:
    able = [member for member in cluster.members if member.available and member.zone not in zones and not member.writer]
    if not able:
        raise Refused(
            f"failing over database cluster {cluster.id}",
            f"its writer {writer.id} is in {writer.zone}, and no reader outside is available to take over",
        )
    return _first(able)


def _first(able: Iterable[Member]) -> Member:
    """The one that RDS promotes."""
    return min(able, key=lambda member: (member.tier, member.id))


def _target(cluster: Cluster, account: str, region: str, zone: str = "") -> Target:
    tags = dict(cluster.tags)
    return Target("database cluster", cluster.id, account=account, region=region, zone=zone, tags=tags)


def _moved(
    cluster: Cluster, target: Target, way: tuple[Member, Member], *, fail_back: bool, step: int, id: str
) -> Change:
    writer, heir = way
    leave = f"nobody: {heir.id} stays the writer (failing back would interrupt users again); waits until it is whole"
    return Change(
        id=id,
        kind=ClusterWriter.name if fail_back else ClusterFailover.name,
        target=target,
        before={WRITER: writer.id},
        after={WRITER: heir.id},
        summary=f"database cluster {cluster.id}: writer {writer.id} ({writer.zone}) → {heir.id} ({heir.zone})",
        undo_summary=f"failing back to {writer.id}, which interrupts users again" if fail_back else leave,
        calls=(FAILOVER,),
        step=step,
    )


class ClusterFailover(Healed):
    """A fail-over that is not taken back. It is healed when the cluster has a writer and all is available."""

    name: ClassVar[str] = "rds.cluster_failover"
    permissions: ClassVar[tuple[str, ...]] = (READ, FAILOVER)

    def needs(self, change: Change) -> Sequence[Need]:
        return _needs(change)

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        _apply(changes, clients)

    def look(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        return {change.id: _outcome(change, _seen(change, clients)) for change in changes}


class ClusterWriter(CompareAndRestore):
    """Which instance of a database cluster is the writer."""

    name: ClassVar[str] = "rds.cluster_writer"
    permissions: ClassVar[tuple[str, ...]] = (READ, FAILOVER)

    def needs(self, change: Change) -> Sequence[Need]:
        return _needs(change)

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        _apply(changes, clients)

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        return {change.id: _seen(change, clients) for change in changes}

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        for item in wanted:
            _fail_over(item.change, str(item.fields[WRITER]), clients)


def _needs(change: Change) -> Sequence[Need]:
    target = change.target
    cluster = arn("rds", target.region, target.account, f"cluster:{target.id}")
    return everything((READ,), target.region, [Aws(FAILOVER, (cluster,))])


def _apply(changes: Sequence[Change], clients: Clients) -> None:
    for change in changes:
        seen = _seen(change, clients)
        if seen is None:
            raise TargetChanged(str(change.target), "it is gone")
        if isinstance(seen, Unsettled):
            raise NotYet(str(change.target), seen.doing, PATIENCE_SECONDS)
        if seen[WRITER] == change.after[WRITER]:
            continue
        if seen[WRITER] != change.before[WRITER]:
            raise TargetChanged(str(change.target), f"its writer is {seen[WRITER] or 'not known'}")
        _fail_over(change, change.after[WRITER], clients)


def _fail_over(change: Change, to: str, clients: Clients) -> None:
    rds = clients.aws("rds", change.target.region)
    try:
        rds.failover_db_cluster(DBClusterIdentifier=change.target.id, TargetDBInstanceIdentifier=to)
    except (rds.exceptions.InvalidDBClusterStateFault, rds.exceptions.InvalidDBInstanceStateFault) as error:
        raise NotYet(str(change.target), f"not ready to fail over to {to} ({error})", PATIENCE_SECONDS) from error


def _seen(change: Change, clients: Clients) -> Seen:
    described = _described(clients.aws("rds", change.target.region), change.target.id)
    if described is None:
        return None
    if described["Status"] != AVAILABLE:
        return Unsettled(str(described["Status"]))
    writers = [member["DBInstanceIdentifier"] for member in described["DBClusterMembers"] if member["IsClusterWriter"]]
    return {WRITER: writers[0] if len(writers) == 1 else ""}


def _described(rds: Any, name: str) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]
    except rds.exceptions.DBClusterNotFoundFault:
        return None
    return found


def _outcome(change: Change, seen: Seen) -> Outcome:
    if seen is None:
        return Outcome(Ending.CONFLICT, f"{change.target} no longer exists")
    if isinstance(seen, Unsettled):
        return Outcome(Ending.WAITING, f"{change.target} is {seen.doing}")
    if not seen[WRITER]:
        return Outcome(Ending.WAITING, f"{change.target} has no writer")
    return Outcome(Ending.UNTOUCHED if seen[WRITER] == change.before[WRITER] else Ending.RESTORED)

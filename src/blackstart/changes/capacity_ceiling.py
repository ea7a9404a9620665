"""Lowering how far an Aurora Serverless v2 cluster may scale up: its MaxCapacity, in Aurora capacity units (ACU).

Applied at once, not in the next maintenance window. The minimum stays whatever it is then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from blackstart.access import Aws, Need, arn, everything
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen, Unsettled, Wanted
from blackstart.changes.model import Change, new_id
from blackstart.errors import NotYet, Refused
from blackstart.scope import Target

CEILING = "ceiling"
READ, MODIFY = "rds:DescribeDBClusters", "rds:ModifyDBCluster"
LOWEST, STEP = 1.0, 0.5
"""AWS takes no lower ceiling than one unit, and only halves of units."""
AVAILABLE, PATIENCE_SECONDS = "available", 120.0
SCALING = "ServerlessV2ScalingConfiguration"


@dataclass(frozen=True)
class Capacity:
    """What a cluster may scale between, in ACU; ``largest`` is None if it is not Serverless v2."""

    cluster: str
    arn: str
    smallest: float
    largest: float | None
    tags: Mapping[str, str]


def find_capacity(clients: Clients, region: str, cluster: str) -> Capacity:
    """The limits of database cluster ``cluster``; Refused if there is none. Read-only."""
    described = _described(clients.aws("rds", region), cluster)
    if described is None:
        raise Refused(f"lowering the capacity of database cluster {cluster}", "there is no such cluster")
    scaling = described.get(SCALING) or {}
    largest = scaling.get("MaxCapacity")
    return Capacity(
        cluster,
        str(described["DBClusterArn"]),
        float(scaling.get("MinCapacity", 0.0)),
        None if largest is None else float(largest),
        {tag["Key"]: tag["Value"] for tag in described.get("TagList") or []},
    )


def plan_ceiling(
    found: Capacity, units: float, *, step: int = 0, new_change: Callable[[], str] = new_id
) -> list[Change]:
    """The cluster scales up to ``units`` ACU at most. Pure.

    Refused if it is not Serverless v2, or ``units`` is below its minimum, not below its ceiling, or no half of a unit.
    """
    subject = f"lowering the capacity of database cluster {found.cluster} to {units:g} ACU"
    if found.largest is None:
        raise Refused(subject, "it is not Aurora Serverless v2, so it does not scale")
    if units < max(found.smallest, LOWEST):
        raise Refused(subject, f"its minimum is {found.smallest:g} ACU, and AWS takes no ceiling below {LOWEST:g}")
    if units >= found.largest:
        raise Refused(subject, f"its ceiling is {found.largest:g} ACU already")
    if units % STEP:
        raise Refused(subject, "AWS takes halves of a unit only")
    _, _, _, region, account, *_ = found.arn.split(":")
    return [
        Change(
            id=new_change(),
            kind=CapacityCeiling.name,
            target=Target("database cluster", found.cluster, account=account, region=region, tags=dict(found.tags)),
            before={CEILING: found.largest},
            after={CEILING: units},
            summary=f"database cluster {found.cluster}: at most {found.largest:g} ACU → {units:g} ACU",
            undo_summary=f"letting it scale up to {found.largest:g} ACU again",
            calls=(MODIFY,),
            step=step,
        )
    ]


class CapacityCeiling(CompareAndRestore):
    """The most that a Serverless v2 cluster may scale up to."""

    name: ClassVar[str] = "rds.capacity_ceiling"
    permissions: ClassVar[tuple[str, ...]] = (READ, MODIFY)

    def needs(self, change: Change) -> Sequence[Need]:
        target = change.target
        cluster = arn("rds", target.region, target.account, f"cluster:{target.id}")
        return everything((READ,), target.region, [Aws(MODIFY, (cluster,))])

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        found: dict[str, Seen] = {}
        for change in changes:
            described = _described(clients.aws("rds", change.target.region), change.target.id)
            if described is None:
                found[change.id] = None
            elif described["Status"] != AVAILABLE:
                found[change.id] = Unsettled(str(described["Status"]))
            else:
                scaling = described.get(SCALING) or {}
                found[change.id] = {CEILING: scaling.get("MaxCapacity"), SCALING: scaling}
        return found

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        for item in wanted:
            rds = clients.aws("rds", item.change.target.region)
            # What is not said again may be taken as its default, so the other limits are written as they were read.
            scaling = {**item.seen[SCALING], "MaxCapacity": item.fields[CEILING]}
            try:
                rds.modify_db_cluster(
                    DBClusterIdentifier=item.change.target.id,
                    ServerlessV2ScalingConfiguration=scaling,
                    ApplyImmediately=True,
                )
            except rds.exceptions.InvalidDBClusterStateFault as error:
                raise NotYet(
                    str(item.change.target), f"not ready to be modified ({error})", PATIENCE_SECONDS
                ) from error


def _described(rds: Any, cluster: str) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = rds.describe_db_clusters(DBClusterIdentifier=cluster)["DBClusters"][0]
    except rds.exceptions.DBClusterNotFoundFault:
        return None
    return found

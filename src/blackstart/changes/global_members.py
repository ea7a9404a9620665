"""Aurora global databases as the RDS API of one region tells of them. Read-only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blackstart.changes.clients import Clients
from blackstart.errors import Refused

AVAILABLE, SYNCHRONISED = "available", "connected"


@dataclass(frozen=True)
class GlobalMember:
    """One cluster of a global database. ``synchronised``: false while AWS rebuilds it."""

    arn: str
    writer: bool
    synchronised: bool

    @property
    def region(self) -> str:
        return region_of(self.arn)

    @property
    def cluster(self) -> str:
        return self.arn.rpartition(":")[2]


@dataclass(frozen=True)
class GlobalDatabase:
    """One global database, as the API in the region ``ask`` tells of it. ``busy``: what it is doing, "" if nothing.

    ``tags`` are the global cluster's own, and for keys that it lacks those of its member in ``ask``.
    """

    id: str
    arn: str
    account: str
    ask: str
    members: tuple[GlobalMember, ...]
    tags: Mapping[str, str]
    busy: str = ""

    @property
    def writer(self) -> GlobalMember | None:
        """The member that writes; None unless it is exactly one."""
        writers = [member for member in self.members if member.writer]
        return writers[0] if len(writers) == 1 else None

    def member(self, region: str) -> GlobalMember | None:
        """The member in ``region``, if it has one there."""
        return next((member for member in self.members if member.region == region), None)


def region_of(cluster_arn: str) -> str:
    """The region of a database cluster's ARN."""
    return cluster_arn.split(":")[3]


def find_global_database(clients: Clients, region: str, name: str) -> GlobalDatabase:
    """The global database ``name``, as the API of ``region`` knows it; Refused if there is none. Read-only.

    During a region drill give the region that survives: no other one is asked.
    """
    rds = clients.aws("rds", region)
    found = describe(rds, name)
    if found is None:
        raise Refused(f"touching global database {name}", f"there is no such global cluster in {region}")
    members = tuple(
        GlobalMember(member["DBClusterArn"], bool(member["IsWriter"]), synchronised(member))
        for member in found["GlobalClusterMembers"]
    )
    here = [member.cluster for member in members if member.region == region]
    arn = str(found["GlobalClusterArn"])
    tags = _tags(rds.describe_db_clusters(DBClusterIdentifier=here[0])["DBClusters"][0]) if here else {}
    return GlobalDatabase(name, arn, arn.split(":")[4], region, members, tags | _tags(found), doing(found))


def describe(rds: Any, name: str) -> Mapping[str, Any] | None:
    """A global cluster as the API answers; None if there is none."""
    try:
        found: Sequence[Mapping[str, Any]] = rds.describe_global_clusters(GlobalClusterIdentifier=name)[
            "GlobalClusters"
        ]
    except rds.exceptions.GlobalClusterNotFoundFault:
        return None
    return found[0] if found else None


def doing(described: Mapping[str, Any]) -> str:
    """What a global cluster is doing, "" if nothing. A move on its way may show in one place before the other."""
    status, move = str(described["Status"]), str((described.get("FailoverState") or {}).get("Status") or "")
    return move or ("" if status == AVAILABLE else status)


def synchronised(member: Mapping[str, Any]) -> bool:
    """Whether AWS does not say that it rebuilds this member; older databases say nothing at all."""
    return bool(member.get("SynchronizationStatus", SYNCHRONISED) == SYNCHRONISED)


def _tags(described: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in described.get("TagList") or []}

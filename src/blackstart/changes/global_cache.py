"""Which region has the primary of an ElastiCache global datastore: moving it, and having it home again.

Two kinds. ``elasticache.global_failover`` moves the primary to another region, and undo moves it back.
``elasticache.global_primary`` is a pledge: apply changes nothing; should the platform's own automation move the primary
away while its region is lost, undo moves it home. AWS makes a secondary the primary, with what has been replicated.

Both ask one region only (``ask``), and never the one that is lost: each region's API lists the members in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from blackstart.access import Aws, Need, arn
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen, Unsettled, Wanted
from blackstart.changes.model import TAKES_NOTHING, Change, new_id
from blackstart.errors import NotYet, Refused
from blackstart.scope import Target

PRIMARY, GROUPS, ASK, ARN = "primary", "groups", "ask", "arn"
ELSEWHERE = "another region"
SETTLED, ASSOCIATED = ("available", "primary-only"), "associated"
READ, FAILOVER = "elasticache:DescribeGlobalReplicationGroups", "elasticache:FailoverGlobalReplicationGroup"
PATIENCE_SECONDS = 300.0  # a fail-over takes about a minute, and waits for its turn behind whatever is being modified


@dataclass(frozen=True)
class GlobalMember:
    """The replication group ``group`` of a global datastore in ``region``; ``associated``: it is in its role."""

    region: str
    group: str
    primary: bool
    associated: bool


@dataclass(frozen=True)
class GlobalCache:
    """One global datastore, as found by asking region ``asked``.

    AWS puts no tags on global datastores: ``tags`` are those of the member in ``asked``.
    """

    id: str
    arn: str
    asked: str
    members: tuple[GlobalMember, ...]
    tags: Mapping[str, str]

    def member(self, region: str) -> GlobalMember | None:
        """The member in ``region``, if there is one."""
        return next((member for member in self.members if member.region == region), None)

    @property
    def primary(self) -> GlobalMember | None:
        """The member that takes writes; None if AWS tells of none."""
        return next((member for member in self.members if member.primary), None)

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]


def find_global_cache(clients: Clients, region: str, name: str) -> GlobalCache:
    """The global datastore with the id ``name``, prefix included, as ``region`` tells it. Read-only.

    Refused if there is none, or none of its members is in ``region``.
    """
    cache = clients.aws("elasticache", region)
    subject = f"moving the primary of global cache {name}"
    described = _described(cache, name)
    if described is None:
        raise Refused(subject, f"there is no such global datastore, as {region} tells")
    found = GlobalCache(name, described["ARN"], region, _members(described), {})
    here = found.member(region)
    if here is None:
        raise Refused(subject, f"it has no member in {region}, so whether it has opted in cannot be asked there")
    group = arn("elasticache", region, found.account, f"replicationgroup:{here.group}")
    tags = {tag["Key"]: tag["Value"] for tag in cache.list_tags_for_resource(ResourceName=group)["TagList"]}
    return GlobalCache(name, found.arn, region, found.members, tags)


def plan_global_cache_failover(
    found: GlobalCache, to_region: str, *, step: int = 0, new_change: Callable[[], str] = new_id
) -> list[Change]:
    """The primary moves to the member in ``to_region``. Refused if it cannot, or is there already. Pure."""
    subject = f"moving the primary of global cache {found.id} to {to_region}"
    home, heir = _primary(found, subject), found.member(to_region)
    if heir is None:
        raise Refused(subject, f"its members are in {', '.join(member.region for member in found.members)}")
    if heir.primary:
        raise Refused(subject, "it is there already")
    if not heir.associated:
        raise Refused(subject, f"{heir.group} is not associated now, so it may lack what the primary holds")
    way = f"primary {home.group} ({home.region}) → {heir.group} ({heir.region})"
    return [
        Change(
            id=new_change(),
            kind=GlobalCacheFailover.name,
            target=_target(found, home),
            before=_state(found, home.region),
            after=_state(found, heir.region),
            summary=f"global cache {found.id}: {way}",
            undo_summary=f"moving it back to {home.group} once that is associated, which interrupts writes again",
            calls=(FAILOVER,),
            step=step,
        )
    ]


def plan_global_primary(found: GlobalCache, *, step: int = 0, new_change: Callable[[], str] = new_id) -> list[Change]:
    """A pledge that the primary is where it is now when the drill is over, whoever moves it meanwhile. Pure."""
    home = _primary(found, f"pledging that the primary of global cache {found.id} comes home")
    return [
        Change(
            id=new_change(),
            kind=GlobalCachePrimary.name,
            target=_target(found, home),
            before=_state(found, home.region),
            after=_state(found, ELSEWHERE),
            summary=f"global cache {found.id}: nothing; its primary {home.group} ({home.region}) may be moved away",
            undo_summary=f"moving the primary back to {home.group} once that is associated, if it was moved",
            step=step,
            share=TAKES_NOTHING,
        )
    ]


def _primary(found: GlobalCache, subject: str) -> GlobalMember:
    home = found.primary
    if home is None:
        raise Refused(subject, "AWS does not tell which of its members is the primary")
    return home


def _target(found: GlobalCache, home: GlobalMember) -> Target:
    return Target("global cache", found.id, account=found.account, region=home.region, tags=dict(found.tags))


def _state(found: GlobalCache, primary: str) -> dict[str, Any]:
    groups = {member.region: member.group for member in found.members}
    return {PRIMARY: primary, GROUPS: groups, ASK: found.asked, ARN: found.arn}


class GlobalCacheFailover(CompareAndRestore):
    """Which region has the primary of a global datastore."""

    name: ClassVar[str] = "elasticache.global_failover"
    permissions: ClassVar[tuple[str, ...]] = (READ, FAILOVER)

    def needs(self, change: Change) -> Sequence[Need]:
        account, before = change.target.account, change.before
        groups = [
            arn("elasticache", region, account, f"replicationgroup:{group}") for region, group in before[GROUPS].items()
        ]
        return (Aws(READ, (before[ARN],)), Aws(FAILOVER, (before[ARN], *groups)))

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        return {change.id: _seen(change, clients) for change in changes}

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        for item in wanted:
            _move(item.change, str(item.fields[PRIMARY]), clients)


class GlobalCachePrimary(GlobalCacheFailover):
    """That the primary of a global datastore is home again, wherever somebody else moved it."""

    name: ClassVar[str] = "elasticache.global_primary"

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        """Nothing: only what the platform does while the drill goes on is taken back."""

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        """All other members are as good as each other: it is not for us which one the platform chose."""
        return {change.id: _home_or_elsewhere(change, _seen(change, clients)) for change in changes}


def _home_or_elsewhere(change: Change, seen: Seen) -> Seen:
    if not isinstance(seen, Mapping) or seen[PRIMARY] not in change.before[GROUPS]:
        return seen
    return {**seen, PRIMARY: seen[PRIMARY] if seen[PRIMARY] == change.before[PRIMARY] else ELSEWHERE}


def _seen(change: Change, clients: Clients) -> Seen:
    described = _described(clients.aws("elasticache", change.before[ASK]), change.target.id)
    if described is None:
        return None
    if described["Status"] not in SETTLED:
        return Unsettled(str(described["Status"]))
    members = _members(described)
    primary = next((member for member in members if member.primary), None)
    home = change.before[PRIMARY]
    if primary is None:
        return Unsettled("without a primary")
    if home not in {member.region for member in members}:
        left = f"{primary.region}, and {change.before[GROUPS][home]} ({home}) is no member any more"
        return {**change.before, PRIMARY: left}
    return {**change.before, PRIMARY: primary.region}


def _move(change: Change, region: str, clients: Clients) -> None:
    """NotYet unless the member there could take over with nothing missing."""
    cache, group = clients.aws("elasticache", change.before[ASK]), change.before[GROUPS][region]
    described = _described(cache, change.target.id) or {}
    ready = any(member.region == region and member.associated for member in _members(described))
    if not ready:
        raise NotYet(str(change.target), f"without {group} ({region}) associated", PATIENCE_SECONDS)
    try:
        cache.failover_global_replication_group(
            GlobalReplicationGroupId=change.target.id, PrimaryRegion=region, PrimaryReplicationGroupId=group
        )
    except cache.exceptions.InvalidGlobalReplicationGroupStateFault as error:
        raise NotYet(str(change.target), f"not ready to move to {region} ({error})", PATIENCE_SECONDS) from error


def _described(cache: Any, name: str) -> Mapping[str, Any] | None:
    try:
        answer = cache.describe_global_replication_groups(GlobalReplicationGroupId=name, ShowMemberInfo=True)
    except cache.exceptions.GlobalReplicationGroupNotFoundFault:
        return None
    found: Mapping[str, Any] = answer["GlobalReplicationGroups"][0]
    return found


def _members(described: Mapping[str, Any]) -> tuple[GlobalMember, ...]:
    return tuple(
        GlobalMember(
            member["ReplicationGroupRegion"],
            member["ReplicationGroupId"],
            str(member["Role"]).upper() == "PRIMARY",
            member["Status"] == ASSOCIATED,
        )
        for member in described.get("Members", [])
    )

"""Which region of an Aurora global database writes: failed over, switched over, and brought home again.

The way back is always a switch-over, which loses nothing and which AWS grants only to a member that is synchronised.
After a fail-over the old primary rejoins as a secondary and its volume is rebuilt, which takes minutes to hours: until
then undo is pending. Nothing here asks the region that lost the writer: a fail-over is asked for in the region that
takes over, a switch-over in the one that writes, and all else in the region that the change names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from blackstart.access import Aws, Need, everything
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen, Unsettled, Wanted
from blackstart.changes.global_members import (
    GlobalDatabase,
    GlobalMember,
    describe,
    doing,
    find_global_database,
    region_of,
    synchronised,
)
from blackstart.changes.model import TAKES_NOTHING, Change, Json, Share, new_id
from blackstart.errors import NotYet, Refused, TargetChanged
from blackstart.scope import Target

WRITER, ARN, ASK, MEMBERS = "writer", "arn", "ask", "members"
AT, REBUILDING = "at", "rebuilding"
ANYWHERE = "any other member"
"""What a pledge has as its ``after``: wherever the platform takes the writer."""
READ = "rds:DescribeGlobalClusters"
FAILOVER, SWITCHOVER = "rds:FailoverGlobalCluster", "rds:SwitchoverGlobalCluster"
PATIENCE_SECONDS = 300.0  # a switch-over takes minutes

__all__ = [
    "GlobalDatabase",
    "GlobalFailover",
    "GlobalMember",
    "GlobalSwitchover",
    "GlobalWriter",
    "find_global_database",
    "plan_global_failover",
    "plan_global_writer",
]


def plan_global_failover(
    found: GlobalDatabase,
    to_region: str,
    *,
    data_loss: bool,
    step: int = 0,
    new_change: Callable[[], str] = new_id,
) -> list[Change]:
    """The member in ``to_region`` becomes the writer: at once and with ``data_loss``, or without, if all is healthy.

    Pure. Refused if it has no member there, that one writes already, or the database is not fit for it.
    """
    way = "failing over" if data_loss else "switching over"
    subject = f"{way} global database {found.id} to {to_region}"
    home, heir = _fit(found, subject), found.member(to_region)
    if heir is None:
        regions = ", ".join(member.region for member in found.members)
        raise Refused(subject, f"it has no member there; its members are in {regions}")
    if heir == home:
        raise Refused(subject, "its writer is there already")
    if not heir.synchronised and not data_loss:
        raise Refused(subject, f"{heir.cluster} is not synchronised, so a switch-over is not possible")
    loses = "what it had not received is lost" if data_loss else "nothing is lost"
    wait = "once that is rebuilt and synchronised" if data_loss else "without loss"
    return [
        _change(
            found,
            home,
            GlobalFailover.name if data_loss else GlobalSwitchover.name,
            id=new_change(),
            ask=to_region,
            after=heir.arn,
            summary=f"global database {found.id}: writer {home.cluster} → {heir.cluster}, {loses}",
            undo_summary=f"switching back to {home.cluster}, {wait}; users are interrupted again",
            calls=(FAILOVER if data_loss else SWITCHOVER,),
            step=step,
        )
    ]


def plan_global_writer(found: GlobalDatabase, *, step: int = 0, new_change: Callable[[], str] = new_id) -> list[Change]:
    """A pledge to bring the writer home, wherever the platform takes it: applying it changes nothing. Pure.

    It is asked for where ``found`` was, so that is to be a region that survives. Refused if it has no settled writer,
    or no member that could take over.
    """
    subject = f"pledging the writer of global database {found.id} to its region"
    home = _fit(found, subject)
    if len(found.members) < 2:
        raise Refused(subject, "it has no other member, so the writer cannot move")
    return [
        _change(
            found,
            home,
            GlobalWriter.name,
            id=new_change(),
            ask=found.ask,
            after=ANYWHERE,
            summary=f"global database {found.id}: nothing; its writer is brought home to {home.cluster} afterwards",
            undo_summary=f"switching over to {home.cluster} without loss, if the platform has moved the writer",
            calls=(),
            step=step,
            share=TAKES_NOTHING,
        )
    ]


def _fit(found: GlobalDatabase, subject: str) -> GlobalMember:
    """The writer of a database that is at rest."""
    if found.busy:
        raise Refused(subject, f"it is {found.busy}")
    if found.writer is None:
        raise Refused(subject, "it does not have exactly one writer")
    return found.writer


def _change(
    found: GlobalDatabase,
    home: GlobalMember,
    kind: str,
    *,
    id: str,
    ask: str,
    after: str,
    summary: str,
    undo_summary: str,
    calls: tuple[str, ...],
    step: int,
    share: Share | None = None,
) -> Change:
    context: dict[str, Json] = {ARN: found.arn, ASK: ask, MEMBERS: sorted(member.arn for member in found.members)}
    return Change(
        id=id,
        kind=kind,
        target=Target("global database", found.id, account=found.account, region=home.region, tags=dict(found.tags)),
        before={WRITER: home.arn, **context},
        after={WRITER: after, **context},
        summary=summary,
        undo_summary=undo_summary,
        calls=calls,
        step=step,
        share=share,
    )


class _Writer(CompareAndRestore):
    """Which member of a global database writes."""

    loses: ClassVar[bool] = False

    def needs(self, change: Change) -> Sequence[Need]:
        resources = (change.before[ARN], *change.before[MEMBERS])
        writes = [Aws(name, resources) for name in self.permissions if name != READ]
        return everything((READ,), change.before[ASK], writes)

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        for change in changes:
            seen = self.read([change], clients)[change.id]
            if seen is None:
                raise TargetChanged(str(change.target), "it is gone")
            if isinstance(seen, Unsettled):
                raise NotYet(str(change.target), seen.doing, PATIENCE_SECONDS)
            if seen[WRITER] not in (change.before[WRITER], change.after[WRITER]):
                raise TargetChanged(str(change.target), f"its writer is {seen[WRITER]}")
            if seen[WRITER] != change.after[WRITER]:
                self.write([Wanted(change, {WRITER: change.after[WRITER]}, seen)], clients)

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        found: dict[str, Seen] = {}
        for change in changes:
            described = describe(clients.aws("rds", change.before[ASK]), change.target.id)
            found[change.id] = None if described is None else _seen(change, described)
        return found

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        for item in wanted:
            change, to = item.change, str(item.fields[WRITER])
            loses = self.loses and to == change.after[WRITER]
            if to == change.before[WRITER] and item.seen[REBUILDING]:
                raise NotYet(str(change.target), f"rebuilding {to}", PATIENCE_SECONDS)
            # An emergency is answered by the region that takes over; in good order, the one that writes hands over.
            rds = clients.aws("rds", region_of(to if loses else item.seen[AT]))
            which = {"GlobalClusterIdentifier": change.target.id, "TargetDbClusterIdentifier": to}
            try:
                if loses:
                    rds.failover_global_cluster(**which, AllowDataLoss=True)
                else:
                    rds.switchover_global_cluster(**which)
            except (rds.exceptions.InvalidGlobalClusterStateFault, rds.exceptions.InvalidDBClusterStateFault) as error:
                problem = f"not ready to make {to} its writer ({error})"
                raise NotYet(str(change.target), problem, PATIENCE_SECONDS) from error


class GlobalFailover(_Writer):
    """A fail-over with data loss allowed."""

    name: ClassVar[str] = "rds.global_failover"
    permissions: ClassVar[tuple[str, ...]] = (READ, FAILOVER, SWITCHOVER)
    loses: ClassVar[bool] = True


class GlobalSwitchover(_Writer):
    """A switch-over in good order."""

    name: ClassVar[str] = "rds.global_switchover"
    permissions: ClassVar[tuple[str, ...]] = (READ, SWITCHOVER)


class GlobalWriter(_Writer):
    """A pledge: the platform may move the writer, we bring it home."""

    name: ClassVar[str] = "rds.global_writer"
    permissions: ClassVar[tuple[str, ...]] = (READ, SWITCHOVER)

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        """Change nothing. TargetChanged if there is nothing to bring the writer home to."""
        for change, seen in self.read(changes, clients).items():
            if seen is None:
                raise TargetChanged(f"the global database of change {change}", "it is gone")


def _seen(change: Change, described: Mapping[str, Any]) -> Seen:
    """``at``: the cluster that writes; ``rebuilding``: whether the one that wrote before the drill is not whole yet."""
    busy, members = doing(described), described["GlobalClusterMembers"]
    writers = [str(member["DBClusterArn"]) for member in members if member["IsWriter"]]
    if busy or len(writers) != 1:
        return Unsettled(busy or "without exactly one writer")
    (at,), home = writers, change.before[WRITER]
    whole = {member["DBClusterArn"]: synchronised(member) for member in members}
    told = at
    if home not in whole:
        told = f"{at} (and {home} is no member any more)"
    elif change.after[WRITER] == ANYWHERE and at != home:
        told = ANYWHERE
    return {WRITER: told, AT: at, REBUILDING: not whole.get(home)}

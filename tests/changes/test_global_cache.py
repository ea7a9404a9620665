"""Global datastores on moto, as the lab has them: who has the primary is the emulator's own word."""

from dataclasses import replace

import pytest
from test_kind_permissions import differences, walk

from blackstart.changes.clients import Clients
from blackstart.changes.gate import inject
from blackstart.changes.global_cache import (
    GlobalCacheFailover,
    GlobalCachePrimary,
    find_global_cache,
    plan_global_cache_failover,
    plan_global_primary,
)
from blackstart.changes.kind import Ending
from blackstart.changes.undo import undo
from blackstart.errors import NotYet, Refused, TargetChanged

HOME, STANDBY, THIRD = "us-east-1", "us-west-2", "eu-west-1"
NAME = "ldgnf-shop"
LOSING = f"losing region {HOME}"


@pytest.fixture
def datastore(clients):
    """Three regions, the first of them the primary; gives who it is."""
    for region in (HOME, STANDBY, THIRD):
        cache = clients.aws("elasticache", region)
        joined = {} if region == HOME else {"GlobalReplicationGroupId": NAME}
        cache.create_replication_group(
            ReplicationGroupId=f"shop-{region}",
            ReplicationGroupDescription="shop",
            NumCacheClusters=1,
            Engine="redis",
            Tags=[{"Key": "blackstart", "Value": "allowed"}],
            **joined,
        )
        if region == HOME:
            cache.create_global_replication_group(
                GlobalReplicationGroupIdSuffix="shop", PrimaryReplicationGroupId="shop-us-east-1"
            )

    def primary():
        answer = clients.aws("elasticache", STANDBY).describe_global_replication_groups(
            GlobalReplicationGroupId=NAME, ShowMemberInfo=True
        )
        members = answer["GlobalReplicationGroups"][0]["Members"]
        (found,) = [member["ReplicationGroupRegion"] for member in members if member["Role"] == "PRIMARY"]
        return found

    return primary


@pytest.fixture
def found(clients, datastore):
    return find_global_cache(clients, STANDBY, NAME)


def move(clients, region):
    """As somebody else would: the platform's automation."""
    clients.aws("elasticache", region).failover_global_replication_group(
        GlobalReplicationGroupId=NAME, PrimaryRegion=region, PrimaryReplicationGroupId=f"shop-{region}"
    )


def test_the_primary_moves_and_comes_back(clients, found, datastore, aws_gate):
    (change,) = plan_global_cache_failover(found, STANDBY)
    assert (change.target.region, change.target.account) == (HOME, "123456789012")
    inject([change], aws_gate, "promoting the cache")
    assert datastore() == STANDBY
    assert undo("drill-1", aws_gate.reach).complete
    assert datastore() == HOME


@pytest.mark.parametrize("elsewhere", [STANDBY, THIRD])
def test_a_pledge_changes_nothing_and_brings_the_primary_home(clients, found, datastore, aws_gate, elsewhere):
    inject(plan_global_primary(found), aws_gate, LOSING)
    assert datastore() == HOME
    move(clients, elsewhere)
    report = undo("drill-1", aws_gate.reach)
    assert report.complete
    assert len(report.restored) == 1
    assert datastore() == HOME


def test_a_pledge_has_nothing_to_do_if_the_primary_never_left(found, datastore, aws_gate):
    inject(plan_global_primary(found), aws_gate, LOSING)
    report = undo("drill-1", aws_gate.reach)
    assert report.complete
    assert report.restored == ()
    assert datastore() == HOME


def test_a_fail_over_that_somebody_else_followed_up_is_left_alone(clients, found, datastore, aws_gate):
    changes = plan_global_cache_failover(found, STANDBY)
    inject(changes, aws_gate, LOSING)
    move(clients, THIRD)
    report = undo("drill-1", aws_gate.reach)
    assert THIRD in report.conflicts[changes[0].id]
    assert datastore() == THIRD


def test_applying_and_undoing_again_does_nothing_more(clients, found, datastore):
    kind, changes = GlobalCacheFailover(), plan_global_cache_failover(found, STANDBY)
    assert kind.undo(changes, clients)[changes[0].id].ending is Ending.UNTOUCHED
    kind.apply(changes, clients)
    kind.apply(changes, clients)
    assert datastore() == STANDBY
    assert [kind.undo(changes, clients)[changes[0].id].ending for _ in "12"] == [Ending.RESTORED, Ending.UNTOUCHED]
    assert datastore() == HOME


def test_one_whose_primary_has_moved_since_the_plan_is_left_alone(clients, found, datastore):
    changes = plan_global_cache_failover(found, STANDBY)
    move(clients, THIRD)
    with pytest.raises(TargetChanged, match=THIRD):
        GlobalCacheFailover().apply(changes, clients)
    assert datastore() == THIRD


@pytest.mark.parametrize("kind", [GlobalCacheFailover(), GlobalCachePrimary()])
def test_a_home_that_has_left_the_datastore_is_a_conflict(clients, found, datastore, kind):
    planned = (
        plan_global_primary if kind.name.endswith("primary") else lambda it: plan_global_cache_failover(it, STANDBY)
    )
    changes = planned(found)
    move(clients, STANDBY)
    clients.aws("elasticache", STANDBY).disassociate_global_replication_group(
        GlobalReplicationGroupId=NAME, ReplicationGroupRegion=HOME, ReplicationGroupId=f"shop-{HOME}"
    )
    seen = kind.undo(changes, clients)[changes[0].id]
    assert seen.ending is Ending.CONFLICT
    assert "is no member any more" in seen.note
    assert datastore() == STANDBY


def test_one_that_is_gone_is_a_conflict(clients, found):
    (change,) = plan_global_primary(found)
    gone = replace(change, target=replace(change.target, id="ldgnf-gone"))
    assert GlobalCachePrimary().verify([gone], clients)[gone.id].ending is Ending.CONFLICT


@pytest.mark.parametrize(
    ("to", "reason"), [(HOME, "it is there already"), ("eu-north-1", "its members are in eu-west-1, us-east-1")]
)
def test_a_place_that_it_cannot_move_to_is_refused(found, to, reason):
    with pytest.raises(Refused, match=reason):
        plan_global_cache_failover(found, to)


def test_a_member_that_lags_is_not_promoted(found):
    lagging = tuple(replace(member, associated=member.region != STANDBY) for member in found.members)
    with pytest.raises(Refused, match="not associated now"):
        plan_global_cache_failover(replace(found, members=lagging), STANDBY)


@pytest.mark.parametrize(("region", "name"), [(STANDBY, "ldgnf-books"), ("eu-north-1", NAME)])
def test_what_cannot_be_told_is_refused(clients, datastore, region, name):
    with pytest.raises(Refused):
        find_global_cache(clients, region, name)


class Answers:
    """Clients whose datastore is in such a state, and says no when it is moved."""

    def __init__(self, real, status="available", home="associated", primary=STANDBY):
        self.exceptions, self._status, self._home, self._primary = real.exceptions, status, home, primary

    def aws(self, *_):
        return self

    def describe_global_replication_groups(self, **_):
        members = [
            {
                "ReplicationGroupRegion": region,
                "ReplicationGroupId": f"shop-{region}",
                "Role": "PRIMARY" if region == self._primary else "SECONDARY",
                "Status": self._home if region == HOME else "associated",
            }
            for region in (HOME, STANDBY)
        ]
        return {"GlobalReplicationGroups": [{"Status": self._status, "Members": members}]}

    def failover_global_replication_group(self, **_):
        code = "InvalidGlobalReplicationGroupState"
        raise self.exceptions.from_code(code)({"Error": {"Code": code}}, "FailoverGlobalReplicationGroup")


@pytest.mark.parametrize("unready", [{"home": "associating"}, {}])
def test_a_home_that_is_not_ready_is_waited_for(clients, found, unready):
    with pytest.raises(NotYet) as caught:
        GlobalCachePrimary().undo(plan_global_primary(found), Answers(clients.aws("elasticache", STANDBY), **unready))
    assert caught.value.patience_seconds > 60


@pytest.mark.parametrize("unsettled", [{"status": "modifying"}, {"primary": ""}])
def test_one_that_is_on_its_way_is_waited_for(clients, found, unsettled):
    (change,) = plan_global_primary(found)
    seen = GlobalCachePrimary().verify([change], Answers(clients.aws("elasticache", STANDBY), **unsettled))
    assert seen[change.id].ending is Ending.PENDING


def test_the_region_that_is_lost_is_never_asked(clients, found):
    asked = []
    heard = Clients(record=asked.append)
    for changes in (plan_global_primary(found), plan_global_cache_failover(found, STANDBY)):
        walk(changes, heard, asked)
        assert {call.region for call in asked} == {STANDBY}
    heard.close()


def test_they_call_just_what_they_declare(clients, found):
    calls = []
    heard = Clients(record=calls.append)
    failing_over = plan_global_cache_failover(found, STANDBY)
    assert differences(failing_over, walk(failing_over, heard, calls)) == {}
    pledge = plan_global_primary(found)
    made = walk(pledge, heard, calls)
    move(clients, STANDBY)
    calls.clear()
    GlobalCachePrimary().undo(pledge, heard)
    made[GlobalCachePrimary.name] |= set(map(str, calls))
    assert differences(pledge, made) == {}
    heard.close()

from dataclasses import replace

import ministack_server
import moto_server
import pytest
from test_kind_permissions import differences, walk

from blackstart.changes.clients import Clients
from blackstart.changes.gate import inject
from blackstart.changes.global_database import (
    GlobalFailover,
    GlobalSwitchover,
    GlobalWriter,
    find_global_database,
    plan_global_failover,
    plan_global_writer,
)
from blackstart.changes.kind import Ending
from blackstart.changes.undo import undo
from blackstart.errors import NotYet, Refused, TargetChanged

HOME, STANDBY, THIRD = REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
ENGINE = {"Engine": "aurora-postgresql"}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with ministack_server.running(tmp_path_factory.mktemp("ministack")) as url:
        yield url


@pytest.fixture(scope="module")
def kept(url):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in moto_server.environ(url).items():
            patch.setenv(name, value)
        clients = Clients()
        furnish(clients)
        yield clients
        clients.close()


def furnish(clients):
    """The global database shop with a member in each region, of which the first one writes."""
    tags, account = (
        [{"Key": "blackstart", "Value": "allowed"}],
        {"MasterUsername": "a", "MasterUserPassword": "bbbbbbbb"},
    )
    for region in REGIONS:
        member = {"GlobalClusterIdentifier": "shop"} if region != HOME else account
        made = clients.aws("rds", region).create_db_cluster(
            DBClusterIdentifier=f"shop-{region}", Tags=tags, **ENGINE, **member
        )
        if region == HOME:
            source = made["DBCluster"]["DBClusterArn"]
            clients.aws("rds", region).create_global_cluster(
                GlobalClusterIdentifier="shop", SourceDBClusterIdentifier=source
            )


@pytest.fixture
def clients(kept):
    """Clients that find the writer at home."""
    move(kept, HOME)
    return kept


def move(clients, region):
    """As somebody else does, unless the writer is there."""
    if writer(clients) != region:
        which = {"GlobalClusterIdentifier": "shop", "TargetDbClusterIdentifier": arn(region)}
        clients.aws("rds", region).failover_global_cluster(AllowDataLoss=True, **which)


def arn(region):
    return f"arn:aws:rds:{region}:123456789012:cluster:shop-{region}"


def writer(clients):
    return find_global_database(clients, STANDBY, "shop").writer.region


def plan(clients, data_loss=True, to=STANDBY):
    return plan_global_failover(find_global_database(clients, STANDBY, "shop"), to, data_loss=data_loss)


def pledge(clients):
    return plan_global_writer(find_global_database(clients, STANDBY, "shop"))


def ending(outcomes):
    (outcome,) = outcomes.values()
    return outcome.ending


class Told:
    """Clients for whom the API of every region tells something else of the global cluster; ``asked``: where."""

    def __init__(self, clients, status="available", move="", **synchronisation):
        self._clients, self._status, self._move, self._synchronisation = clients, status, move, synchronisation
        self.asked = []

    def aws(self, service, region):
        self.asked.append(region)
        return _Rds(self._clients.aws(service, region), self._told)

    def _told(self, found):
        cluster = {**found["GlobalClusters"][0], "Status": self._status, "FailoverState": {"Status": self._move}}
        cluster["GlobalClusterMembers"] = [
            {**member, "SynchronizationStatus": self._synchronisation.get(region(member), "connected")}
            for member in cluster["GlobalClusterMembers"]
        ]
        return {"GlobalClusters": [cluster]}


def region(member):
    return member["DBClusterArn"].split(":")[3].replace("-", "_")


class _Rds:
    def __init__(self, rds, told):
        self._rds, self._told = rds, told

    def __getattr__(self, name):
        return getattr(self._rds, name)

    def describe_global_clusters(self, **arguments):
        return self._told(self._rds.describe_global_clusters(**arguments))


def test_what_is_found_says_who_writes_and_what_has_opted_in(clients):
    found = find_global_database(clients, STANDBY, "shop")
    assert [(member.region, member.writer, member.synchronised) for member in found.members] == [
        (HOME, True, True),
        (STANDBY, False, True),
        (THIRD, False, True),
    ]
    assert (found.account, found.tags, found.busy) == ("123456789012", {"blackstart": "allowed"}, "")
    with pytest.raises(Refused, match="no such global cluster in us-west-2"):
        find_global_database(clients, STANDBY, "billing")


@pytest.mark.parametrize("data_loss", [True, False])
def test_the_writer_moves_and_is_brought_home(clients, aws_gate, data_loss):
    (change,) = plan(clients, data_loss)
    assert ("nothing is lost" in change.summary) is not data_loss
    inject([change], aws_gate, "failing over")
    assert writer(clients) == STANDBY
    assert undo("drill-1", aws_gate.reach).complete
    assert writer(clients) == HOME


@pytest.mark.parametrize("kind", [GlobalFailover(), GlobalSwitchover()])
def test_applying_and_undoing_again_does_nothing_more(clients, kind):
    changes = plan(clients, kind.name == GlobalFailover.name)
    assert ending(kind.undo(changes, clients)) is Ending.UNTOUCHED
    kind.apply(changes, clients)
    kind.apply(changes, clients)
    assert writer(clients) == STANDBY
    assert ending(kind.verify(changes, clients)) is Ending.PENDING
    assert ending(kind.undo(changes, clients)) is Ending.RESTORED
    assert ending(kind.undo(changes, clients)) is Ending.UNTOUCHED
    assert writer(clients) == HOME


def test_a_fail_over_asks_no_region_but_the_one_that_takes_over(clients):
    told, changes = Told(clients), plan(clients)
    GlobalFailover().apply(changes, told)
    GlobalFailover().undo(changes, told)
    assert set(told.asked) == {STANDBY}


def test_a_pledge_changes_nothing_and_brings_home_what_the_platform_moved(clients):
    changes, kind = pledge(clients), GlobalWriter()
    assert changes[0].calls == ()
    kind.apply(changes, clients)
    assert writer(clients) == HOME
    assert ending(kind.undo(changes, clients)) is Ending.UNTOUCHED
    for moved in (STANDBY, THIRD):
        move(clients, moved)
        assert ending(kind.verify(changes, clients)) is Ending.PENDING
        assert ending(kind.undo(changes, clients)) is Ending.RESTORED
        assert (writer(clients), ending(kind.verify(changes, clients))) == (HOME, Ending.UNTOUCHED)


@pytest.mark.parametrize("made", [plan, pledge])
def test_the_way_home_waits_until_the_old_writer_is_rebuilt(clients, made):
    changes, rebuilding = made(clients), Told(clients, us_east_1="pending-resync")
    kind = GlobalFailover() if made is plan else GlobalWriter()
    move(clients, STANDBY)
    with pytest.raises(NotYet, match=r"still rebuilding .*shop-us-east-1"):
        kind.undo(changes, rebuilding)
    assert ending(kind.verify(changes, rebuilding)) is Ending.PENDING
    assert writer(clients) == STANDBY
    assert ending(kind.undo(changes, clients)) is Ending.RESTORED


@pytest.mark.parametrize("seen", [{"status": "failing-over"}, {"move": "switching-over"}, {"move": "cancelling"}])
def test_nothing_is_done_while_it_is_on_the_move(clients, seen):
    changes, busy = plan(clients), Told(clients, **seen)
    with pytest.raises(NotYet) as caught:
        GlobalFailover().apply(changes, busy)
    assert caught.value.patience_seconds > 60
    assert ending(GlobalFailover().undo(changes, busy)) is Ending.PENDING
    assert ending(GlobalWriter().undo(pledge(clients), busy)) is Ending.PENDING
    with pytest.raises(Refused, match="it is "):
        plan(busy)


def test_a_writer_that_somebody_else_moved_on_is_left_there(clients):
    changes, kind = plan(clients), GlobalFailover()
    kind.apply(changes, clients)
    move(clients, THIRD)
    assert ending(kind.undo(changes, clients)) is Ending.CONFLICT
    assert writer(clients) == THIRD
    with pytest.raises(TargetChanged, match="its writer is arn:aws:rds:eu-west-1"):
        kind.apply(changes, clients)


@pytest.mark.parametrize("made", [plan, pledge])
def test_a_home_that_is_no_member_any_more_is_a_conflict(clients, made):
    (change,) = made(clients)
    gone = replace(change, before={**change.before, "writer": arn("eu-north-1")})
    kind = GlobalFailover() if made is plan else GlobalWriter()
    move(clients, STANDBY)
    outcome = kind.undo([gone], clients)[change.id]
    assert outcome.ending is Ending.CONFLICT
    assert "shop-eu-north-1 is no member any more" in outcome.note


def test_a_global_database_that_is_gone_is_a_conflict(clients):
    (change,) = plan(clients)
    gone = replace(change, target=replace(change.target, id="billing"))
    assert ending(GlobalFailover().undo([gone], clients)) is Ending.CONFLICT
    for kind in (GlobalFailover(), GlobalWriter()):
        with pytest.raises(TargetChanged, match="it is gone"):
            kind.apply([gone], clients)


@pytest.mark.parametrize(
    ("to", "data_loss", "why"),
    [
        ("eu-north-1", True, "it has no member there"),
        (HOME, True, "its writer is there already"),
        (STANDBY, False, "is not synchronised"),
    ],
)
def test_what_cannot_be_done_is_refused(clients, to, data_loss, why):
    with pytest.raises(Refused, match=why):
        plan(Told(clients, us_west_2="pending-resync"), data_loss, to)


def test_in_an_emergency_a_member_may_be_behind(clients):
    assert plan(Told(clients, us_west_2="pending-resync"))


def test_without_exactly_one_writer_nothing_is_planned(clients):
    found = find_global_database(clients, STANDBY, "shop")
    with pytest.raises(Refused, match="exactly one writer"):
        plan_global_writer(replace(found, members=found.members[1:]))
    with pytest.raises(Refused, match="no other member"):
        plan_global_writer(replace(found, members=found.members[:1]))


def test_they_call_just_what_they_declare(clients):
    calls = []
    heard = Clients(record=calls.append)
    for data_loss in (True, False):
        changes = plan(clients, data_loss)
        assert differences(changes, walk(changes, heard, calls)) == {}
    changes = pledge(clients)
    made = walk(changes, heard, calls)
    move(clients, STANDBY)
    calls.clear()
    GlobalWriter().undo(changes, heard)
    made[GlobalWriter.name].update(map(str, calls))
    assert differences(changes, made) == {}
    heard.close()

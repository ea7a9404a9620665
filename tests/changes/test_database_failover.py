from dataclasses import replace

import pytest
from test_kind_permissions import differences, walk

from blackstart.changes.clients import Clients
from blackstart.changes.database_failover import (
    ClusterFailover,
    ClusterWriter,
    find_clusters,
    plan_cluster_failover,
    plan_failovers,
)
from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.network import find_vpc
from blackstart.changes.undo import undo
from blackstart.errors import NotYet, Refused, TargetChanged

REGION, ZONE = "us-east-1", "us-east-1a"
LOSING = f"losing {ZONE}"


@pytest.fixture
def found(clients, vpc):
    return find_vpc(clients, REGION, vpc)


@pytest.fixture
def rds(clients):
    return clients.aws("rds", REGION)


@pytest.fixture
def cluster(rds):
    """Makes the cluster orders with an instance in each of the named zones; the first is the writer."""

    def make(*zones):
        engine, tags = "aurora-postgresql", [{"Key": "blackstart", "Value": "allowed"}]
        account = {"MasterUsername": "shop", "MasterUserPassword": "not-a-secret"}
        rds.create_db_cluster(DBClusterIdentifier="orders", Engine=engine, Tags=tags, **account)
        for number, zone in enumerate(zones):
            rds.create_db_instance(
                DBInstanceIdentifier=f"orders-{number}",
                DBClusterIdentifier="orders",
                Engine=engine,
                DBInstanceClass="db.r7g.large",
                AvailabilityZone=f"us-east-1{zone}",
            )
        return writer(rds)

    return make


def writer(rds):
    (described,) = rds.describe_db_clusters(DBClusterIdentifier="orders")["DBClusters"]
    return next(item["DBInstanceIdentifier"] for item in described["DBClusterMembers"] if item["IsClusterWriter"])


def plan(clients, found, **more):
    return plan_failovers(find_clusters(clients, REGION, ["orders"]), found, [ZONE], **more)


def plan_named(clients, to="", **more):
    (found,) = find_clusters(clients, REGION, ["orders"])
    return plan_cluster_failover(found, to, **more)


@pytest.mark.parametrize("to", ["orders-2", ""])
def test_the_writer_of_a_named_cluster_moves_to_a_named_reader_or_to_the_first(clients, cluster, rds, aws_gate, to):
    cluster("a", "a", "a")
    (change,) = plan_named(clients, to, fail_back=True)
    assert (change.target.account, change.target.region, change.share) == ("123456789012", REGION, None)
    inject([change], aws_gate, "failing over orders")
    assert writer(rds) == (to or "orders-1")
    assert undo("drill-1", aws_gate.reach).complete
    assert writer(rds) == "orders-0"


@pytest.mark.parametrize(
    ("zones", "to", "why"),
    [
        ("aa", "orders-0", "orders-0 is its writer already"),
        ("aa", "billing", "billing is no reader of it that is available; there is orders-1"),
        ("a", "", "no reader is available"),
    ],
)
def test_a_named_cluster_that_cannot_fail_over_is_refused(clients, cluster, zones, to, why):
    cluster(*zones)
    with pytest.raises(Refused, match=why):
        plan_named(clients, to)


def test_the_writer_moves_out_of_the_zone_and_stays_there(clients, found, cluster, rds, aws_gate):
    assert cluster("a", "b") == "orders-0"
    (change,) = plan(clients, found)
    assert "stays the writer" in change.undo_summary
    inject([change], aws_gate, LOSING)
    assert writer(rds) == "orders-1"
    assert undo("drill-1", aws_gate.reach).complete
    assert writer(rds) == "orders-1"


def test_the_writer_moves_back_if_that_is_asked_for(clients, found, cluster, rds, aws_gate):
    cluster("a", "b")
    (change,) = plan(clients, found, fail_back=True)
    assert "interrupts users again" in change.undo_summary
    inject([change], aws_gate, LOSING)
    assert writer(rds) == "orders-1"
    assert undo("drill-1", aws_gate.reach).complete
    assert writer(rds) == "orders-0"


def test_a_cluster_whose_writer_is_elsewhere_is_left_alone(clients, found, cluster):
    cluster("b", "a")
    assert plan(clients, found) == []


@pytest.mark.parametrize("zones", ["a", "aa"])
def test_a_cluster_without_a_reader_outside_is_refused(clients, found, cluster, zones):
    cluster(*zones)
    with pytest.raises(Refused, match="no reader outside is available"):
        plan(clients, found)


def test_a_cluster_that_is_not_there_is_refused(clients, vpc):
    with pytest.raises(Refused, match="there is no such cluster"):
        find_clusters(clients, REGION, ["billing"])


def test_the_reader_of_the_lowest_tier_that_is_available_takes_over(clients, found, cluster):
    cluster("a", "b", "c", "c")
    (seen,) = find_clusters(clients, REGION, ["orders"])
    last, better = replace(seen.members[1], tier=15), replace(seen.members[2], tier=0, available=False)
    members = (seen.members[0], last, better, replace(seen.members[3], tier=2))
    (change,) = plan_failovers([replace(seen, members=members)], found, [ZONE])
    assert change.after == {"writer": "orders-3"}


@pytest.mark.parametrize("kind", [ClusterFailover(), ClusterWriter()])
def test_applying_and_undoing_again_does_nothing_more(clients, found, cluster, rds, kind):
    cluster("a", "b")
    changes = plan(clients, found, fail_back=kind.name == ClusterWriter.name)
    assert kind.undo(changes, clients)[changes[0].id].ending is Ending.UNTOUCHED
    kind.apply(changes, clients)
    kind.apply(changes, clients)
    assert writer(rds) == "orders-1"
    assert kind.undo(changes, clients)[changes[0].id].ending is Ending.RESTORED
    assert kind.undo(changes, clients)[changes[0].id].done


def test_a_writer_that_somebody_else_moved_on_is_not_moved_back(clients, found, cluster, rds):
    cluster("a", "b", "c")
    changes, kind = plan(clients, found, fail_back=True), ClusterWriter()
    kind.apply(changes, clients)
    rds.failover_db_cluster(DBClusterIdentifier="orders", TargetDBInstanceIdentifier="orders-2")
    assert kind.undo(changes, clients)[changes[0].id].ending is Ending.CONFLICT
    assert writer(rds) == "orders-2"
    with pytest.raises(TargetChanged, match="its writer is orders-2"):
        kind.apply(changes, clients)


class Failing:
    """Clients whose database cluster is failing over, or does not let that be done."""

    def __init__(self, rds, status="failing-over", writer="orders-0"):
        self.exceptions, self._status, self._writer = rds.exceptions, status, writer

    def aws(self, *_):
        return self

    def describe_db_clusters(self, **_):
        members = [{"DBInstanceIdentifier": self._writer, "IsClusterWriter": True}] if self._writer else []
        return {"DBClusters": [{"Status": self._status, "DBClusterMembers": members}]}

    def failover_db_cluster(self, **_):
        answer = {"Error": {"Code": "InvalidDBClusterStateFault", "Message": "busy"}}
        raise self.exceptions.InvalidDBClusterStateFault(answer, "FailoverDBCluster")


@pytest.mark.parametrize("status", ["failing-over", "available"])
def test_a_cluster_that_is_busy_is_asked_again_for_a_while(clients, found, cluster, rds, status):
    cluster("a", "b")
    changes = plan(clients, found)
    with pytest.raises(NotYet) as caught:
        ClusterFailover().apply(changes, Failing(rds, status))
    assert caught.value.patience_seconds > 60


def test_a_cluster_that_is_not_whole_yet_is_waited_for(clients, found, cluster, rds):
    cluster("a", "b")
    (change,) = plan(clients, found)
    for seen in (Failing(rds, "failing-over", "orders-1"), Failing(rds, "available", "")):
        assert ClusterFailover().verify([change], seen)[change.id].ending is Ending.WAITING


@pytest.mark.parametrize("fail_back", [False, True])
def test_it_calls_just_what_it_declares(clients, found, cluster, fail_back):
    cluster("a", "b")
    calls, changes = [], plan(clients, found, fail_back=fail_back)
    heard = Clients(record=calls.append)
    assert differences(changes, walk(changes, heard, calls)) == {}
    heard.close()

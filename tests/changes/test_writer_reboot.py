from dataclasses import replace

import pytest
from test_kind_permissions import differences, walk

from blackstart.changes.clients import Clients
from blackstart.changes.database_failover import find_clusters
from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.undo import undo
from blackstart.changes.writer_reboot import WriterReboot, plan_writer_reboot
from blackstart.errors import NotYet, Refused, TargetChanged

REGION = "us-east-1"


@pytest.fixture
def rds(clients):
    """Has the cluster orders: orders-0 writes, orders-1 reads."""
    rds, engine = clients.aws("rds", REGION), "aurora-postgresql"
    account = {"MasterUsername": "shop", "MasterUserPassword": "not-a-secret"}
    tags = [{"Key": "blackstart", "Value": "allowed"}]
    rds.create_db_cluster(DBClusterIdentifier="orders", Engine=engine, Tags=tags, **account)
    for number in range(2):
        which = {"DBInstanceIdentifier": f"orders-{number}", "DBClusterIdentifier": "orders"}
        rds.create_db_instance(Engine=engine, DBInstanceClass="db.r7g.large", **which)
    return rds


def plan(clients):
    (found,) = find_clusters(clients, REGION, ["orders"])
    return plan_writer_reboot(found)


class Seen:
    """Clients whose writer is in ``status``; ``calls``: the instances that were rebooted."""

    def __init__(self, rds, status="available", refuses=False):
        self._rds, self._status, self._refuses, self.calls = rds, status, refuses, []

    def aws(self, *_):
        return self

    def __getattr__(self, name):
        return getattr(self._rds, name)

    def describe_db_instances(self, **_):
        if not self._status:
            answer = {"Error": {"Code": "DBInstanceNotFound", "Message": "gone"}}
            raise self._rds.exceptions.DBInstanceNotFoundFault(answer, "DescribeDBInstances")
        return {"DBInstances": [{"DBInstanceStatus": self._status}]}

    def reboot_db_instance(self, DBInstanceIdentifier):
        if self._refuses:
            answer = {"Error": {"Code": "InvalidDBInstanceState", "Message": "busy"}}
            raise self._rds.exceptions.InvalidDBInstanceStateFault(answer, "RebootDBInstance")
        self.calls.append(DBInstanceIdentifier)


def test_the_writer_reboots_and_the_drill_waits_until_it_is_back(clients, rds, aws_gate):
    (change,) = plan(clients)
    assert "orders-0 reboots" in change.summary
    inject([change], aws_gate, "rebooting")
    assert undo("drill-1", aws_gate.reach).complete


@pytest.mark.parametrize(
    ("status", "ending"),
    [("available", Ending.UNTOUCHED), ("rebooting", Ending.WAITING), ("failed", Ending.WAITING), ("", Ending.CONFLICT)],
)
def test_it_is_healed_when_the_instance_is_available(clients, rds, status, ending):
    (change,) = plan(clients)
    assert WriterReboot().verify([change], Seen(rds, status))[change.id].ending is ending


def test_it_is_healed_too_when_aurora_promoted_another_one(clients, rds):
    (change,) = plan(clients)
    rds.failover_db_cluster(DBClusterIdentifier="orders", TargetDBInstanceIdentifier="orders-1")
    assert WriterReboot().undo([change], clients)[change.id].ending is Ending.RESTORED
    with pytest.raises(TargetChanged, match="its writer is orders-1"):
        WriterReboot().apply([change], clients)


@pytest.mark.parametrize(("status", "calls"), [("available", ["orders-0"]), ("rebooting", [])])
def test_an_instance_that_reboots_already_is_not_rebooted_again(clients, rds, status, calls):
    seen = Seen(rds, status)
    WriterReboot().apply(plan(clients), seen)
    assert seen.calls == calls


def test_an_instance_that_is_busy_is_asked_again_for_a_while(clients, rds):
    with pytest.raises(NotYet) as caught:
        WriterReboot().apply(plan(clients), Seen(rds, refuses=True))
    assert caught.value.patience_seconds > 60
    with pytest.raises(TargetChanged, match="orders-0 is gone"):
        WriterReboot().apply(plan(clients), Seen(rds, ""))


def test_a_cluster_without_one_writer_that_is_available_is_refused(clients, rds):
    (found,) = find_clusters(clients, REGION, ["orders"])
    writer, reader = sorted(found.members, key=lambda member: not member.writer)
    with pytest.raises(Refused, match="it has 0 writers"):
        plan_writer_reboot(replace(found, members=(reader,)))
    with pytest.raises(Refused, match="orders-0 is not available"):
        plan_writer_reboot(replace(found, members=(replace(writer, available=False),)))


def test_it_calls_just_what_it_declares(clients, rds):
    calls, changes = [], plan(clients)
    heard = Clients(record=calls.append)
    assert differences(changes, walk(changes, heard, calls)) == {}
    heard.close()

from dataclasses import replace

import pytest
from test_kind_permissions import differences, walk

from blackstart.changes.capacity_ceiling import CapacityCeiling, find_capacity, plan_ceiling
from blackstart.changes.clients import Clients
from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.undo import undo
from blackstart.errors import NotYet, Refused

REGION = "us-east-1"


@pytest.fixture
def rds(clients):
    """Has the cluster orders, which scales between 0.5 and 16 units."""
    rds = clients.aws("rds", REGION)
    rds.create_db_cluster(
        DBClusterIdentifier="orders",
        Engine="aurora-postgresql",
        MasterUsername="shop",
        MasterUserPassword="not-a-secret",
        ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 16},
        Tags=[{"Key": "blackstart", "Value": "allowed"}],
    )
    return rds


def limits(rds):
    (described,) = rds.describe_db_clusters(DBClusterIdentifier="orders")["DBClusters"]
    scaling = described["ServerlessV2ScalingConfiguration"]
    return scaling["MinCapacity"], scaling["MaxCapacity"]


def set_limits(rds, smallest, largest):
    scaling = {"MinCapacity": smallest, "MaxCapacity": largest}
    rds.modify_db_cluster(DBClusterIdentifier="orders", ServerlessV2ScalingConfiguration=scaling, ApplyImmediately=True)


def plan(clients, units=2):
    return plan_ceiling(find_capacity(clients, REGION, "orders"), units)


def test_the_ceiling_sinks_and_is_raised_again(clients, rds, aws_gate):
    inject(plan(clients), aws_gate, "lowering")
    assert limits(rds) == (0.5, 2)
    assert undo("drill-1", aws_gate.reach).complete
    assert limits(rds) == (0.5, 16)


def test_applying_and_undoing_again_does_nothing_more(clients, rds):
    (change,), kind = plan(clients), CapacityCeiling()
    assert kind.undo([change], clients)[change.id].ending is Ending.UNTOUCHED
    for _ in range(2):
        kind.apply([change], clients)
        assert limits(rds) == (0.5, 2)
    assert kind.undo([change], clients)[change.id].ending is Ending.RESTORED
    assert kind.undo([change], clients)[change.id].ending is Ending.UNTOUCHED


def test_a_minimum_that_somebody_else_changed_meanwhile_is_kept(clients, rds):
    (change,), kind = plan(clients), CapacityCeiling()
    kind.apply([change], clients)
    set_limits(rds, 1, 2)
    assert kind.undo([change], clients)[change.id].ending is Ending.RESTORED
    assert limits(rds) == (1, 16)


def test_a_ceiling_that_somebody_else_set_is_left(clients, rds):
    (change,), kind = plan(clients), CapacityCeiling()
    kind.apply([change], clients)
    set_limits(rds, 0.5, 32)
    assert kind.undo([change], clients)[change.id].ending is Ending.CONFLICT
    assert limits(rds) == (0.5, 32)


@pytest.mark.parametrize(
    ("units", "why"),
    [(0.5, "no ceiling below 1"), (16, "its ceiling is 16 ACU already"), (1.2, "AWS takes halves of a unit only")],
)
def test_a_ceiling_that_aws_would_not_take_or_that_is_none_is_refused(clients, rds, units, why):
    with pytest.raises(Refused, match=why):
        plan(clients, units)


def test_it_is_never_below_the_minimum(clients, rds):
    found = replace(find_capacity(clients, REGION, "orders"), smallest=4.0)
    with pytest.raises(Refused, match="its minimum is 4 ACU"):
        plan_ceiling(found, 2)
    with pytest.raises(Refused, match="not Aurora Serverless v2"):
        plan_ceiling(replace(found, largest=None), 2)
    with pytest.raises(Refused, match="there is no such cluster"):
        find_capacity(clients, REGION, "billing")


class Busy:
    """Clients whose cluster is in ``status``, and refuses to be modified."""

    def __init__(self, rds, status="available"):
        self._rds, self._status, self.exceptions = rds, status, rds.exceptions

    def aws(self, *_):
        return self

    def describe_db_clusters(self, **which):
        (described,) = self._rds.describe_db_clusters(**which)["DBClusters"]
        return {"DBClusters": [{**described, "Status": self._status}]}

    def modify_db_cluster(self, **_):
        answer = {"Error": {"Code": "InvalidDBClusterStateFault", "Message": "busy"}}
        raise self._rds.exceptions.InvalidDBClusterStateFault(answer, "ModifyDBCluster")


def test_a_cluster_that_is_busy_is_asked_again(clients, rds):
    (change,), kind = plan(clients), CapacityCeiling()
    with pytest.raises(NotYet, match="not ready to be modified"):
        kind.apply([change], Busy(rds))
    assert kind.verify([change], Busy(rds, "modifying"))[change.id].ending is Ending.PENDING


def test_it_calls_just_what_it_declares(clients, rds):
    calls, changes = [], plan(clients)
    heard = Clients(record=calls.append)
    assert differences(changes, walk(changes, heard, calls)) == {}
    heard.close()

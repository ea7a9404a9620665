from dataclasses import replace

import pytest
from botocore.exceptions import ClientError
from test_kind_permissions import differences, walk

from blackstart.changes.cache_failover import CacheFailover, find_shards, plan_cache_failovers, plan_group_failovers
from blackstart.changes.clients import Clients
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
def elasticache(clients):
    return clients.aws("elasticache", REGION)


@pytest.fixture
def cache(elasticache):
    """Makes the cache orders with a node in each of the named zones; the first is the primary."""

    def make(*zones, fails_over=True, **more):
        elasticache.create_replication_group(
            ReplicationGroupId="orders",
            ReplicationGroupDescription="orders",
            ReplicasPerNodeGroup=len(zones) - 1,
            PreferredCacheClusterAZs=[f"us-east-1{zone}" for zone in zones],
            AutomaticFailoverEnabled=fails_over,
            Engine="redis",
            Tags=[{"Key": "blackstart", "Value": "allowed"}],
            **more,
        )

    return make


def primary(elasticache):
    (group,) = elasticache.describe_replication_groups(ReplicationGroupId="orders")["ReplicationGroups"]
    nodes = group["NodeGroups"][0]["NodeGroupMembers"]
    return next(node["CacheClusterId"] for node in nodes if node["CurrentRole"] == "primary")


def plan(clients, found):
    return plan_cache_failovers(find_shards(clients, REGION, ["orders"]), found, [ZONE])


def test_the_primary_moves_and_stays_there(clients, found, cache, elasticache, aws_gate):
    cache("a", "b")
    (change,) = plan(clients, found)
    assert change.target.tags == {"blackstart": "allowed"}
    inject([change], aws_gate, LOSING)
    assert primary(elasticache) == "orders-002"
    assert undo("drill-1", aws_gate.reach).complete
    assert primary(elasticache) == "orders-002"


def test_a_cache_whose_primary_is_elsewhere_is_left_alone(clients, found, cache):
    cache("b", "a")
    assert plan(clients, found) == []


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"zones": "aa"}, "no replica outside us-east-1a"),
        ({"fails_over": False}, "automatic fail-over is not enabled"),
        ({"ClusterMode": "enabled", "NumNodeGroups": 2}, "cluster mode is enabled"),
    ],
)
def test_what_cannot_fail_over_is_refused(clients, found, cache, asked, reason):
    cache(*asked.pop("zones", "ab"), **asked)
    with pytest.raises(Refused, match=reason):
        plan(clients, found)


def test_a_cache_that_is_not_there_is_refused(clients, vpc):
    with pytest.raises(Refused, match="there is no such replication group"):
        find_shards(clients, REGION, ["sessions"])


def test_more_than_aws_allows_in_a_day_are_refused(clients, found, cache):
    cache("a", "b")
    shards = find_shards(clients, REGION, ["orders"]) * 16
    with pytest.raises(Refused, match="15 in 24 hours"):
        plan_cache_failovers(shards, found, [ZONE])
    with pytest.raises(Refused, match="15 in 24 hours"):
        plan_group_failovers(shards, "123456789012", REGION)


def test_a_named_group_fails_over_wherever_its_primary_is(clients, found, cache, elasticache, aws_gate):
    cache("b", "b")
    (change,) = plan_group_failovers(find_shards(clients, REGION, ["orders"]), "123456789012", REGION)
    assert change.target.zone == ""
    inject([change], aws_gate, "failing over cache orders")
    assert primary(elasticache) == "orders-002"
    assert undo("drill-1", aws_gate.reach).complete


@pytest.mark.parametrize(
    ("zones", "asked", "reason"),
    [("a", {}, "it has no replica"), ("ab", {"fails_over": False}, "automatic fail-over is not enabled")],
)
def test_a_named_group_that_cannot_fail_over_is_refused(clients, cache, zones, asked, reason):
    cache(*zones, **asked)
    with pytest.raises(Refused, match=reason):
        plan_group_failovers(find_shards(clients, REGION, ["orders"]), "123456789012", REGION)


def test_applying_and_undoing_again_does_nothing_more(clients, found, cache, elasticache):
    cache("a", "b")
    changes, kind = plan(clients, found), CacheFailover()
    assert kind.undo(changes, clients)[changes[0].id].ending is Ending.UNTOUCHED
    kind.apply(changes, clients)
    kind.apply(changes, clients)
    assert primary(elasticache) == "orders-002"
    assert kind.undo(changes, clients)[changes[0].id].ending is Ending.RESTORED
    assert kind.undo(changes, clients)[changes[0].id].ending is Ending.RESTORED


def test_a_cache_that_was_deleted_is_told(clients, found, cache, elasticache):
    cache("a", "b")
    changes, kind = plan(clients, found), CacheFailover()
    elasticache.delete_replication_group(ReplicationGroupId="orders")
    assert kind.undo(changes, clients)[changes[0].id].ending in (Ending.CONFLICT, Ending.WAITING)
    gone = [replace(changes[0], before={**changes[0].before, "group": "sessions"})]
    assert kind.undo(gone, clients)[gone[0].id].ending is Ending.CONFLICT
    with pytest.raises(TargetChanged, match="it is gone"):
        kind.apply(gone, clients)


class Answers:
    """Clients whose cache is in such a state, and says no for such a reason."""

    def __init__(self, elasticache, role="primary", status="available", code="InvalidReplicationGroupState"):
        self.exceptions, self._role, self._status, self._code = elasticache.exceptions, role, status, code

    def aws(self, *_):
        return self

    def describe_replication_groups(self, **_):
        node = {"CacheClusterId": "orders-001", "CurrentRole": self._role}
        shard = {"NodeGroupId": "0001", "Status": self._status, "NodeGroupMembers": [node]}
        return {"ReplicationGroups": [{"Status": "available", "NodeGroups": [shard]}]}

    def test_failover(self, **_):
        raise self.exceptions.from_code(self._code)({"Error": {"Code": self._code}}, "TestFailover")


@pytest.fixture
def changes(clients, found, cache):
    cache("a", "b")
    return plan(clients, found)


@pytest.mark.parametrize("status", ["modifying", "available"])
def test_a_cache_that_is_busy_is_asked_again_for_a_while(changes, elasticache, status):
    with pytest.raises(NotYet) as caught:
        CacheFailover().apply(changes, Answers(elasticache, status=status))
    assert caught.value.patience_seconds > 60


def test_the_quota_of_the_day_is_not_waited_for(changes, elasticache):
    with pytest.raises(ClientError, match="APICallRateForCustomerExceeded"):
        CacheFailover().apply(changes, Answers(elasticache, code="APICallRateForCustomerExceeded"))


@pytest.mark.parametrize(("role", "status"), [("primary", "modifying"), ("replica", "available")])
def test_a_cache_that_is_not_whole_yet_is_waited_for(changes, elasticache, role, status):
    seen = CacheFailover().verify(changes, Answers(elasticache, role, status))
    assert seen[changes[0].id].ending is Ending.WAITING


def test_it_calls_just_what_it_declares(changes):
    calls = []
    heard = Clients(record=calls.append)
    assert differences(changes, walk(changes, heard, calls)) == {}
    heard.close()

"""Nodes of a cache that are rebooted, on moto with the lab's own nodes."""

from dataclasses import replace

import pytest
from test_kind_permissions import differences, walk

from blackstart.changes.cache_node import NodeReboot, find_cache_node, plan_node_reboot
from blackstart.changes.clients import Clients
from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.undo import undo
from blackstart.errors import NotYet, Refused, TargetChanged

REGION = "us-east-1"
NODE = "orders-002"


@pytest.fixture
def elasticache(clients):
    return clients.aws("elasticache", REGION)


@pytest.fixture
def group(elasticache):
    """Makes the replication group orders of so many nodes."""

    def make(nodes=3, **more):
        elasticache.create_replication_group(
            ReplicationGroupId="orders",
            ReplicationGroupDescription="orders",
            Engine="redis",
            Tags=[{"Key": "blackstart", "Value": "allowed"}],
            ReplicasPerNodeGroup=nodes - 1,  # moto has no ears for NumCacheClusters
            **more,
        )

    return make


@pytest.fixture
def changes(clients, group):
    group()
    return plan_node_reboot(find_cache_node(clients, REGION, NODE))


def told(elasticache):
    return [event["Message"] for event in elasticache.describe_events(SourceIdentifier=NODE)["Events"]]


def test_a_node_reboots_and_is_waited_for(elasticache, changes, aws_gate):
    inject(changes, aws_gate, "rebooting a node")
    assert told(elasticache) == ["Cache node 0001 shutdown", "Cache node 0001 restarted"]
    report = undo("drill-1", aws_gate.reach)
    assert report.complete
    assert report.restored == (changes[0].id,)


def test_it_is_not_over_while_the_node_reboots(clients, changes):
    kind, (change,) = NodeReboot(), changes
    assert kind.undo(changes, clients)[change.id].ending is Ending.UNTOUCHED
    kind.apply(changes, clients)
    assert kind.verify(changes, clients)[change.id].ending is Ending.WAITING
    assert [kind.undo(changes, clients)[change.id].ending for _ in "12"] == [Ending.RESTORED, Ending.RESTORED]


def test_a_node_that_has_rebooted_is_not_rebooted_again(clients, elasticache, changes):
    for _ in range(3):
        NodeReboot().apply(changes, clients)
    assert len(told(elasticache)) == 2


def test_what_it_takes_counts_as_a_part_of_its_shard(changes):
    share = changes[0].share
    assert (share.unit, share.of, share.members, share.total) == ("cache node", "cache orders/0001", (NODE,), 3)


def test_the_only_node_goes_only_if_that_is_meant(clients, group, aws_gate):
    group(1)
    found = find_cache_node(clients, REGION, "orders-001")
    with pytest.raises(Refused, match="the only node of orders"):
        plan_node_reboot(found)
    (change,) = plan_node_reboot(found, only_node=True)
    with pytest.raises(Refused, match="all 1 cache nodes of cache orders/0001 at once"):
        inject([change], aws_gate, "rebooting a node")
    scope = aws_gate.scope.model_copy(update={"shares": {"cache node": 1.0}})
    inject([change], replace(aws_gate, scope=scope), "rebooting a node")


def test_cluster_mode_is_refused(clients, group):
    group(2, ClusterMode="enabled", NumNodeGroups=2)
    with pytest.raises(Refused, match="in cluster mode"):
        plan_node_reboot(find_cache_node(clients, REGION, "orders-0001-001"))


def test_what_is_not_there_or_in_no_group_is_refused(clients, elasticache):
    elasticache.create_cache_cluster(CacheClusterId="alone", CacheNodeType="cache.t4g.micro", Engine="redis")
    for name, reason in {"nothing": "there is no such node", "alone": "in no replication group"}.items():
        with pytest.raises(Refused, match=reason):
            find_cache_node(clients, REGION, name)


def test_a_node_that_is_gone_is_told(clients, changes):
    gone = [replace(changes[0], target=replace(changes[0].target, id="gone"))]
    with pytest.raises(TargetChanged, match="it is gone"):
        NodeReboot().apply(gone, clients)
    assert NodeReboot().undo(gone, clients)[gone[0].id].ending is Ending.CONFLICT


class Busy:
    """Clients whose node has such a status, and does not reboot."""

    def __init__(self, real, status):
        self.exceptions, self._status = real.exceptions, status

    def aws(self, *_):
        return self

    def describe_cache_clusters(self, **_):
        said = {"HTTPHeaders": {"date": "Thu, 01 Jan 2026 00:00:00 GMT"}}
        return {"CacheClusters": [{"CacheClusterStatus": self._status}], "ResponseMetadata": said}

    def describe_events(self, **_):
        return {"Events": []}

    def reboot_cache_cluster(self, **_):
        code = "InvalidCacheClusterState"
        raise self.exceptions.from_code(code)({"Error": {"Code": code}}, "RebootCacheCluster")


@pytest.mark.parametrize("status", ["snapshotting", "available"])
def test_a_node_that_is_busy_is_asked_again_for_a_while(elasticache, changes, status):
    with pytest.raises(NotYet) as caught:
        NodeReboot().apply(changes, Busy(elasticache, status))
    assert caught.value.patience_seconds > 60


def test_it_calls_just_what_it_declares(changes):
    calls = []
    heard = Clients(record=calls.append)
    assert differences(changes, walk(changes, heard, calls)) == {}
    heard.close()

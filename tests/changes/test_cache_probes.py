"""What probes of caches ask of AWS, and that they declare it."""

from datetime import timedelta

import pytest

from blackstart.changes.clients import Clients
from blackstart.clock import SystemClock
from blackstart.errors import NotMeasured
from blackstart.probes import caches

HOME, STANDBY = "us-east-1", "us-west-2"


@pytest.fixture
def shop(clients):
    """A datastore of two regions."""
    for region, joined in ((HOME, {}), (STANDBY, {"GlobalReplicationGroupId": "ldgnf-shop"})):
        cache = clients.aws("elasticache", region)
        cache.create_replication_group(
            ReplicationGroupId="shop", ReplicationGroupDescription="shop", ReplicasPerNodeGroup=1, **joined
        )
        if not joined:
            cache.create_global_replication_group(
                GlobalReplicationGroupIdSuffix="shop", PrimaryReplicationGroupId="shop"
            )
    return clients


def tell(clients, node, metric, value):
    """As ElastiCache tells CloudWatch, twice: of the node, and of what is in it."""
    of_node = [{"Name": "CacheClusterId", "Value": node}]
    moment = SystemClock().now() - timedelta(seconds=60)
    clients.aws("cloudwatch", HOME).put_metric_data(
        Namespace="AWS/ElastiCache",
        MetricData=[
            {"MetricName": metric, "Dimensions": dimensions, "Timestamp": moment, "Value": value}
            for dimensions in (of_node, [*of_node, {"Name": "CacheNodeId", "Value": "0001"}])
        ],
    )


@pytest.fixture
def called(kept_clients, monkeypatch):
    """What the probes call of AWS; they open their clients but once."""
    made = []
    heard = Clients(record=lambda call: made.append(str(call)), read_only=True)
    close = heard.close
    monkeypatch.setattr(heard, "close", lambda: None)
    monkeypatch.setattr(caches, "Clients", lambda **_: heard)
    yield made
    close()


def test_cloudwatch_tells_of_all_nodes_of_a_group_and_of_no_other(shop, called):
    ask = {"source": "cloudwatch", "replication_group": "shop"}
    for probe in (caches.hit_ratio, caches.replication_lag_seconds):
        with pytest.raises(NotMeasured):
            probe(HOME, **ask)
        with pytest.raises(NotMeasured, match="no such replication group"):
            probe(HOME, source="cloudwatch", replication_group="toys")
    tell(shop, "shop-001", "CacheHits", 60)
    tell(shop, "shop-002", "CacheHits", 30)
    tell(shop, "shop-001", "CacheMisses", 10)
    tell(shop, "books-001", "CacheMisses", 900)
    tell(shop, "shop-001", "GlobalDatastoreReplicationLag", 0.25)
    called.clear()
    assert caches.hit_ratio(HOME, **ask) == 0.9
    assert set(called) == set(caches.PERMISSIONS["hit_ratio"])
    called.clear()
    assert caches.replication_lag_seconds(HOME, **ask) == 0.25
    assert set(called) == set(caches.PERMISSIONS["replication_lag_seconds"])


def test_who_is_primary_follows_a_fail_over(shop, called):
    assert caches.primary_node("shop", HOME) == "shop-001"
    assert set(called) == set(caches.PERMISSIONS["primary_node"])
    called.clear()
    assert caches.primary_region("ldgnf-shop", STANDBY) == HOME
    assert set(called) == set(caches.PERMISSIONS["primary_region"])
    shop.aws("elasticache", STANDBY).failover_global_replication_group(
        GlobalReplicationGroupId="ldgnf-shop", PrimaryRegion=STANDBY, PrimaryReplicationGroupId="shop"
    )
    assert caches.primary_region("ldgnf-shop", STANDBY) == STANDBY


def test_a_primary_of_which_nobody_tells_is_not_measured(shop, called):
    for ask in (
        lambda: caches.primary_node("shop", HOME, shard="0007"),
        lambda: caches.primary_node("toys", HOME),
        lambda: caches.primary_region("ldgnf-toys", STANDBY),
    ):
        with pytest.raises(NotMeasured):
            ask()

"""The actions on caches, as an experiment calls them, on moto and a real Redis."""

from dataclasses import dataclass
from random import Random

import pytest
import redis_process

from blackstart.actions.caches import empty_cache, fail_over_global, fail_over_node_group, reboot_node
from blackstart.changes.gate import Gate, inject
from blackstart.changes.undo import undo
from blackstart.drill import DRILL_KEY
from blackstart.errors import ConfigInvalid, Refused

HOME, STANDBY, NAME = "us-east-1", "us-west-2", "ldgnf-shop"
TOML = """
[scope]
environment = "test"
[service]
name = "orders"
host = "orders.shop.test"
port = 80
home_region = "us-east-1"
[stores.caches]
us-east-1 = "{address}"
"""


@dataclass
class Drill:
    """What actions see of a drill that really changes things."""

    gate: Gate
    random: Random
    subjects: list

    @property
    def clients(self):
        return self.gate.reach.clients

    @property
    def kinds(self):
        return self.gate.reach.kinds

    def inject(self, changes, subject, **more):
        self.subjects.append((subject, more.get("duration_seconds")))
        inject(changes, self.gate, subject, **more)

    def keep(self, keeper, subject, *, duration_seconds):
        pass

    def note(self, kind, **fields):
        pass


@pytest.fixture
def drill(aws_gate):
    scope = aws_gate.scope.model_copy(update={"cold_caches": True, "regions": (HOME, STANDBY)})
    return Drill(Gate(scope, aws_gate.drill, aws_gate.reach, aws_gate.watch), Random(1), [])


@pytest.fixture
def configuration(drill):
    return {DRILL_KEY: drill}


@pytest.fixture
def shop(clients):
    """A cache of three nodes at home, of one in the standby region, and a datastore of both; gives the former."""
    for region, replicas in ((HOME, 2), (STANDBY, 0)):
        cache = clients.aws("elasticache", region)
        cache.create_replication_group(
            ReplicationGroupId="shop",
            ReplicationGroupDescription="shop",
            ReplicasPerNodeGroup=replicas,
            AutomaticFailoverEnabled=bool(replicas),
            Tags=[{"Key": "blackstart", "Value": "allowed"}],
            **({} if region == HOME else {"GlobalReplicationGroupId": NAME}),
        )
        if region == HOME:
            cache.create_global_replication_group(
                GlobalReplicationGroupIdSuffix="shop", PrimaryReplicationGroupId="shop"
            )
    return clients.aws("elasticache", HOME)


def primary(cache):
    shard = cache.describe_replication_groups(ReplicationGroupId="shop")["ReplicationGroups"][0]["NodeGroups"][0]
    return next(node["CacheClusterId"] for node in shard["NodeGroupMembers"] if node["CurrentRole"] == "primary")


def test_a_group_fails_over(shop, drill, configuration):
    done = fail_over_node_group("shop", HOME, configuration=configuration)
    assert done["changes"][0].startswith("cache shop/0001: primary shop-001 (us-east-1a) → ")
    assert primary(shop) == "shop-002"
    assert undo("drill-1", drill.gate.reach).complete


def test_a_shard_that_is_not_there_is_refused(shop, configuration):
    with pytest.raises(Refused, match="it has no shard 0007; it has 0001"):
        fail_over_node_group("shop", HOME, shard="0007", configuration=configuration)
    assert primary(shop) == "shop-001"


def test_a_node_is_rebooted(shop, drill, configuration):
    done = reboot_node("shop-002", HOME, configuration=configuration)
    assert done["changes"] == ["cache node shop-002 (replica of shop, us-east-1b): rebooted"]
    assert len(shop.describe_events(SourceIdentifier="shop-002")["Events"]) == 2
    assert undo("drill-1", drill.gate.reach).complete


def test_the_primary_moves_to_another_region_for_a_while(shop, drill, configuration):
    fail_over_global(NAME, STANDBY, duration_seconds=60, configuration=configuration)
    assert drill.subjects == [(f"moving the primary of global cache {NAME} to {STANDBY}", 60)]
    (found,) = shop.describe_global_replication_groups(ShowMemberInfo=True)["GlobalReplicationGroups"]
    roles = {member["ReplicationGroupRegion"]: member["Role"] for member in found["Members"]}
    assert roles == {HOME: "SECONDARY", STANDBY: "PRIMARY"}
    assert undo("drill-1", drill.gate.reach).complete


@pytest.fixture
def server(tmp_path, monkeypatch):
    with redis_process.running() as server:
        path = tmp_path / "blackstart.toml"
        path.write_text(TOML.format(address=server.address))
        monkeypatch.setenv("BLACKSTART_CONFIG", str(path))
        yield server


def test_a_cache_is_emptied_where_the_settings_say(server, shop, configuration):
    with pytest.raises(Refused, match="holds nothing that begins with ''"):
        empty_cache(HOME, configuration=configuration)
    server.read(range(10))
    server.client.set("session:1", "x")
    assert "its keys product:… (10) deleted" in empty_cache(HOME, "product:", configuration=configuration)["changes"][0]
    assert server.client.keys() == [b"session:1"]
    with pytest.raises(ConfigInvalid, match=STANDBY):
        empty_cache(STANDBY, configuration=configuration)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: fail_over_node_group("", HOME),
        lambda: fail_over_node_group("shop", ""),
        lambda: reboot_node("", HOME),
        lambda: fail_over_global("", STANDBY),
        lambda: fail_over_global(NAME, ""),
        lambda: empty_cache(""),
    ],
)
def test_without_a_drill_nothing_happens(ask):
    with pytest.raises(Refused, match="no drill is open"):
        ask()


def test_an_empty_target_is_none(drill, configuration):
    for action, targets in (
        (fail_over_node_group, {"replication_group": "", "region": HOME}),
        (fail_over_node_group, {"replication_group": "shop", "region": ""}),
        (reboot_node, {"node": "", "region": HOME}),
        (fail_over_global, {"global_datastore": "", "to_region": STANDBY}),
        (fail_over_global, {"global_datastore": NAME, "to_region": ""}),
        (empty_cache, {"region": ""}),
    ):
        with pytest.raises(ConfigInvalid, match="it is empty; name what is meant"):
            action(**targets, configuration=configuration)
    assert drill.subjects == []

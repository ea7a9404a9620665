"""The actions on databases, through a gate: moto for RDS; what needs PostgreSQL refuses before it asks one."""

from dataclasses import dataclass

import pytest

from blackstart import settings
from blackstart.actions import databases
from blackstart.changes.gate import Gate, inject
from blackstart.changes.undo import undo
from blackstart.drill import DRILL_KEY
from blackstart.errors import ConfigInvalid, Refused

REGION = "us-east-1"


@dataclass
class Drill:
    """As much of a drill as actions see; ``ends``: after how many seconds each fault does."""

    gate: Gate
    ends: list
    random: None = None

    @property
    def clients(self):
        return self.gate.reach.clients

    @property
    def kinds(self):
        return self.gate.reach.kinds

    def inject(self, changes, subject, **more):
        self.ends.append(more.get("duration_seconds"))
        inject(changes, self.gate, subject, **more)

    def keep(self, keeper, subject, *, duration_seconds):
        pass

    def note(self, kind, **fields):
        pass


@pytest.fixture
def drill(aws_gate):
    return Drill(aws_gate, [])


@pytest.fixture
def rds(clients):
    """Has the Serverless v2 cluster orders: orders-0 writes, orders-1 reads."""
    rds, engine = clients.aws("rds", REGION), "aurora-postgresql"
    rds.create_db_cluster(
        DBClusterIdentifier="orders",
        Engine=engine,
        MasterUsername="shop",
        MasterUserPassword="not-a-secret",
        ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 16},
        Tags=[{"Key": "blackstart", "Value": "allowed"}],
    )
    for number in range(2):
        which = {"DBInstanceIdentifier": f"orders-{number}", "DBClusterIdentifier": "orders"}
        rds.create_db_instance(Engine=engine, DBInstanceClass="db.serverless", **which)
    return rds


def test_each_says_what_it_changed_and_is_undone(drill, rds):
    configuration = {DRILL_KEY: drill}
    told = [
        databases.lower_capacity_ceiling("orders", REGION, 2, duration_seconds=60, configuration=configuration),
        databases.fail_over_cluster("orders", REGION, to="orders-1", configuration=configuration),
        databases.reboot_writer("orders", REGION, configuration=configuration),
    ]
    assert [each["changes"][0].partition(": ")[2] for each in told] == [
        "at most 16 ACU → 2 ACU",
        told[1]["changes"][0].partition(": ")[2],
        "writer orders-1 reboots, its connections are cut",
    ]
    assert "writer orders-0" in told[1]["changes"][0]
    assert drill.ends == [60, None, None]
    assert undo("drill-1", drill.gate.reach).complete


@pytest.mark.parametrize("name", databases.__all__)
def test_nothing_is_done_without_a_drill_and_nothing_without_a_name(name, clients, aws_gate):
    action = getattr(databases, name)
    extra = {"units": 2} if name == "lower_capacity_ceiling" else {}
    first = {key: "" for key in ("cluster", "global_cluster", "region", "to_region") if key in parameters(action)}
    with pytest.raises(Refused, match="no drill is open"):
        action(**first, **extra)
    with pytest.raises(ConfigInvalid, match="name what is meant"):
        action(**first, **extra, configuration={DRILL_KEY: Drill(aws_gate, [])})


def parameters(action):
    return action.__code__.co_varnames[: action.__code__.co_argcount]


@pytest.mark.parametrize("action", [databases.pause_replication, databases.exhaust_connections])
def test_a_database_that_the_settings_do_not_know_is_refused(action, drill, monkeypatch):
    known = settings.Settings(
        scope=drill.gate.scope, service=settings.Service(name="orders", host="orders.test", port=1, home_region=REGION)
    )
    monkeypatch.setattr(settings, "current", lambda: known)
    with pytest.raises(Refused, match=r"\[stores\] databases of the settings does not say how to reach it"):
        action(REGION, configuration={DRILL_KEY: drill})
    assert drill.ends == []

"""Spot nodes lost while nothing can be launched, against Auto Scaling groups that keep their promises."""

import pytest

from blackstart.changes.capacity import find_named_groups, plan_no_launches
from blackstart.changes.clients import Clients
from blackstart.changes.gate import Gate, inject
from blackstart.changes.log import Drill
from blackstart.changes.mirror import Mirror
from blackstart.changes.owner import here
from blackstart.changes.pods import Many
from blackstart.changes.reach import Reach
from blackstart.changes.registry import Kinds
from blackstart.changes.spot import plan_interruption, spot_nodes_of_vpc
from blackstart.changes.sqlite_log import SqliteLog
from blackstart.changes.undo import undo
from blackstart.clock import SystemClock
from blackstart.scope import Scope

HOME = "us-east-1"


class Unwatched:
    def ensure(self, subject):
        pass


@pytest.fixture
def gate(api, own, tmp_path):
    environ = {"AWS_ENDPOINT_URL": api.url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    clients = Clients()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (environ | {"AWS_DEFAULT_REGION": HOME}).items():
            patch.setenv(name, value)
        clock, log = SystemClock(), SqliteLog(tmp_path / "undo.sqlite")
        reach = Reach(log, Kinds(), clients, clock, Mirror(tmp_path, "drill", clock), settle_seconds=0.5)
        scope = Scope(environment="test", accounts=("123456789012",), regions=(HOME,), shares={"spot node": 1.0})
        yield Gate(scope, Drill("drill-1", "a test", here(), "2026-01-01T00:00:00Z", ""), reach, Unwatched())
        log.close()
        clients.close()


def running(gate, own):
    return {node.instance.id for node in spot_nodes_of_vpc(gate.reach.clients, HOME, own.vpc[HOME]).nodes}


def test_launches_are_resumed_before_the_lost_nodes_are_waited_for(gate, own, own_plan):
    clients, name = gate.reach.clients, own_plan.auto_scaling_group(HOME, "spot")
    before = running(gate, own)
    inject(plan_no_launches(find_named_groups(clients, HOME, [name])), gate, "suspending launches")
    found = spot_nodes_of_vpc(clients, HOME, own.vpc[HOME])
    lost = found.nodes[: Many(share=0.5).of(found.total)]
    inject(plan_interruption(found, lost, [name]), gate, "interrupting half of the Spot nodes")
    assert running(gate, own) == before - {node.instance.id for node in lost}
    report = undo("drill-1", gate.reach, patience_seconds=30)
    assert report.complete
    after = running(gate, own)
    assert len(after) == len(before)
    assert not after & {node.instance.id for node in lost}
    (group,) = find_named_groups(clients, HOME, [name])
    assert group.suspended == frozenset()


def test_undoing_the_loss_alone_waits_as_long_as_nothing_can_be_launched(gate, own, own_plan):
    clients, name = gate.reach.clients, own_plan.auto_scaling_group(HOME, "spot")
    inject(plan_no_launches(find_named_groups(clients, HOME, [name])), gate, "suspending launches")
    found = spot_nodes_of_vpc(clients, HOME, own.vpc[HOME])
    inject(plan_interruption(found, found.nodes[:1], [name]), gate, "interrupting a Spot node")
    entries = gate.reach.log.entries("drill-1")
    report = undo("drill-1", gate.reach, faults=[entries[-1].number], patience_seconds=1)
    assert list(report.remaining.values()) == [f"Auto Scaling group {name} has 1 of 2 instances in service"]
    assert undo("drill-1", gate.reach, patience_seconds=30).complete

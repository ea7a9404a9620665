"""The actions on traffic as a plan runs them: they find their targets, and change nothing."""

from random import Random

import pytest

from blackstart.actions.traffic import fail_health_check, pretend_healthy, repoint_record, shift_weights, switch_routing
from blackstart.changes.clients import Clients
from blackstart.changes.mirror import Mirror
from blackstart.changes.reach import Reach
from blackstart.changes.registry import Kinds
from blackstart.changes.sqlite_log import SqliteLog
from blackstart.drill import DRILL_KEY
from blackstart.errors import ConfigInvalid, Refused
from blackstart.lab.aws.plan import SeedPlan
from blackstart.lab.aws.seed_names import seed_names
from blackstart.planning import PlannedDrill
from blackstart.testing import FakeClock

ZONE, HOST = "shop.test", "orders.shop.test"
HOME, STANDBY = "us-east-1", "us-west-2"


@pytest.fixture
def names(clients):
    """The names of the lab's platform."""
    return seed_names(clients.aws, SeedPlan())


@pytest.fixture
def drill(tmp_path, names, aws_gate):
    reading = Clients(read_only=True)
    log, clock = SqliteLog(tmp_path / "plan.sqlite"), FakeClock()
    yield PlannedDrill(aws_gate.scope, Reach(log, Kinds(), reading, clock, Mirror(None, "plan", clock)), Random(1))
    reading.close()
    log.close()


@pytest.fixture
def act(drill):
    """What an action would change, as it tells it; nothing speaks against it."""

    def acted(action, **arguments):
        drill.proposals.clear()
        told = action(**arguments, configuration={DRILL_KEY: drill})
        (proposal,) = drill.proposals
        assert proposal.objections == ()
        assert told == {"changes": [change.summary for change in proposal.changes]}
        return [change.kind for change in proposal.changes]

    return acted


def test_a_health_check_is_given_by_its_id_or_by_the_name_that_goes_by_it(act, drill, names):
    for action in (fail_health_check, pretend_healthy):
        for given in ({"health_check": names.health_check}, {"zone": ZONE, "name": HOST}):
            assert act(action, **given) == ["route53.health_check"]
            assert drill.proposals[0].changes[0].target.id == names.health_check


def test_which_health_check_is_meant_must_be_clear(act, names):
    with pytest.raises(ConfigInvalid, match="give its id, or else a hosted zone and a name"):
        act(fail_health_check)
    with pytest.raises(ConfigInvalid, match="give its id, or else a hosted zone and a name"):
        act(pretend_healthy, health_check=names.health_check, zone=ZONE, name=HOST)
    with pytest.raises(Refused, match="name one of its records that have one: none"):
        act(fail_health_check, zone=ZONE, name="geo.shop.test")


def test_records_are_shifted_and_repointed(act):
    weights = {HOME: 0, STANDBY: 100}
    assert act(shift_weights, zone=ZONE, name="weighted.shop.test", weights=weights) == ["route53.record_set"] * 2
    primary = {"zone": ZONE, "name": HOST, "record": "primary", "to": "127.0.0.12"}
    assert act(repoint_record, **primary, without_health_check=True) == ["route53.record_set"]
    assert act(repoint_record, zone=ZONE, name="geo.shop.test", record=STANDBY, to="127.0.0.11, 127.0.0.12")


def test_what_makes_no_sense_is_refused(act):
    with pytest.raises(ConfigInvalid, match="no record is given a weight"):
        act(shift_weights, zone=ZONE, name="weighted.shop.test", weights={})
    with pytest.raises(Refused, match="nothing is given that it could point to"):
        act(repoint_record, zone=ZONE, name=HOST, record="primary", to=" ,")
    with pytest.raises(ConfigInvalid, match="either one is given, or none is wanted"):
        act(repoint_record, zone=ZONE, name=HOST, to="127.0.0.1", health_check="c", without_health_check=True)


def test_routing_is_switched(act, names, clients):
    (cluster,) = clusters(clients)[-1:]
    assert act(switch_routing, cluster=cluster, on=STANDBY, off=HOME, lost=HOME) == ["arc.routing_control"] * 2
    with pytest.raises(Refused, match="none is named that could be switched"):
        act(switch_routing, cluster=cluster, on="", off="")


def clusters(clients):
    """ARNs, oldest first: the emulator forgets none."""
    config = clients.aws("route53-recovery-control-config", STANDBY)
    return [each["ClusterArn"] for each in config.list_clusters()["Clusters"]]


def test_without_a_drill_nothing_is_done(names):
    for action, arguments in (
        (fail_health_check, {"health_check": names.health_check}),
        (pretend_healthy, {"health_check": names.health_check}),
        (shift_weights, {"zone": ZONE, "name": HOST, "weights": {HOME: 1}}),
        (repoint_record, {"zone": ZONE, "name": HOST, "to": "127.0.0.1"}),
        (switch_routing, {"cluster": "shop", "on": HOME, "off": STANDBY}),
    ):
        with pytest.raises(Refused, match="no drill is open"):
            action(**arguments)

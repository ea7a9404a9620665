import pytest
from botocore.exceptions import ClientError
from test_kind_permissions import differences, walk

from blackstart.changes.clients import Clients
from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.model import Change
from blackstart.changes.routing_control import (
    CONFIG,
    CONFIG_REGION,
    RoutingControl,
    find_routing_controls,
    plan_routing,
)
from blackstart.changes.undo import undo
from blackstart.errors import ApplyFailed, Refused, ServiceUnreachable, TargetChanged

EAST, WEST = "us-east-1", "us-west-2"
SWITCHING = "switching routing controls"


@pytest.fixture(scope="session")
def numbers():
    return iter(range(1000))


@pytest.fixture
def config(clients):
    return clients.aws(CONFIG, CONFIG_REGION)


@pytest.fixture
def cluster(config, numbers):
    return config.create_cluster(ClusterName=f"shop-{next(numbers)}")["Cluster"]


@pytest.fixture
def panel(config, cluster):
    asked = {"ClusterArn": cluster["ClusterArn"], "ControlPanelName": "shop", "Tags": {"blackstart": "allowed"}}
    return config.create_control_panel(**asked)["ControlPanel"]["ControlPanelArn"]


@pytest.fixture
def made(config, cluster, panel):
    """The routing controls by name; the one of the east is On."""
    asked = {"ClusterArn": cluster["ClusterArn"], "ControlPanelArn": panel}
    arns = {
        name: config.create_routing_control(RoutingControlName=name, **asked)["RoutingControl"]["RoutingControlArn"]
        for name in (EAST, WEST)
    }
    return arns


@pytest.fixture
def ruled(config, panel, made):
    """Makes a safety rule over some routing controls: as many of them are On."""

    def make(name, least, *over):
        rule = {"Type": "ATLEAST", "Threshold": least, "Inverted": False}
        asserted = {"AssertedControls": [made[each] for each in over], "ControlPanelArn": panel, "RuleConfig": rule}
        config.create_safety_rule(AssertionRule={"Name": name, "WaitPeriodMs": 0, **asserted})

    return make


@pytest.fixture
def switch(clients, cluster, made):
    place = cluster["ClusterEndpoints"][0]
    data = clients.aws("route53-recovery-cluster", place["Region"], place["Endpoint"])

    def to(name, state):
        data.update_routing_control_state(RoutingControlArn=made[name], RoutingControlState=state)

    to(EAST, "On")
    return to


@pytest.fixture
def find(clients, cluster, switch):
    return lambda **more: find_routing_controls(clients, cluster["Name"], **more)


@pytest.fixture
def states(find):
    return lambda: {each.name: each.state for each in find().controls}


@pytest.fixture
def swap(find):
    return plan_routing(find(), WEST, EAST)


def test_traffic_is_switched_in_one_batch_and_back(swap, states, aws_gate):
    assert [each.summary.partition(": ")[2] for each in swap] == ["Off → On", "On → Off"]
    inject(swap, aws_gate, SWITCHING)
    assert states() == {EAST: "Off", WEST: "On"}
    assert undo("drill-1", aws_gate.reach).complete
    assert states() == {EAST: "On", WEST: "Off"}


def test_a_cluster_is_found_by_its_arn_with_endpoints_of_the_lost_region_last(clients, cluster, switch):
    found = find_routing_controls(clients, cluster["ClusterArn"], lost="us-east-1")
    assert (found.cluster, len(found.controls)) == (cluster["Name"], 2)
    assert [region for region, _ in found.endpoints][-1] == "us-east-1"
    assert len(found.endpoints) == 5


@pytest.mark.parametrize("name", ["nobody", "arn:aws:route53-recovery-control::1:cluster/nobody"])
def test_a_cluster_that_is_not_there_is_refused(clients, name):
    with pytest.raises(Refused, match="not switching routing controls of"):
        find_routing_controls(clients, name)


def test_what_is_so_already_is_left_out_and_what_is_not_there_refused(find):
    assert plan_routing(find(), EAST, WEST) == []
    assert len(plan_routing(find(), WEST, "")) == 1
    with pytest.raises(Refused, match="there are: us-east-1, us-west-2"):
        plan_routing(find(), "eu-west-1", EAST)
    with pytest.raises(Refused, match="cannot be both On and Off"):
        plan_routing(find(), EAST, EAST)


def test_a_safety_rule_is_kept(ruled, find, states, aws_gate):
    ruled("one-is-on", 1, EAST, WEST)
    with pytest.raises(ApplyFailed, match=r"ARC does not allow it: .*one-is-on"):
        inject(plan_routing(find(), "", EAST), aws_gate, SWITCHING)
    assert states() == {EAST: "On", WEST: "Off"}


def test_a_safety_rule_that_is_made_meanwhile_keeps_undo_trying(ruled, swap, clients, states):
    kind = RoutingControl()
    kind.apply(swap, clients)
    ruled("west-stays-on", 1, WEST)
    with pytest.raises(TargetChanged, match="west-stays-on"):
        kind.undo(swap, clients)
    assert states() == {EAST: "Off", WEST: "On"}


def test_applying_and_undoing_again_does_nothing_more_also_in_another_process(clients, swap, states):
    assert RoutingControl().undo(swap, clients)[swap[0].id].ending is Ending.UNTOUCHED
    RoutingControl().apply(swap, clients)
    RoutingControl().apply(swap, clients)
    again = [Change.from_json(each.to_json()) for each in swap]
    assert {each.ending for each in RoutingControl().undo(again, clients).values()} == {Ending.RESTORED}
    assert {each.ending for each in RoutingControl().undo(again, clients).values()} == {Ending.UNTOUCHED}
    assert {each.ending for each in RoutingControl().verify(again, clients).values()} == {Ending.UNTOUCHED}
    assert states() == {EAST: "On", WEST: "Off"}


def test_half_an_apply_is_undone(clients, swap, switch, states):
    switch(WEST, "On")
    endings = RoutingControl().undo(swap, clients)
    assert [endings[each.id].ending for each in swap] == [Ending.RESTORED, Ending.UNTOUCHED]
    assert states() == {EAST: "On", WEST: "Off"}


def test_one_that_is_not_there_is_a_conflict(clients, swap):
    (change, _) = swap
    elsewhere = Change.from_json(
        {**change.to_json(), "target": {**change.to_json()["target"], "id": f"{change.target.id}0"}}
    )
    assert RoutingControl().undo([elsewhere], clients)[change.id].ending is Ending.CONFLICT


class Endpoints:
    """Clients some of whose endpoints fail, as the lab's do not. ``failing``: what each region says."""

    def __init__(self, clients, failing):
        self.clients, self.failing, self.asked = clients, failing, []

    def aws(self, service, region, endpoint):
        self.asked.append(region)
        if region in self.failing:
            code = {"Error": {"Code": self.failing[region], "Message": "no"}}
            return Failing(ClientError(code, "Any"))
        return self.clients.aws(service, region, endpoint)


class Failing:
    def __init__(self, error):
        self.error = error

    def __getattr__(self, name):
        def fail(**_):
            raise self.error

        return fail


TEMPORARY, DENIED = "EndpointTemporarilyUnavailableException", "AccessDeniedException"


def test_endpoints_are_asked_in_turn_until_one_answers(clients, swap, states):
    failing = Endpoints(clients, {"us-east-1": TEMPORARY, "us-west-2": "ThrottlingException"})
    RoutingControl().apply(swap, failing)
    assert failing.asked == ["us-east-1", "us-west-2", "eu-west-1"] * 3
    assert states() == {EAST: "Off", WEST: "On"}


def test_an_endpoint_that_refuses_speaks_for_all(clients, swap):
    failing = Endpoints(clients, {"us-east-1": DENIED})
    with pytest.raises(ClientError, match=DENIED):
        RoutingControl().apply(swap, failing)
    assert failing.asked == ["us-east-1"]


def test_when_no_endpoint_answers_it_says_where_it_asked(clients, swap):
    failing = Endpoints(clients, dict.fromkeys([region for region, _ in swap[0].before["endpoints"]], TEMPORARY))
    with pytest.raises(ServiceUnreachable, match="endpoints in us-east-1, us-west-2, eu-west-1"):
        RoutingControl().verify(swap, failing)


def test_it_calls_just_what_it_declares(swap):
    calls = []
    heard = Clients(record=calls.append)
    assert differences(swap, walk(swap, heard, calls)) == {}
    heard.close()


def test_a_swap_is_one_call(swap):
    calls = []
    heard = Clients(record=calls.append)
    RoutingControl().apply(swap, heard)
    written = [str(call) for call in calls if not call.reads]
    assert written == ["route53-recovery-cluster:UpdateRoutingControlStates"]
    heard.close()

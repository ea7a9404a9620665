from dataclasses import replace

import pytest
from test_kind_permissions import differences, walk

from blackstart.changes.clients import Clients
from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.network import find_vpc
from blackstart.changes.shiftable import find_shiftable
from blackstart.changes.undo import undo
from blackstart.changes.zonal_shift import ZonalShift, plan_shift
from blackstart.errors import ApplyFailed, NotYet, Refused, TargetChanged

REGION, ZONE = "us-east-1", "us-east-1a"
SHIFTING = f"shifting traffic away from {ZONE}"


@pytest.fixture
def found(clients, vpc):
    return find_vpc(clients, REGION, vpc)


def zone_of(found):
    return next(subnet.zone_id for subnet in found.subnets if subnet.zone == ZONE)


@pytest.fixture
def balance(clients, found):
    """Makes a load balancer over all zones, opted in or not; its ARN."""

    def make(name, opted_in=True):
        elbv2 = clients.aws("elbv2", REGION)
        tags = [{"Key": "blackstart", "Value": "allowed"}]
        made = elbv2.create_load_balancer(Name=name, Subnets=[subnet.id for subnet in found.subnets], Tags=tags)
        arn = made["LoadBalancers"][0]["LoadBalancerArn"]
        attribute = {"Key": "zonal_shift.config.enabled", "Value": "true" if opted_in else "false"}
        elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[attribute])
        return arn

    return make


@pytest.fixture
def arc(clients):
    return clients.aws("arc-zonal-shift", REGION)


@pytest.fixture
def weights(arc):
    return lambda arn: sorted(arc.get_managed_resource(resourceIdentifier=arn)["appliedWeights"].values())


def plan(clients, found, *arns, seconds=600.0):
    return plan_shift(find_shiftable(clients, found, arns), found, ZONE, seconds)


def theirs(arc, arn, zone_id):
    asked = {"resourceIdentifier": arn, "awayFrom": zone_id, "expiresIn": "1h", "comment": "the on-call's"}
    return arc.start_zonal_shift(**asked)["zonalShiftId"]


def test_traffic_leaves_the_zone_and_comes_back(clients, found, balance, aws_gate, weights):
    arn = balance("orders")
    inject(plan(clients, found), aws_gate, SHIFTING)
    (shift,) = clients.aws("arc-zonal-shift", REGION).get_managed_resource(resourceIdentifier=arn)["zonalShifts"]
    assert shift["awayFrom"] == zone_of(found)
    assert round((shift["expiryTime"] - shift["startTime"]).total_seconds()) == 600
    assert weights(arn) == [0, 1, 1]
    assert undo("drill-1", aws_gate.reach).complete
    assert weights(arn) == [1, 1, 1]


def test_the_shift_ends_by_itself_no_sooner_than_the_fault(clients, found, balance):
    balance("orders")
    (change,) = plan(clients, found, seconds=61)
    assert change.after["expires in"] == "2m"
    with pytest.raises(Refused, match="72 hours at most"):
        plan(clients, found, seconds=72 * 3600 + 1)


def test_only_the_named_resources_are_shifted(clients, found, balance):
    balance("orders")
    other = balance("other")
    (change,) = plan(clients, found, other)
    assert (change.target.id, change.target.tags) == (other, {"blackstart": "allowed"})
    assert (change.share.members, change.share.total) == ((ZONE,), 3)


def test_what_is_not_opted_in_is_refused_with_the_way_to_do_it(clients, found, balance):
    balance("orders", opted_in=False)
    with pytest.raises(Refused, match=r"orders is not opted in.*set its attribute zonal_shift.config.enabled to true"):
        plan(clients, found)


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        ("cluster/shop", r"zonalShiftConfig enabled"),
        ("autoScalingGroup:1:autoScalingGroupName/spot", "AvailabilityZoneImpairmentPolicy"),
        ("loadbalancer/app/orders/1", "zonal_shift.config.enabled"),
    ],
)
def test_each_kind_of_resource_says_how_to_opt_in(clients, found, resource, reason):
    services = {"cluster": "eks", "autoScalingGroup": "autoscaling", "loadbalancer": "elasticloadbalancing"}
    service = next(name for prefix, name in services.items() if resource.startswith(prefix))
    with pytest.raises(Refused, match=reason):
        plan(clients, found, f"arn:aws:{service}:{REGION}:123456789012:{resource}")


@pytest.mark.parametrize("arn", ["orders", "arn:aws:sqs:us-east-1:1:orders", "arn:aws:eks:us-west-2:1:cluster/shop"])
def test_what_arc_does_not_shift_is_refused(clients, found, arn):
    with pytest.raises(Refused, match="it is no ARN of a"):
        plan(clients, found, arn)


def test_a_resource_that_is_shifted_already_is_refused(clients, found, balance, arc):
    zone_id = zone_of(found)
    shift = theirs(arc, balance("orders"), zone_id)
    with pytest.raises(Refused, match=f"shifted already: {zone_id} .shift {shift}"):
        plan(clients, found)


def test_a_resource_outside_the_zone_is_refused(clients, found, balance):
    (resource,) = find_shiftable(clients, found, [balance("orders")])
    elsewhere = replace(resource, weights={"use1-az9": 1.0})
    with pytest.raises(Refused, match=f"is not in {ZONE} .*; its zones are use1-az9"):
        plan_shift([elsewhere], found, ZONE, 60)


def test_a_zone_without_subnets_has_nothing_to_shift(clients, found, balance):
    balance("orders")
    assert plan_shift(find_shiftable(clients, found), found, "us-east-1f", 60) == []


def test_a_shift_that_somebody_else_made_since_the_plan_stays(clients, found, balance, arc, aws_gate):
    arn = balance("orders")
    changes = plan(clients, found)
    shift = theirs(arc, arn, zone_of(found))
    with pytest.raises(ApplyFailed, match="not as planned any more"):
        inject(changes, aws_gate, SHIFTING)
    assert ZonalShift().undo(changes, clients)[changes[0].id].ending is Ending.CONFLICT
    assert arc.get_managed_resource(resourceIdentifier=arn)["zonalShifts"][0]["zonalShiftId"] == shift


def test_applying_and_undoing_again_does_nothing_more(clients, found, balance, arc, weights):
    arn = balance("orders")
    changes, kind = plan(clients, found), ZonalShift()
    assert kind.undo(changes, clients)[changes[0].id].ending is Ending.UNTOUCHED
    kind.apply(changes, clients)
    kind.apply(changes, clients)
    assert len(arc.list_zonal_shifts(resourceIdentifier=arn)["items"]) == 1
    assert kind.verify(changes, clients)[changes[0].id].ending is Ending.PENDING
    assert kind.undo(changes, clients)[changes[0].id].ending is Ending.RESTORED
    assert kind.undo(changes, clients)[changes[0].id].ending is Ending.UNTOUCHED
    assert weights(arn) == [1, 1, 1]


def test_a_shift_that_somebody_cancelled_is_nothing_to_undo(clients, found, balance, arc):
    arn = balance("orders")
    changes, kind = plan(clients, found), ZonalShift()
    kind.apply(changes, clients)
    (shift,) = arc.list_zonal_shifts(status="ACTIVE", resourceIdentifier=arn)["items"]
    arc.cancel_zonal_shift(zonalShiftId=shift["zonalShiftId"])
    assert kind.undo(changes, clients)[changes[0].id].ending is Ending.UNTOUCHED


def test_a_resource_that_was_opted_out_is_a_conflict(clients, found, balance):
    arn = balance("orders")
    changes = plan(clients, found)
    attribute = {"Key": "zonal_shift.config.enabled", "Value": "false"}
    clients.aws("elbv2", REGION).modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[attribute])
    assert ZonalShift().undo(changes, clients)[changes[0].id].ending is Ending.CONFLICT


@pytest.fixture
def shifting(clients, found, balance):
    balance("orders")
    return plan(clients, found)


class Answers:
    """Clients whose ARC says that a shift conflicts, as no emulator does for these reasons."""

    def __init__(self, arc, reason):
        self.exceptions, self._arc, self._reason = arc.exceptions, arc, reason
        self.weights, self.autoshifts = {"use1-az1": 1.0}, []

    def aws(self, *_):
        return self

    def get_managed_resource(self, **_):
        return {"appliedWeights": self.weights, "zonalShifts": [], "autoshifts": self.autoshifts}

    def start_zonal_shift(self, **_):
        answer = {"Error": {"Code": "ConflictException", "Message": "no"}, "reason": self._reason}
        raise self.exceptions.ConflictException(answer, "StartZonalShift")


@pytest.fixture
def stub(arc):
    return lambda reason="": Answers(arc, reason)


@pytest.mark.parametrize(
    ("reason", "error", "said"),
    [
        ("ZonalShiftAlreadyExists", NotYet, "shifted, which was not seen"),
        ("ZonalAutoshiftActive", TargetChanged, "AWS itself is shifting its traffic"),
        ("SimultaneousZonalShiftsConflict", TargetChanged, "another shift of it"),
        ("SomethingNew", TargetChanged, "SomethingNew"),
    ],
)
def test_a_conflict_is_told_in_a_sentence(shifting, stub, reason, error, said):
    clients = stub(reason)
    with pytest.raises(error, match=said):
        ZonalShift().apply(shifting, clients)


def test_a_weight_that_is_not_back_yet_is_waited_for_and_an_autoshift_is_not_ours(shifting, stub):
    clients = stub()
    clients.weights = {"use1-az1": 0.0}
    assert ZonalShift().verify(shifting, clients)[shifting[0].id].ending is Ending.PENDING
    clients.autoshifts = [{"appliedStatus": "APPLIED", "awayFrom": "use1-az1"}]
    assert ZonalShift().verify(shifting, clients)[shifting[0].id].ending is Ending.CONFLICT


def test_it_calls_just_what_it_declares(clients, found, balance):
    balance("orders")
    calls, changes = [], plan(clients, found)
    heard = Clients(record=calls.append)
    assert differences(changes, walk(changes, heard, calls)) == {}
    heard.close()

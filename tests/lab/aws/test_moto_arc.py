"""Zonal shifts of the lab's AWS API, through the router, as a client of ARC sees them."""

import pytest

REGION, ZONES = "us-east-1", ("us-east-1a", "us-east-1b")


@pytest.fixture
def arc(api):
    return api.clients("arc-zonal-shift", REGION)


@pytest.fixture
def arn(api, own, own_plan):
    elbv2 = api.clients("elbv2", REGION)
    return elbv2.describe_load_balancers(Names=[own_plan.regional(REGION)])["LoadBalancers"][0]["LoadBalancerArn"]


@pytest.fixture
def zone(arc, arn):
    return min(arc.get_managed_resource(resourceIdentifier=arn)["appliedWeights"])


@pytest.fixture
def shift(arc, arn, zone):
    """Shifts away from the zone, for a minute if nothing else is said; ends with the test."""
    made = []

    def start(**more):
        asked = {"resourceIdentifier": arn, "awayFrom": zone, "expiresIn": "1m", "comment": "a test", **more}
        made.append(arc.start_zonal_shift(**asked))
        return made[-1]

    yield start
    for each in made:
        if arc.list_zonal_shifts(status="ACTIVE", resourceIdentifier=arn)["items"]:
            arc.cancel_zonal_shift(zonalShiftId=each["zonalShiftId"])


def test_a_shift_takes_the_weight_of_its_zone_until_it_is_cancelled(arc, arn, zone, shift):
    started = shift()
    assert started["status"] == "ACTIVE"
    found = arc.get_managed_resource(resourceIdentifier=arn)
    assert {name for name, weight in found["appliedWeights"].items() if weight == 0} == {zone}
    assert found["zonalShifts"][0]["appliedStatus"] == "APPLIED"
    arc.cancel_zonal_shift(zonalShiftId=started["zonalShiftId"])
    assert set(arc.get_managed_resource(resourceIdentifier=arn)["appliedWeights"].values()) == {1}
    (item,) = [each for each in arc.list_zonal_shifts()["items"] if each["zonalShiftId"] == started["zonalShiftId"]]
    assert item["status"] == "CANCELED"


def test_a_second_shift_of_a_resource_conflicts_and_names_the_first(arc, shift):
    first = shift()
    with pytest.raises(arc.exceptions.ConflictException) as caught:
        shift()
    assert caught.value.response["reason"] == "ZonalShiftAlreadyExists"
    assert caught.value.response["zonalShiftId"] == first["zonalShiftId"]


def test_a_shift_that_is_not_active_cannot_be_cancelled(arc, shift):
    one = shift()["zonalShiftId"]
    arc.cancel_zonal_shift(zonalShiftId=one)
    with pytest.raises(arc.exceptions.ConflictException) as caught:
        arc.cancel_zonal_shift(zonalShiftId=one)
    assert caught.value.response["reason"] == "ZonalShiftStatusNotActive"


def test_a_shift_can_be_made_longer(arc, shift):
    started = shift()
    told = arc.update_zonal_shift(zonalShiftId=started["zonalShiftId"], expiresIn="3h", comment="longer")
    assert told["comment"] == "longer"
    assert told["expiryTime"] > started["expiryTime"]


@pytest.mark.parametrize(
    ("more", "reason"), [({"awayFrom": "use1-az9"}, "InvalidAz"), ({"expiresIn": "73h"}, "InvalidExpiresIn")]
)
def test_what_makes_no_sense_is_refused(arc, shift, more, reason):
    with pytest.raises(arc.exceptions.ValidationException) as caught:
        shift(**more)
    assert caught.value.response["reason"] == reason


def test_what_is_not_opted_in_is_not_known(api, arc, arn):
    elbv2 = api.clients("elbv2", REGION)
    assert [item["arn"] for item in arc.list_managed_resources()["items"]].count(arn) == 1
    for value, known in (("false", False), ("true", True)):
        attribute = {"Key": "zonal_shift.config.enabled", "Value": value}
        elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[attribute])
        assert (arn in [item["arn"] for item in arc.list_managed_resources()["items"]]) is known
        if not known:
            with pytest.raises(arc.exceptions.ResourceNotFoundException):
                arc.get_managed_resource(resourceIdentifier=arn)
    with pytest.raises(arc.exceptions.ResourceNotFoundException):
        arc.cancel_zonal_shift(zonalShiftId="0f9c7f1e-0000-0000-0000-000000000000")


def test_the_router_tells_of_a_shift(api, shift):
    shift()
    assert api.ask("/changes")["services"][-1][1:] == ["arc-zonal-shift", REGION, "StartZonalShift"]

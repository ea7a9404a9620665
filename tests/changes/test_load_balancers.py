from dataclasses import replace

import pytest
from test_kind_permissions import differences, walk

from blackstart.changes.clients import Clients
from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.load_balancer_finding import find_balancers, mappings
from blackstart.changes.load_balancers import BalancerSubnets, left_alone, plan_subnets_away
from blackstart.changes.network import find_vpc
from blackstart.changes.undo import undo
from blackstart.errors import TargetChanged

REGION, ZONE = "us-east-1", "us-east-1a"
AWAY = f"taking {ZONE} away"


@pytest.fixture
def found(clients, vpc):
    return find_vpc(clients, REGION, vpc)


@pytest.fixture
def elbv2(clients):
    return clients.aws("elbv2", REGION)


@pytest.fixture
def balance(elbv2, found):
    """Makes a load balancer in the named zones (all, if none); its ARN."""

    def make(name="orders", zones=(), kind="application"):
        subnets = [subnet.id for subnet in found.subnets if not zones or subnet.zone in zones]
        tags = [{"Key": "blackstart", "Value": "allowed"}]
        made = elbv2.create_load_balancer(Name=name, Subnets=subnets, Type=kind, Tags=tags)
        return made["LoadBalancers"][0]["LoadBalancerArn"]

    return make


@pytest.fixture
def zones(elbv2):
    def read(arn):
        (balancer,) = elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
        return sorted(zone["ZoneName"] for zone in balancer["AvailabilityZones"])

    return read


def plan(clients, found, away=(ZONE,)):
    return plan_subnets_away(find_balancers(clients, found), found, away)


def test_a_load_balancer_leaves_the_zone_and_comes_back(clients, found, balance, zones, aws_gate):
    arn = balance()
    before = zones(arn)
    inject(plan(clients, found), aws_gate, AWAY)
    assert zones(arn) == ["us-east-1b", "us-east-1c"]
    assert undo("drill-1", aws_gate.reach).complete
    assert zones(arn) == before


def test_one_that_would_have_a_single_zone_or_is_of_network_type_is_left_and_told(clients, found, balance):
    balance("small", zones=(ZONE, "us-east-1b"))
    balance("net", kind="network")
    assert plan(clients, found) == []
    small, net = sorted(left_alone(find_balancers(clients, found), [ZONE]), key=lambda said: "net" in said)
    assert small == "load balancer small keeps us-east-1a: it must have 2 zones, and 1 would be left"
    assert "left to its own health checks" in net


def test_one_that_is_elsewhere_is_left_alone(clients, found, balance):
    balance(zones=("us-east-1b", "us-east-1c"))
    assert plan(clients, found) == []
    assert left_alone(find_balancers(clients, found), [ZONE]) == []


def test_addresses_that_were_chosen_are_kept():
    address = {"AllocationId": "eipalloc-1", "IpAddress": "192.0.2.1"}
    described = {"AvailabilityZones": [{"SubnetId": "s-1", "ZoneName": "a", "LoadBalancerAddresses": [address]}]}
    assert mappings(described) == {"a": {"SubnetId": "s-1", "AllocationId": "eipalloc-1"}}


def test_a_chosen_address_is_given_back(clients, found, balance, elbv2, monkeypatch):
    arn = balance()
    (balancer,) = find_balancers(clients, found)
    fixed = {zone: {**mapping, "PrivateIPv4Address": "10.0.0.9"} for zone, mapping in balancer.mappings.items()}
    (change,) = plan_subnets_away([replace(balancer, mappings=fixed)], found, [ZONE])
    asked = []
    monkeypatch.setattr(elbv2, "set_subnets", lambda **more: asked.append(more))
    BalancerSubnets().force(change, clients)
    (call,) = asked
    assert call["LoadBalancerArn"] == arn
    assert {mapping.get("PrivateIPv4Address") for mapping in call["SubnetMappings"]} >= {"10.0.0.9"}


def test_applying_and_undoing_again_does_nothing_more(clients, found, balance, zones):
    arn = balance()
    changes, kind = plan(clients, found), BalancerSubnets()
    assert kind.undo(changes, clients)[changes[0].id].ending is Ending.UNTOUCHED
    kind.apply(changes, clients)
    kind.apply(changes, clients)
    assert zones(arn) == ["us-east-1b", "us-east-1c"]
    assert kind.undo(changes, clients)[changes[0].id].ending is Ending.RESTORED
    assert kind.undo(changes, clients)[changes[0].id].ending is Ending.UNTOUCHED


def test_another_subnet_that_somebody_put_there_stays(clients, found, balance, elbv2, zones):
    arn = balance()
    changes, kind = plan(clients, found), BalancerSubnets()
    kind.apply(changes, clients)
    ec2, mine = clients.aws("ec2", REGION), changes[0].before
    other = ec2.create_subnet(VpcId=found.id, CidrBlock="10.0.9.0/24", AvailabilityZone=ZONE)["Subnet"]["SubnetId"]
    kept = [mine[field]["SubnetId"] for field in mine if ZONE not in field]
    elbv2.set_subnets(LoadBalancerArn=arn, Subnets=[*kept, other])
    assert kind.undo(changes, clients)[changes[0].id].ending is Ending.CONFLICT
    (balancer,) = find_balancers(clients, found)
    assert balancer.mappings[ZONE]["SubnetId"] == other
    with pytest.raises(TargetChanged):
        kind.apply(changes, clients)


def test_one_that_was_deleted_is_a_conflict_and_keeps_nobody_from_reading_the_others(clients, found, balance, elbv2):
    gone, kept = balance("gone"), balance("kept")
    changes = plan(clients, found)
    elbv2.delete_load_balancer(LoadBalancerArn=gone)
    seen = {change.target.id: BalancerSubnets().undo(changes, clients)[change.id].ending for change in changes}
    assert seen == {gone: Ending.CONFLICT, kept: Ending.UNTOUCHED}


def test_it_calls_just_what_it_declares(clients, found, balance):
    balance()
    calls, changes = [], plan(clients, found)
    heard = Clients(record=calls.append)
    assert differences(changes, walk(changes, heard, calls)) == {}
    heard.close()

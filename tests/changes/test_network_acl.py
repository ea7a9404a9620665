from dataclasses import replace

import pytest

from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.log import Fault
from blackstart.changes.network import find_vpc
from blackstart.changes.network_acl import DenyAllAcl, SubnetAcl, find_acls, plan_black_hole
from blackstart.changes.undo import undo
from blackstart.errors import ApplyFailed, Refused
from blackstart.lab.aws.state import FAMILIES, lets_through

CUTTING = "cutting off us-east-1a"
FAULT = Fault(CUTTING, 1000.0)


@pytest.fixture
def ec2(clients):
    return clients.aws("ec2", "us-east-1")


@pytest.fixture
def plan(clients, vpc):
    found = find_vpc(clients, "us-east-1", "shop")
    return plan_black_hole(found, ["us-east-1a"], find_acls(clients, found))


@pytest.fixture
def acls(ec2, vpc):
    """Reads which ACL guards each subnet of the VPC; association ids left out, because they change."""

    def read():
        found = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkAcls"]
        return {acl["NetworkAclId"]: sorted(item["SubnetId"] for item in acl["Associations"]) for acl in found}

    return read


def swap(ec2, subnet, acl):
    found = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])
    (association,) = [item for item in found["NetworkAcls"][0]["Associations"] if item["SubnetId"] == subnet]
    ec2.replace_network_acl_association(AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl)


def test_a_vpc_is_found_by_name_or_id_with_its_zones(clients, vpc):
    by_name, by_id = find_vpc(clients, "us-east-1", "shop"), find_vpc(clients, "us-east-1", vpc)
    assert by_name == by_id
    assert by_name.zones == ("us-east-1a", "us-east-1b", "us-east-1c")
    assert by_name.account == "123456789012"
    assert by_name.tags["blackstart"] == "allowed"


def test_a_vpc_that_is_not_exactly_one_is_refused(clients, vpc, ec2):
    with pytest.raises(Refused, match="0 VPCs there have this id or Name"):
        find_vpc(clients, "us-east-1", "shipping")
    other = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[other], Tags=[{"Key": "Name", "Value": "shop"}])
    with pytest.raises(Refused, match="2 VPCs"):
        find_vpc(clients, "us-east-1", "shop")


def test_a_zone_without_subnets_has_nothing_to_change(clients, vpc):
    found = find_vpc(clients, "us-east-1", "shop")
    assert plan_black_hole(found, ["us-east-1f"], find_acls(clients, found)) == []


def test_the_plan_reads_only(clients, vpc, acls):
    before = acls()
    found = find_vpc(clients, "us-east-1", "shop")
    fence, subnet = plan_black_hole(found, ["us-east-1a"], find_acls(clients, found))
    assert acls() == before
    assert (fence.step, subnet.step) == (0, 1)
    assert subnet.summary.endswith("→ deny all")
    assert subnet.share.members == ("us-east-1a",)
    assert subnet.share.total == 3


def test_a_subnet_that_another_account_shares_is_refused(clients, vpc):
    found = find_vpc(clients, "us-east-1", "shop")
    subnets = tuple(replace(subnet, owner="210987654321") for subnet in found.subnets)
    with pytest.raises(Refused, match=r"only its owner may change network ACLs .*of account 210987654321"):
        plan_black_hole(replace(found, subnets=subnets), ["us-east-1a"], find_acls(clients, found))


def test_every_subnet_of_the_zone_is_shut_to_both_families_both_ways(aws_gate, clients, vpc, ec2):
    second = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.9.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
    ec2.create_tags(Resources=[second], Tags=[{"Key": "blackstart", "Value": "allowed"}])
    found = find_vpc(clients, "us-east-1", "shop")
    inject(plan_black_hole(found, ["us-east-1a"], find_acls(clients, found)), aws_gate, CUTTING)
    shut = [subnet.id for subnet in found.subnets if subnet.zone == "us-east-1a"]
    filters = [{"Name": "association.subnet-id", "Values": shut}]
    (fence,) = ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
    assert sorted(item["SubnetId"] for item in fence["Associations"]) == sorted(shut)
    assert len(shut) == 2
    passing = [
        (family, egress)
        for family in FAMILIES
        for egress in (False, True)
        if lets_through(fence["Entries"], egress=egress, family=family)
    ]
    assert passing == []


def test_a_vpc_in_which_aws_fis_works_is_refused(clients, vpc, ec2):
    made = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    ec2.create_tags(Resources=[made], Tags=[{"Key": "managedByFIS", "Value": "true"}])
    found = find_vpc(clients, "us-east-1", "shop")
    with pytest.raises(Refused, match="AWS FIS has an experiment"):
        plan_black_hole(found, ["us-east-1a"], find_acls(clients, found))


def test_a_zone_is_behind_a_deny_all_acl_and_comes_back(aws_gate, plan, acls, ec2):
    before = acls()
    inject(plan, aws_gate, CUTTING)
    subnet = plan[1].target.id
    (fence,) = [acl for acl, subnets in acls().items() if subnets == [subnet]]
    (found,) = ec2.describe_network_acls(NetworkAclIds=[fence])["NetworkAcls"]
    assert [entry for entry in found["Entries"] if entry["RuleAction"] == "allow"] == []
    assert {"Key": "blackstart-change", "Value": plan[0].id} in found["Tags"]
    assert undo("drill-1", aws_gate.reach).complete
    assert acls() == before


def test_all_zones_of_a_region_share_one_acl(aws_gate, clients, vpc, acls):
    before = acls()
    found = find_vpc(clients, "us-east-1", vpc)
    planned = plan_black_hole(found, found.zones, find_acls(clients, found))
    inject(planned, aws_gate, "cutting off us-east-1", region_drill=True)
    assert sorted(len(subnets) for subnets in acls().values()) == [0, 3]
    assert undo("drill-1", aws_gate.reach).complete
    assert acls() == before


def test_the_acl_is_found_by_its_tag_when_the_answer_never_came(aws_gate, plan, acls, clients):
    before = acls()
    aws_gate.reach.log.append(aws_gate.drill, FAULT, plan)
    DenyAllAcl().apply([plan[0]], clients)
    assert len(acls()) == len(before) + 1
    assert undo("drill-1", aws_gate.reach).complete
    assert acls() == before


def test_creating_twice_makes_one_acl(plan, acls, clients):
    before = acls()
    for _ in range(2):
        DenyAllAcl().apply([plan[0]], clients)
    assert len(acls()) == len(before) + 1


def test_two_acls_of_one_change_are_both_deleted(aws_gate, plan, acls, clients, ec2):
    before = acls()
    aws_gate.reach.log.append(aws_gate.drill, FAULT, plan)
    DenyAllAcl().apply([plan[0]], clients)
    tag = {"ResourceType": "network-acl", "Tags": [{"Key": "blackstart-change", "Value": plan[0].id}]}
    ec2.create_network_acl(VpcId=plan[0].target.id, TagSpecifications=[tag])
    assert undo("drill-1", aws_gate.reach).complete
    assert acls() == before


def test_half_of_the_subnets_is_put_back(aws_gate, clients, vpc, acls):
    before = acls()
    found = find_vpc(clients, "us-east-1", vpc)
    changes = plan_black_hole(found, found.zones, find_acls(clients, found))
    aws_gate.reach.log.append(aws_gate.drill, FAULT, changes)
    DenyAllAcl().apply(changes[:1], clients)
    SubnetAcl().apply(changes[1:3], clients)
    assert undo("drill-1", aws_gate.reach).complete
    assert acls() == before


def test_association_ids_are_read_anew(aws_gate, plan, acls, ec2):
    """Each swap makes a new id, also one to and fro that somebody else does meanwhile."""
    before = acls()
    original = plan[1].before["acl"]
    inject(plan, aws_gate, CUTTING)
    subnet = plan[1].target.id
    (fence,) = [acl for acl, subnets in acls().items() if subnets == [subnet]]
    swap(ec2, subnet, original)
    swap(ec2, subnet, fence)
    assert undo("drill-1", aws_gate.reach).complete
    assert acls() == before


def test_an_acl_that_somebody_else_put_there_is_a_conflict_and_stays(aws_gate, plan, acls, ec2, vpc):
    inject(plan, aws_gate, CUTTING)
    theirs = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    subnet = plan[1].target.id
    swap(ec2, subnet, theirs)
    report = undo("drill-1", aws_gate.reach)
    assert list(report.conflicts) == [plan[1].id]
    assert acls()[theirs] == [subnet]
    assert plan[0].id in report.verified


def test_a_subnet_that_was_swapped_since_the_plan_is_left_alone(aws_gate, plan, acls, ec2, vpc):
    theirs = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    swap(ec2, plan[1].target.id, theirs)
    before = acls()
    with pytest.raises(ApplyFailed, match="not as planned any more"):
        inject(plan, aws_gate, CUTTING)
    assert acls() == before


def test_a_subnet_that_was_deleted_is_a_conflict(clients, plan):
    gone = replace(plan[1], target=replace(plan[1].target, id="subnet-00000000"))
    assert SubnetAcl().undo([gone], clients)[gone.id].ending is Ending.CONFLICT

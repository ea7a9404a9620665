"""What the lab reads from the AWS API: the rules of network ACLs on planted data, the rest on the real one."""

import contextlib
import time

import pytest

from blackstart.errors import LabError
from blackstart.lab.aws import state, store_state
from blackstart.lab.aws.restores import MEMBER
from blackstart.lab.aws.router import meant

HOME, STANDBY = "us-east-1", "us-west-2"


def rule(number, action, cidr="0.0.0.0/0", protocol="-1", egress=False):
    return {"RuleNumber": number, "RuleAction": action, "CidrBlock": cidr, "Protocol": protocol, "Egress": egress}


ALLOW_IN, ALLOW_OUT = rule(100, "allow"), rule(100, "allow", egress=True)
LAST_IN, LAST_OUT = rule(32767, "deny"), rule(32767, "deny", egress=True)


@pytest.mark.parametrize(
    ("entries", "passes"),
    [
        ([], False),
        ([LAST_IN], False),
        ([ALLOW_IN, LAST_IN], True),
        ([LAST_IN, ALLOW_IN], True),
        ([rule(50, "deny"), ALLOW_IN], False),
        ([rule(50, "deny", protocol="6"), ALLOW_IN], True),
        ([rule(50, "deny", cidr="10.0.0.0/8"), ALLOW_IN], True),
        ([rule(50, "deny", cidr="10.0.0.0/8"), rule(60, "allow", cidr="10.1.0.0/16")], False),
        ([rule(50, "deny", cidr="10.0.0.0/8"), rule(60, "allow", cidr="192.168.0.0/16")], True),
        ([ALLOW_OUT], False),
        ([{"RuleNumber": 1, "RuleAction": "allow", "Ipv6CidrBlock": "::/0", "Protocol": "-1", "Egress": False}], False),
    ],
)
def test_something_comes_in_only_by_an_allow_that_no_earlier_deny_covers(entries, passes):
    assert state.lets_through(entries, egress=False) is passes


SIXTH = {"RuleNumber": 1, "RuleAction": "allow", "Ipv6CidrBlock": "::/0", "Protocol": "-1"}
SIXTH_IN, SIXTH_OUT = SIXTH | {"Egress": False}, SIXTH | {"Egress": True}


@pytest.mark.parametrize(
    ("entries", "passes"),
    [
        ([], False),
        ([SIXTH_IN], True),
        ([SIXTH_OUT], False),
        ([ALLOW_IN], False),
        ([SIXTH_IN | {"RuleAction": "deny", "RuleNumber": 0}, SIXTH_IN], False),
        ([rule(0, "deny"), SIXTH_IN], True),
    ],
)
def test_the_families_are_told_apart(entries, passes):
    assert state.lets_through(entries, egress=False, family=state.IPV6) is passes


@pytest.mark.parametrize(
    ("entries", "cut"),
    [
        ([SIXTH_IN, SIXTH_OUT], False),
        ([SIXTH_IN, ALLOW_OUT], True),
        ([ALLOW_IN, ALLOW_OUT, SIXTH_IN], False),
        ([SIXTH_IN], True),
    ],
)
def test_one_family_that_passes_both_ways_keeps_a_zone_connected(entries, cut):
    assert state.cut_zones([subnet("a1", "a")], [acl(entries, "a1")]) == ({"a"} if cut else frozenset())


def subnet(name, zone):
    return {"SubnetId": name, "AvailabilityZone": zone}


def acl(entries, *subnets):
    return {"Entries": entries, "Associations": [{"SubnetId": name} for name in subnets]}


OPEN = [ALLOW_IN, ALLOW_OUT, LAST_IN, LAST_OUT]


def test_a_zone_is_cut_when_all_of_its_subnets_are():
    subnets = [subnet("a1", "a"), subnet("a2", "a"), subnet("b1", "b"), subnet("b2", "b")]
    assert state.cut_zones(subnets, [acl(OPEN, "b1"), acl([], "a1", "a2", "b2")]) == {"a"}


@pytest.mark.parametrize("entries", [[ALLOW_IN], [ALLOW_OUT]])
def test_one_direction_is_enough_to_cut(entries):
    assert state.cut_zones([subnet("a1", "a")], [acl(entries, "a1")]) == {"a"}


def test_a_subnet_without_an_association_is_not_cut():
    assert state.cut_zones([subnet("a1", "a")], [acl([])]) == frozenset()


def test_the_fresh_account_is_whole(api, own, own_plan):
    read = state.read(api.inner, own_plan)
    assert read.cut_zones == frozenset()
    assert (read.writer_region, read.cache_primary_region) == (HOME, HOME)
    assert read.node_groups == {
        (HOME, "on-demand"): 3,
        (HOME, "spot"): 2,
        (STANDBY, "on-demand"): 2,
        (STANDBY, "spot"): 0,
    }
    places = [(instance.zone, instance.lifecycle) for instance in read.instances]
    assert sorted(places) == [
        ("us-east-1a", "on-demand"),
        ("us-east-1a", "spot"),
        ("us-east-1b", "on-demand"),
        ("us-east-1b", "spot"),
        ("us-east-1c", "on-demand"),
        ("us-west-2a", "on-demand"),
        ("us-west-2b", "on-demand"),
    ]
    assert {instance.state for instance in read.instances} == {"running"}
    first = read.instances[0]
    assert first.group == own_plan.auto_scaling_group(HOME, first.node_group)
    assert first.private_ip.startswith("10.0.0.")


def test_a_deny_all_network_acl_cuts_the_zone_and_its_undo_mends_it(api, own, own_plan):
    ec2 = api.clients("ec2", HOME)
    subnet_id = own.subnets["us-east-1b"]

    def associate(acl_id):
        filters = [{"Name": "association.subnet-id", "Values": [subnet_id]}]
        (current,) = ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
        (link,) = [each for each in current["Associations"] if each["SubnetId"] == subnet_id]
        ec2.replace_network_acl_association(AssociationId=link["NetworkAclAssociationId"], NetworkAclId=acl_id)
        return current["NetworkAclId"]

    closed = ec2.create_network_acl(VpcId=own.vpc[HOME])["NetworkAcl"]["NetworkAclId"]
    before = associate(closed)
    assert state.read_cut_zones(api.inner, own_plan) == {"us-east-1b"}
    associate(before)
    assert state.read_cut_zones(api.inner, own_plan) == frozenset()


def test_a_global_fail_over_moves_the_writer(api, own, own_plan):
    rds = api.clients("rds", STANDBY)
    rds.failover_global_cluster(
        GlobalClusterIdentifier=own_plan.global_cluster,
        TargetDbClusterIdentifier=own_plan.database_arn(STANDBY),
        AllowDataLoss=True,
    )
    assert state.read_writer_region(api.inner, own_plan) == STANDBY


def test_a_fail_over_of_the_datastore_moves_the_cache(api, own, own_plan):
    api.clients("elasticache", STANDBY).failover_global_replication_group(
        GlobalReplicationGroupId=own_plan.cache_global_id,
        PrimaryRegion=STANDBY,
        PrimaryReplicationGroupId=own_plan.regional(STANDBY),
    )
    assert state.read_cache_primary_region(api.inner, own_plan) == STANDBY


def test_a_fail_over_inside_a_region_moves_who_leads_it(api, own, own_plan):
    name = own_plan.regional(HOME)
    api.clients("rds", HOME).failover_db_cluster(DBClusterIdentifier=name, TargetDBInstanceIdentifier=f"{name}-2")
    api.clients("elasticache", HOME).test_failover(ReplicationGroupId=name, NodeGroupId="0001")
    assert store_state.read_writer(api.inner, own_plan, HOME) == f"{name}-2"
    assert store_state.read_primary_node(api.inner, own_plan, HOME) == f"{name}-002"
    assert store_state.read_writer(api.inner, own_plan, STANDBY) == f"{own_plan.regional(STANDBY)}-1"


def test_restarts_are_remembered(api, own, own_plan):
    name = own_plan.regional(HOME)
    api.clients("rds", HOME).reboot_db_instance(DBInstanceIdentifier=f"{name}-1")
    node = {"CacheClusterId": f"{name}-003", "CacheNodeIdsToReboot": ["0001"]}
    api.clients("elasticache", HOME).reboot_cache_cluster(**node)
    deadline = time.monotonic() + 10
    for service, server in (("rds", f"{name}-1"), ("elasticache", f"{name}-003")):
        while server not in _restarted(api, own_plan, service):
            assert time.monotonic() < deadline, f"{server} did not restart"
            time.sleep(0.05)


def _restarted(api, plan, service):
    with contextlib.suppress(LabError):
        return {name for name, _ in store_state.read_restarts(api.inner, plan, service)}
    return set()


def test_what_is_told_of_a_member_is_in_the_answer(api, own, own_plan):
    arn = own_plan.database_arn(STANDBY)
    for status in ("pending-resync", "connected"):
        told = {"kind": MEMBER, "id": arn, "fields": {"SynchronizationStatus": status}}
        api.ask("/facts", {"region": HOME, **told})
        rds = api.clients("rds", HOME)
        (found,) = rds.describe_global_clusters(GlobalClusterIdentifier=own_plan.global_cluster)["GlobalClusters"]
        statuses = {each["DBClusterArn"]: each["SynchronizationStatus"] for each in found["GlobalClusterMembers"]}
        assert statuses == {own_plan.database_arn(HOME): "connected", arn: status}


def test_a_fail_over_that_may_lose_nothing_is_told_as_a_switch_over():
    assert meant("FailoverGlobalCluster", b"Action=FailoverGlobalCluster&AllowDataLoss=true") == "FailoverGlobalCluster"
    assert meant("FailoverGlobalCluster", b"Action=FailoverGlobalCluster") == "SwitchoverGlobalCluster"
    assert meant("CreateDBCluster", b"") == "CreateDBCluster"


def test_a_stopped_instance_says_so(api, own, own_plan):
    autoscaling = api.clients("autoscaling", STANDBY)
    group = own_plan.auto_scaling_group(STANDBY, "on-demand")
    autoscaling.suspend_processes(AutoScalingGroupName=group, ScalingProcesses=["ReplaceUnhealthy"])
    stopped = next(found for found in state.read_instances(api.inner, own_plan) if found.region == STANDBY)
    api.clients("ec2", STANDBY).stop_instances(InstanceIds=[stopped.id])
    states = {found.id: found.state for found in state.read_instances(api.inner, own_plan)}
    assert states[stopped.id] == "stopped"
    assert sorted(states.values()).count("running") == 6


def test_a_zonal_shift_and_a_load_balancer_without_a_zone_close_it(api, own, own_plan):
    elbv2, arc = api.clients("elbv2", HOME), api.clients("arc-zonal-shift", HOME)
    (balancer,) = elbv2.describe_load_balancers(Names=[own_plan.regional(HOME)])["LoadBalancers"]
    arn = balancer["LoadBalancerArn"]
    assert state.read_closed_zones(api.inner, own_plan, HOME) == frozenset()
    ec2 = api.clients("ec2", HOME)
    ids = {zone["ZoneName"]: zone["ZoneId"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]}
    asked = {"awayFrom": ids["us-east-1b"], "expiresIn": "1h", "comment": "a test"}
    shift = arc.start_zonal_shift(resourceIdentifier=arn, **asked)["zonalShiftId"]
    assert state.read_closed_zones(api.inner, own_plan, HOME) == {"us-east-1b"}
    arc.cancel_zonal_shift(zonalShiftId=shift)
    assert state.read_closed_zones(api.inner, own_plan, HOME) == frozenset()
    elbv2.set_subnets(LoadBalancerArn=arn, Subnets=[own.subnets["us-east-1a"], own.subnets["us-east-1b"]])
    assert state.read_closed_zones(api.inner, own_plan, HOME) == {"us-east-1c"}
    elbv2.set_subnets(LoadBalancerArn=arn, Subnets=[own.subnets[f"us-east-1{zone}"] for zone in "abc"])
    assert api.ask("/changes")["services"][-1][1:] == ["elasticloadbalancing", HOME, "SetSubnets"]

"""A zone without power on moto: what goes, in which order, and that it comes back."""

import threading

import pytest

from blackstart.changes.gate import inject
from blackstart.changes.instance_keeper import InstanceKeeper
from blackstart.changes.model import Change
from blackstart.changes.network import find_vpc
from blackstart.changes.undo import undo
from blackstart.changes.zone_power import DATA, ENTRANCES, HEALERS, POWER, Wanted, find_all, plan_power_loss
from blackstart.scope import Target

REGION, ZONE = "us-east-1", "us-east-1a"
TAGS = [{"Key": "blackstart", "Value": "allowed"}]
EVERYTHING = Wanted(load_balancers=True, databases=("orders",), caches=("orders",))


@pytest.fixture
def found(clients, vpc):
    return find_vpc(clients, REGION, vpc)


@pytest.fixture
def start(clients, found):
    """Starts an instance in the zone; its id."""

    def start():
        subnet = next(subnet.id for subnet in found.subnets if subnet.zone == ZONE)
        tags = [{"ResourceType": "instance", "Tags": TAGS}]
        ec2 = clients.aws("ec2", REGION)
        made = ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, SubnetId=subnet, TagSpecifications=tags)
        return made["Instances"][0]["InstanceId"]

    return start


@pytest.fixture
def furnished(clients, found, start):
    """Something of every kind in the zone."""
    autoscaling, elbv2, rds, cache = (
        clients.aws(name, REGION) for name in ("autoscaling", "elbv2", "rds", "elasticache")
    )
    subnets = [subnet.id for subnet in found.subnets]
    autoscaling.create_launch_configuration(LaunchConfigurationName="spot", ImageId="ami-1", InstanceType="m5.large")
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="spot",
        LaunchConfigurationName="spot",
        MinSize=0,
        MaxSize=4,
        VPCZoneIdentifier=",".join(subnets),
        Tags=[{**TAGS[0], "PropagateAtLaunch": True, "ResourceId": "spot", "ResourceType": "auto-scaling-group"}],
    )
    elbv2.create_load_balancer(Name="orders", Subnets=subnets, Tags=TAGS)
    elbv2.create_load_balancer(Name="small", Subnets=subnets[:2], Tags=TAGS)
    engine, account = "aurora-postgresql", {"MasterUsername": "shop", "MasterUserPassword": "not-a-secret"}
    rds.create_db_cluster(DBClusterIdentifier="orders", Engine=engine, Tags=TAGS, **account)
    for zone in "ab":
        where = {"DBClusterIdentifier": "orders", "AvailabilityZone": f"us-east-1{zone}"}
        rds.create_db_instance(DBInstanceIdentifier=zone, Engine=engine, DBInstanceClass="db.r7g.large", **where)
    cache.create_replication_group(
        ReplicationGroupId="orders",
        ReplicationGroupDescription="orders",
        ReplicasPerNodeGroup=1,
        PreferredCacheClusterAZs=["us-east-1a", "us-east-1b"],
        AutomaticFailoverEnabled=True,
        Tags=TAGS,
    )
    return start()


def test_all_of_the_zone_goes_in_one_fault_with_the_healers_first_and_comes_back(clients, found, furnished, aws_gate):
    there = find_all(clients, found, ZONE, EVERYTHING)
    changes = plan_power_loss(there)
    assert {change.kind: change.step for change in changes} == {
        "autoscaling.group_zones": HEALERS,
        "elbv2.subnets": ENTRANCES,
        "rds.cluster_failover": DATA,
        "elasticache.failover": DATA,
        "ec2.instance_power": POWER,
    }
    assert there.left == ["load balancer small keeps us-east-1a: it must have 2 zones, and 1 would be left"]
    assert {change.share.members for change in changes} == {(ZONE,)}
    inject(changes, aws_gate, f"failing zone {ZONE}")
    assert find_all(clients, found, ZONE, Wanted()).instances == []
    assert undo("drill-1", aws_gate.reach).complete
    assert [instance.id for instance in find_all(clients, found, ZONE, Wanted()).instances] == [furnished]


def test_only_what_was_asked_for_goes(clients, found, furnished):
    changes = plan_power_loss(find_all(clients, found, ZONE, Wanted()))
    assert {change.kind for change in changes} == {"autoscaling.group_zones", "ec2.instance_power"}


def test_a_zone_in_which_nothing_would_go_has_nothing_to_keep_still(clients, found, furnished):
    assert plan_power_loss(find_all(clients, found, "us-east-1c", Wanted())) == []


def test_pods_go_with_the_instances(clients, found, furnished):
    pod = Change("bs-1", "kubernetes.pod_deletion", Target("pod", "orders-1"), {}, {}, "", "")
    changes = plan_power_loss(find_all(clients, found, ZONE, Wanted()), [pod])
    assert (changes[-1].id, changes[-1].step) == ("bs-1", POWER)


def test_instances_that_come_up_in_the_zone_lose_their_power_again(clients, found, start, aws_gate):
    ended, subject = threading.Event(), f"failing zone {ZONE}"
    first = start()
    there = find_all(clients, found, ZONE, Wanted())
    inject(plan_power_loss(there), aws_gate, subject)
    rounds = InstanceKeeper(clients, found, ZONE, there.groups, look_seconds=0).rounds(ended)
    clients.aws("ec2", REGION).start_instances(InstanceIds=[first])
    second = start()
    again = list(next(rounds))
    assert {change.target.id for change in again} == {first, second}
    inject(again, aws_gate, subject)
    assert find_all(clients, found, ZONE, Wanted()).instances == []
    ended.set()
    assert list(rounds) == []
    assert undo("drill-1", aws_gate.reach).complete
    assert {instance.id for instance in find_all(clients, found, ZONE, Wanted()).instances} == {first, second}

"""Auto Scaling and node groups, seen through the API."""

import time
from collections import Counter

import pytest

HOME, STANDBY = "us-east-1", "us-west-2"


@pytest.fixture
def group(api, own, own_plan):
    """Name of an Auto Scaling group of three instances, one in each zone, that lives for one test."""
    autoscaling = api.clients("autoscaling", HOME)
    subnets = ",".join(own.subnets[zone] for zone in own_plan.home.zones)
    template = own_plan.auto_scaling_group(HOME, "on-demand")
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="spread",
        LaunchTemplate={"LaunchTemplateName": template},
        MinSize=0,
        MaxSize=9,
        DesiredCapacity=3,
        VPCZoneIdentifier=subnets,
    )
    yield "spread"
    autoscaling.delete_auto_scaling_group(AutoScalingGroupName="spread", ForceDelete=True)


@pytest.fixture
def members(api, group):
    """Reads the group: instance id → zone of its instances."""

    def read():
        described = api.clients("autoscaling", HOME).describe_auto_scaling_groups(AutoScalingGroupNames=[group])
        return {
            instance["InstanceId"]: instance["AvailabilityZone"]
            for instance in described["AutoScalingGroups"][0]["Instances"]
        }

    return read


@pytest.fixture
def suspend(api, group):
    def suspend(*processes):
        api.clients("autoscaling", HOME).suspend_processes(AutoScalingGroupName=group, ScalingProcesses=processes)

    return suspend


def states(api, ids):
    reservations = api.clients("ec2", HOME).describe_instances(InstanceIds=list(ids))["Reservations"]
    return {instance["State"]["Name"] for found in reservations for instance in found["Instances"]}


def resize(api, group, desired):
    api.clients("autoscaling", HOME).set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=desired)


def eventually(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def test_instances_are_spread_over_the_zones(members, api, group):
    assert Counter(members().values()) == {"us-east-1a": 1, "us-east-1b": 1, "us-east-1c": 1}
    resize(api, group, 5)
    assert sorted(Counter(members().values()).values()) == [1, 2, 2]


def test_scaling_in_terminates_where_most_are(members, api, group):
    resize(api, group, 6)
    before = members()
    resize(api, group, 3)
    assert Counter(members().values()) == {"us-east-1a": 1, "us-east-1b": 1, "us-east-1c": 1}
    assert states(api, before.keys() - members().keys()) == {"terminated"}


def test_a_terminated_instance_is_replaced_in_its_zone(members, api):
    lost = next(name for name, zone in members().items() if zone == "us-east-1b")
    api.clients("ec2", HOME).terminate_instances(InstanceIds=[lost])
    assert lost not in members()
    assert Counter(members().values()) == {"us-east-1a": 1, "us-east-1b": 1, "us-east-1c": 1}


def test_nothing_is_launched_while_launch_is_suspended(members, api, group, suspend):
    suspend("Launch")
    lost = sorted(members())[0]
    api.clients("ec2", HOME).terminate_instances(InstanceIds=[lost])
    resize(api, group, 5)
    assert len(members()) == 2
    time.sleep(0.5)
    assert len(members()) == 2
    api.clients("autoscaling", HOME).resume_processes(AutoScalingGroupName=group, ScalingProcesses=["Launch"])
    assert len(members()) == 5


def test_nothing_is_terminated_while_terminate_is_suspended(members, api, group, suspend):
    suspend("Terminate")
    before = members()
    resize(api, group, 1)
    assert members() == before


def test_a_stopped_instance_is_replaced_once_its_health_is_checked(members, api):
    seq = api.last_change()
    lost = sorted(members())[0]
    api.clients("ec2", HOME).stop_instances(InstanceIds=[lost])
    eventually(lambda: lost not in members())
    assert len(members()) == 3
    assert states(api, [lost]) == {"terminated"}
    told = api.ask(f"/changes?since={seq}&wait=5")["services"]
    assert ["autoscaling", HOME, "HealthCheck"] in [change[1:] for change in told]


@pytest.mark.parametrize("process", ["HealthCheck", "ReplaceUnhealthy", "Terminate"])
def test_a_stopped_instance_stays_while_that_is_suspended(members, api, suspend, process):
    suspend(process)
    before = members()
    api.clients("ec2", HOME).stop_instances(InstanceIds=[sorted(before)[0]])
    time.sleep(0.6)
    assert members() == before


def test_an_instance_that_is_started_again_while_replacing_is_suspended_is_kept(members, api, group, suspend):
    suspend("HealthCheck", "ReplaceUnhealthy")
    before = members()
    api.clients("ec2", HOME).stop_instances(InstanceIds=sorted(before)[:1])
    api.clients("ec2", HOME).start_instances(InstanceIds=sorted(before)[:1])
    api.clients("autoscaling", HOME).resume_processes(AutoScalingGroupName=group)
    time.sleep(0.5)
    assert members() == before


@pytest.fixture
def confine(api, own, own_plan, group):
    """Gives the group the subnets of these zones, by index."""

    def confine(*zones):
        subnets = [own.subnets[own_plan.home.zones[index]] for index in zones]
        api.clients("autoscaling", HOME).update_auto_scaling_group(
            AutoScalingGroupName=group, VPCZoneIdentifier=",".join(subnets)
        )

    return confine


def test_instances_leave_a_zone_whose_subnet_the_group_loses_and_come_back_with_it(members, confine):
    confine(1, 2)
    assert sorted(Counter(members().values()).values()) == [1, 2]
    assert set(members().values()) == {"us-east-1b", "us-east-1c"}
    confine(0, 1, 2)
    assert Counter(members().values()) == {"us-east-1a": 1, "us-east-1b": 1, "us-east-1c": 1}


@pytest.mark.parametrize("process", ["AZRebalance", "Launch", "Terminate"])
def test_they_stay_while_that_is_suspended(members, confine, suspend, process):
    suspend(process)
    before = members()
    confine(1, 2)
    assert members() == before


def test_a_protected_instance_is_not_scaled_in(members, api, group):
    kept = sorted(members())[0]
    api.clients("autoscaling", HOME).set_instance_protection(
        AutoScalingGroupName=group, InstanceIds=[kept], ProtectedFromScaleIn=True
    )
    resize(api, group, 1)
    assert list(members()) == [kept]


def test_resizing_a_node_group_makes_its_instances_come_and_go(api, own, own_plan):
    eks, cluster = api.clients("eks", STANDBY), own_plan.regional(STANDBY)
    name = own_plan.auto_scaling_group(STANDBY, "spot")
    described = eks.describe_nodegroup(clusterName=cluster, nodegroupName="spot")["nodegroup"]
    assert described["resources"]["autoScalingGroups"] == [{"name": name}]

    def running():
        filters = [
            {"Name": "tag:aws:autoscaling:groupName", "Values": [name]},
            {"Name": "instance-state-name", "Values": ["running"]},
        ]
        found = api.clients("ec2", STANDBY).describe_instances(Filters=filters)["Reservations"]
        return [instance for reservation in found for instance in reservation["Instances"]]

    assert running() == []
    eks.update_nodegroup_config(clusterName=cluster, nodegroupName="spot", scalingConfig={"desiredSize": 2})
    assert [instance["InstanceLifecycle"] for instance in running()] == ["spot", "spot"]
    assert {tag["Value"] for tag in running()[0]["Tags"] if tag["Key"] == "eks:nodegroup-name"} == {"spot"}
    eks.update_nodegroup_config(clusterName=cluster, nodegroupName="spot", scalingConfig={"desiredSize": 0})
    assert running() == []

import pytest

from blackstart.changes.auto_scaling_zone import KEEP_STILL, NO_CAPACITY, GroupZones, find_groups, plan_zones_away
from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.network import find_vpc
from blackstart.changes.undo import undo

AWAY = "taking us-east-1a away"


@pytest.fixture
def autoscaling(clients):
    return clients.aws("autoscaling", "us-east-1")


@pytest.fixture
def found(clients, vpc):
    return find_vpc(clients, "us-east-1", vpc)


@pytest.fixture
def make_group(clients, autoscaling, found):
    """Makes an Auto Scaling group of so many instances in the named zones (all, if none)."""

    def make(name, zones=(), desired=0):
        autoscaling.create_launch_configuration(LaunchConfigurationName=name, ImageId="ami-1", InstanceType="m5.large")
        subnets = [subnet.id for subnet in found.subnets if not zones or subnet.zone in zones]
        tag = {"Key": "blackstart", "Value": "allowed", "PropagateAtLaunch": True, "ResourceId": name}
        autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchConfigurationName=name,
            MinSize=0,
            MaxSize=9,
            DesiredCapacity=desired,
            VPCZoneIdentifier=",".join(subnets),
            Tags=[{**tag, "ResourceType": "auto-scaling-group"}],
        )

    return make


@pytest.fixture
def state(autoscaling):
    """Reads subnets and suspended processes of a group."""

    def read(name):
        (group,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        suspended = sorted(process["ProcessName"] for process in group["SuspendedProcesses"])
        return sorted(group["VPCZoneIdentifier"].split(",")), suspended

    return read


def plan(clients, found, zones=("us-east-1a",), **more):
    return plan_zones_away(find_groups(clients, found), found, zones, **more)


def test_a_group_leaves_the_zone_and_comes_back(clients, found, make_group, state, aws_gate):
    make_group("spot")
    before = state("spot")
    inject(plan(clients, found), aws_gate, AWAY)
    subnets = [subnet.id for subnet in found.subnets if subnet.zone != "us-east-1a"]
    assert state("spot") == (sorted(subnets), sorted(KEEP_STILL))
    assert undo("drill-1", aws_gate.reach).complete
    assert state("spot") == before


def test_what_was_suspended_before_stays_suspended(clients, found, make_group, state, aws_gate):
    make_group("spot")
    autoscaling = clients.aws("autoscaling", "us-east-1")
    already = ["AZRebalance", "ScheduledActions"]
    autoscaling.suspend_processes(AutoScalingGroupName="spot", ScalingProcesses=already)
    before = state("spot")
    inject(plan(clients, found), aws_gate, AWAY)
    assert undo("drill-1", aws_gate.reach).complete
    assert state("spot") == before
    assert before[1] == already


def test_a_group_of_these_zones_alone_is_only_suspended(clients, found, make_group, state, aws_gate):
    make_group("spot", zones=["us-east-1a"])
    before = state("spot")
    (change,) = plan(clients, found)
    assert change.calls == ("autoscaling:SuspendProcesses",)
    inject([change], aws_gate, AWAY)
    assert state("spot") == (before[0], sorted(KEEP_STILL))
    assert undo("drill-1", aws_gate.reach).complete
    assert state("spot") == before


def test_the_group_of_a_managed_node_group_keeps_its_subnets_and_launches_nothing(
    clients, found, make_group, state, aws_gate
):
    make_group("spot")
    tag = {"Key": "eks:nodegroup-name", "Value": "spot", "PropagateAtLaunch": True}
    autoscaling = clients.aws("autoscaling", "us-east-1")
    autoscaling.create_or_update_tags(Tags=[{**tag, "ResourceId": "spot", "ResourceType": "auto-scaling-group"}])
    before = state("spot")
    (change,) = plan(clients, found)
    assert change.calls == ("autoscaling:SuspendProcesses",)
    assert "because EKS manages them" in change.summary
    inject([change], aws_gate, AWAY)
    assert state("spot") == (before[0], sorted(NO_CAPACITY))
    assert undo("drill-1", aws_gate.reach).complete
    assert state("spot") == before


def test_groups_of_other_zones_or_vpcs_are_left_alone(clients, found, make_group):
    make_group("elsewhere", zones=["us-east-1b", "us-east-1c"])
    assert plan(clients, found) == []


def test_half_an_apply_is_undone(clients, found, make_group, state, autoscaling):
    make_group("spot")
    before = state("spot")
    (change,) = plan(clients, found)
    autoscaling.suspend_processes(AutoScalingGroupName="spot", ScalingProcesses=list(KEEP_STILL))
    assert GroupZones().undo([change], clients)[change.id].ending is Ending.RESTORED
    assert state("spot") == before
    assert GroupZones().undo([change], clients)[change.id].ending is Ending.UNTOUCHED


def test_somebody_elses_subnets_stay_and_our_suspension_goes(clients, found, make_group, state, autoscaling):
    make_group("spot")
    (change,) = plan(clients, found)
    GroupZones().apply([change], clients)
    theirs = found.subnets[1].id
    autoscaling.update_auto_scaling_group(AutoScalingGroupName="spot", VPCZoneIdentifier=theirs)
    assert GroupZones().undo([change], clients)[change.id].ending is Ending.CONFLICT
    assert state("spot") == ([theirs], [])


def test_a_group_that_was_deleted_is_a_conflict(clients, found, make_group, autoscaling):
    make_group("spot")
    (change,) = plan(clients, found)
    autoscaling.delete_auto_scaling_group(AutoScalingGroupName="spot", ForceDelete=True)
    assert GroupZones().undo([change], clients)[change.id].ending is Ending.CONFLICT


def test_the_share_counts_the_zones_of_the_vpc(clients, found, make_group):
    make_group("spot")
    (change,) = plan(clients, found, zones=("us-east-1a", "us-east-1b"))
    assert (change.share.members, change.share.total) == (("us-east-1a", "us-east-1b"), 3)

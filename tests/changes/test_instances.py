from dataclasses import replace

import pytest

from blackstart.changes.auto_scaling_zone import Group, find_groups
from blackstart.changes.clients import Clients
from blackstart.changes.gate import inject
from blackstart.changes.instance_power import on_all
from blackstart.changes.instance_states import protected
from blackstart.changes.instances import (
    Instance,
    InstancePower,
    InstanceTermination,
    find_instances,
    plan_power_off,
)
from blackstart.changes.kind import Ending
from blackstart.changes.model import Share
from blackstart.changes.network import find_vpc
from blackstart.changes.undo import undo
from blackstart.errors import Refused, TargetChanged

OFF = "powering off us-east-1a"
IMAGE = "ami-1"


@pytest.fixture
def ec2(clients):
    return clients.aws("ec2", "us-east-1")


@pytest.fixture
def found(clients, vpc):
    return find_vpc(clients, "us-east-1", vpc)


@pytest.fixture
def run(ec2, found):
    """Runs so many instances in a zone. Their ids."""

    def start(zone, count=1):
        (subnet,) = [subnet.id for subnet in found.subnets if subnet.zone == zone]
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "blackstart", "Value": "allowed"}]}]
        made = ec2.run_instances(ImageId=IMAGE, MinCount=count, MaxCount=count, SubnetId=subnet, TagSpecifications=tags)
        return [instance["InstanceId"] for instance in made["Instances"]]

    return start


@pytest.fixture
def states(ec2):
    def read(ids):
        found = ec2.describe_instances(InstanceIds=ids)["Reservations"]
        return [item["State"]["Name"] for reservation in found for item in reservation["Instances"]]

    return read


def test_the_instances_of_a_zone_are_stopped_and_started_again(clients, found, run, states, aws_gate):
    here, elsewhere = run("us-east-1a", 3), run("us-east-1b")
    changes = plan_power_off(find_instances(clients, found, ["us-east-1a"]), found, [])
    inject(changes, aws_gate, OFF)
    assert states(here) == ["stopped"] * 3
    assert states(elsewhere) == ["running"]
    assert undo("drill-1", aws_gate.reach).complete
    assert states(here) == ["running"] * 3


def test_those_that_were_stopped_before_stay_stopped(clients, found, run, states, aws_gate):
    resting, working = run("us-east-1a"), run("us-east-1a")
    clients.aws("ec2", "us-east-1").stop_instances(InstanceIds=resting)
    inject(plan_power_off(find_instances(clients, found, ["us-east-1a"]), found, []), aws_gate, OFF)
    assert undo("drill-1", aws_gate.reach).complete
    assert (states(resting), states(working)) == (["stopped"], ["running"])


def test_an_instance_that_somebody_terminated_is_a_conflict(clients, found, run, ec2, aws_gate):
    lost, kept = run("us-east-1a"), run("us-east-1a")
    changes = plan_power_off(find_instances(clients, found, ["us-east-1a"]), found, [])
    inject(changes, aws_gate, OFF)
    ec2.terminate_instances(InstanceIds=lost)
    report = undo("drill-1", aws_gate.reach)
    assert list(report.conflicts) == [change.id for change in changes if change.target.id == lost[0]]
    assert next(change for change in changes if change.id in report.verified).target.id == kept[0]


def test_an_instance_that_nothing_knows_any_more_is_a_conflict(clients, found, run):
    run("us-east-1a")
    (change,) = plan_power_off(find_instances(clients, found, ["us-east-1a"]), found, [])
    gone = replace(change, target=replace(change.target, id="i-00000000000000000"))
    assert InstancePower().undo([gone], clients)[gone.id].ending is Ending.CONFLICT


SPOT = Instance("i-1", "us-east-1a", True, "ebs", False, "", {})


@pytest.mark.parametrize(
    ("instance", "reason"),
    [
        (SPOT, "cannot be stopped .Spot., and no Auto Scaling group would replace it"),
        (replace(SPOT, spot=False, disk="instance-store"), "its root is no EBS volume"),
        (replace(SPOT, group="frozen"), "no Auto Scaling group would replace it"),
        (replace(SPOT, group="unknown"), "no Auto Scaling group would replace it"),
    ],
)
def test_what_nothing_would_heal_is_refused(found, instance, reason):
    frozen = Group("frozen", "1", "us-east-1", {}, {}, frozenset({"Launch"}), 2)
    with pytest.raises(Refused, match=reason):
        plan_power_off([instance], found, [frozen])


@pytest.fixture
def group(clients, found):
    """An Auto Scaling group of two instances, one of which is in us-east-1a."""
    autoscaling = clients.aws("autoscaling", "us-east-1")
    autoscaling.create_launch_configuration(LaunchConfigurationName="spot", ImageId=IMAGE, InstanceType="m5.large")
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="spot",
        LaunchConfigurationName="spot",
        MinSize=0,
        MaxSize=4,
        DesiredCapacity=2,
        VPCZoneIdentifier=",".join(subnet.id for subnet in found.subnets[:2]),
        Tags=[{"Key": "blackstart", "Value": "allowed", "PropagateAtLaunch": True, "ResourceId": "spot"}],
    )
    (found_group,) = find_groups(clients, found)
    return found_group


def test_what_cannot_be_stopped_is_terminated_and_healed_by_its_group(clients, found, group, states, aws_gate):
    mine = [replace(each, spot=True) for each in find_instances(clients, found, found.zones)][:1]
    changes = plan_power_off(mine, found, [group])
    assert changes[0].kind == "ec2.instance_termination"
    inject(changes, aws_gate, OFF)
    assert states([mine[0].id]) == ["terminated"]
    report = undo("drill-1", aws_gate.reach)
    assert report.complete
    assert len(find_instances(clients, found, found.zones)) == 2


def test_termination_waits_until_the_group_is_whole(clients, found, group):
    mine = [replace(each, spot=True) for each in find_instances(clients, found, found.zones)][:1]
    (change,) = plan_power_off(mine, found, [group])
    autoscaling = clients.aws("autoscaling", "us-east-1")
    InstanceTermination().apply([change], clients)
    autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["spot"])
    autoscaling.set_instance_health(
        InstanceId=autoscaling.describe_auto_scaling_instances()["AutoScalingInstances"][0]["InstanceId"],
        HealthStatus="Unhealthy",
    )
    outcome = InstanceTermination().undo([change], clients)[change.id]
    assert (outcome.ending, outcome.note) == (
        Ending.WAITING,
        "Auto Scaling group spot has 1 of 2 instances in service",
    )


def test_a_termination_that_never_happened_is_left_alone(clients, found, group):
    mine = [replace(each, spot=True) for each in find_instances(clients, found, found.zones)][:1]
    (change,) = plan_power_off(mine, found, [group])
    assert InstanceTermination().undo([change], clients)[change.id].ending is Ending.UNTOUCHED


def test_a_group_that_was_deleted_heals_nothing(clients, found, group):
    mine = [replace(each, spot=True) for each in find_instances(clients, found, found.zones)][:1]
    (change,) = plan_power_off(mine, found, [group])
    clients.aws("autoscaling", "us-east-1").delete_auto_scaling_group(AutoScalingGroupName="spot", ForceDelete=True)
    assert InstanceTermination().undo([change], clients)[change.id].ending is Ending.CONFLICT


def test_a_vanished_instance_keeps_nobody_from_powering_off_the_others(clients, found, run, ec2, states):
    lost, kept = run("us-east-1a"), run("us-east-1a", 2)
    changes = plan_power_off(find_instances(clients, found, ["us-east-1a"]), found, [])
    ec2.terminate_instances(InstanceIds=lost)
    for _ in range(2):
        InstancePower().apply(changes, clients)
    assert states(kept) == ["stopped", "stopped"]
    outcomes = InstancePower().undo(changes, clients)
    assert {outcomes[change.id].ending for change in changes if change.target.id in kept} == {Ending.RESTORED}
    assert {outcomes[change.id].ending for change in changes if change.target.id in lost} == {Ending.CONFLICT}


def test_one_that_vanishes_at_the_last_moment_does_not_either(clients, found, run, ec2, states):
    kept = run("us-east-1a", 2)
    (change, *others) = plan_power_off(find_instances(clients, found, ["us-east-1a"]), found, [])
    gone = replace(change, target=replace(change.target, id="i-00000000000000000"))
    on_all([gone, *others, change], "stop_instances", clients)
    assert states(kept) == ["stopped", "stopped"]
    on_all([gone], "terminate_instances", clients)


def test_if_all_are_gone_there_is_nothing_to_power_off(clients, found, run, ec2):
    ids = run("us-east-1a")
    changes = plan_power_off(find_instances(clients, found, ["us-east-1a"]), found, [])
    ec2.terminate_instances(InstanceIds=ids)
    with pytest.raises(TargetChanged):
        InstancePower().apply(changes, clients)


def test_a_protected_instance_that_would_have_to_be_terminated_is_refused(clients, found, run, ec2, group):
    (instance,) = run("us-east-1c")
    assert protected(clients, "us-east-1", [instance]) == set()
    ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": True})
    assert protected(clients, "us-east-1", [instance]) == {instance}
    mine = replace(SPOT, id=instance, spot=False, disk="instance-store", group="spot", protected=True)
    with pytest.raises(Refused, match="it has termination protection"):
        plan_power_off([mine], found, [group])


def test_a_share_may_count_instances_instead_of_zones(clients, found, run):
    run("us-east-1a", 2)
    instances = find_instances(clients, found, ["us-east-1a"])
    changes = plan_power_off(instances, found, [], share=lambda each: Share("instance", "shop", (each.id,), 2))
    assert [change.share.members for change in changes] == [(each.id,) for each in instances]


@pytest.fixture
def small_filters(monkeypatch):
    monkeypatch.setattr("blackstart.changes.instance_states.FILTER_VALUES", 10)


def test_a_zone_of_many_instances_takes_ten_calls_at_most_and_is_in_the_log_first(
    vpc, run, aws_gate, states, small_filters
):
    """Many are two and a half times what EC2 takes in a filter, as 500 are; moto is slow at these."""
    calls, logged = [], []
    ids = run("us-east-1a", 25)

    def listen(call):
        calls.append(str(call))
        if str(call) == "ec2:StopInstances":
            logged.append(len(aws_gate.reach.log.entries("drill-1")))

    heard = Clients(record=listen)
    gate = replace(aws_gate, reach=replace(aws_gate.reach, clients=heard))
    at = find_vpc(heard, "us-east-1", vpc)
    changes = plan_power_off(find_instances(heard, at, ["us-east-1a"]), at, find_groups(heard, at))
    inject(changes, gate, OFF)
    heard.close()
    assert states(ids) == ["stopped"] * 25
    assert calls.count("ec2:StopInstances") == 1
    assert len(calls) <= 10, calls
    assert logged == [25]

import pytest
from botocore.stub import Stubber
from spot_world import REGION, group_of
from test_kind_permissions import differences, walk

from blackstart.changes.auto_scaling_zone import find_groups
from blackstart.changes.capacity import GroupProcesses, find_named_groups, groups_of_cluster, plan_no_launches
from blackstart.changes.clients import Clients
from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.network import find_vpc
from blackstart.changes.undo import undo
from blackstart.errors import Refused

NOTHING_NEW = "suspending launches"


@pytest.fixture
def autoscaling(clients, vpc):
    group_of(clients, vpc, "spot")
    return clients.aws("autoscaling", REGION)


@pytest.fixture
def suspended(autoscaling):
    def read(name="spot"):
        (group,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        return sorted(process["ProcessName"] for process in group["SuspendedProcesses"])

    return read


@pytest.fixture
def changes(clients, autoscaling):
    return plan_no_launches(find_named_groups(clients, REGION, ["spot"]))


def test_groups_launch_nothing_and_then_again(changes, suspended, aws_gate):
    inject(changes, aws_gate, NOTHING_NEW)
    assert suspended() == ["Launch"]
    assert undo("drill-1", aws_gate.reach).complete
    assert suspended() == []


def test_what_was_suspended_before_stays_so(clients, changes, suspended, autoscaling, aws_gate):
    autoscaling.suspend_processes(AutoScalingGroupName="spot", ScalingProcesses=["AZRebalance"])
    inject(plan_no_launches(find_named_groups(clients, REGION, ["spot"])), aws_gate, NOTHING_NEW)
    assert undo("drill-1", aws_gate.reach).complete
    assert suspended() == ["AZRebalance"]


def test_a_group_that_launches_nothing_anyway_is_left_out(clients, autoscaling):
    autoscaling.suspend_processes(AutoScalingGroupName="spot", ScalingProcesses=["Launch"])
    assert plan_no_launches(find_named_groups(clients, REGION, ["spot"])) == []


def test_applying_and_undoing_twice_is_as_once(clients, changes, suspended):
    kind = GroupProcesses()
    for _ in range(2):
        kind.apply(changes, clients)
    assert suspended() == ["Launch"]
    endings = [kind.undo(changes, clients)[changes[0].id].ending for _ in range(2)]
    assert endings == [Ending.RESTORED, Ending.UNTOUCHED]
    assert suspended() == []


def test_undoing_what_never_happened_changes_nothing(clients, changes, suspended):
    assert GroupProcesses().undo(changes, clients)[changes[0].id].ending is Ending.UNTOUCHED
    assert suspended() == []


def test_a_group_that_does_not_exist_is_refused(clients, autoscaling):
    with pytest.raises(Refused, match="us-east-1 has no such groups"):
        find_named_groups(clients, REGION, ["spot", "gone"])


def test_the_groups_of_a_vpc_are_found_too(clients, vpc, autoscaling):
    assert [change.target.id for change in plan_no_launches(find_groups(clients, find_vpc(clients, REGION, vpc)))] == [
        "spot"
    ]


def test_the_groups_of_a_cluster_are_those_of_its_node_groups(clients, vpc):
    eks = clients.aws("eks", REGION)
    role = "arn:aws:iam::123456789012:role/eks"
    eks.create_cluster(name="shop", roleArn=role, resourcesVpcConfig={})
    eks.create_nodegroup(clusterName="shop", nodegroupName="spot", subnets=[], nodeRole=role)
    found = eks.describe_nodegroup(clusterName="shop", nodegroupName="spot")["nodegroup"]
    behind = [group["name"] for group in found["resources"]["autoScalingGroups"]]
    assert groups_of_cluster(clients, REGION, "shop") == behind


def test_a_cluster_that_does_not_exist_is_refused(clients):
    with Stubber(clients.aws("eks", REGION)) as eks:  # moto fails here
        eks.add_client_error("list_nodegroups", "ResourceNotFoundException")
        with pytest.raises(Refused, match="no such EKS cluster"):
            groups_of_cluster(clients, REGION, "other")


def test_it_calls_just_what_it_declares(changes):
    calls = []
    heard = Clients(record=calls.append)
    assert differences(changes, walk(changes, heard, calls)) == {}
    heard.close()

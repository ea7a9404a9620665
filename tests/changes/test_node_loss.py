"""Against the lab's Kubernetes API server, and moto; the tests play the kubelet."""

import os

import kube_server
import pytest
from kube_machines import machines
from kube_server import PODS, await_field, bury

from blackstart.changes.budgets import find_budgets
from blackstart.changes.clients import Clients
from blackstart.changes.gate import inject
from blackstart.changes.kube_nodes import Which, find_nodes
from blackstart.changes.node_loss import find_machines, plan_drain, plan_kill
from blackstart.changes.pods import Pod, Pods, find_pods
from blackstart.changes.undo import undo
from blackstart.errors import ApplyFailed, Refused

DRAINING = "draining nodes"
NODE_A = "/api/v1/nodes/node-a"


@pytest.fixture
def settle(kube):
    with kube_server.settled_orders(kube) as settle:
        yield settle


@pytest.fixture
def node_a(kube, kube_clients):
    """A node that has opted in."""
    kube.patch(NODE_A, {"metadata": {"labels": kube_server.LABELS}})
    yield find_nodes(kube_clients, "shop-admin", Which(names=("node-a",)))
    kube.patch(NODE_A, {"metadata": {"labels": dict.fromkeys(kube_server.LABELS)}})


def on_node_a(kube):
    return [pod["metadata"]["name"] for pod in kube.get(PODS)["items"] if pod["spec"].get("nodeName") == "node-a"]


def test_a_node_is_emptied_and_may_be_used_again(kube, kube_clients, node_a, settle, wide_gate):
    budgets = find_budgets(kube_clients, "shop-admin", "")
    changes = plan_drain(node_a, find_pods(kube_clients, "shop-admin", ""), budgets)
    going = on_node_a(kube)
    assert [(change.step, change.target.id) for change in changes] == [(0, "node-a"), *((1, pod) for pod in going)]
    inject(changes, wide_gate, DRAINING)
    bury(kube)
    assert on_node_a(kube) == []
    assert kube.get(NODE_A)["spec"]["unschedulable"] is True
    settle()
    assert undo("drill-1", wide_gate.reach).complete
    assert "unschedulable" not in kube.get(NODE_A)["spec"]


@pytest.fixture
def budget(kube, settle):
    """All four pods have to stay."""
    path = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets"
    spec = {"minAvailable": 4, "selector": {"matchLabels": {"app": "orders"}}}
    kube.post(path, {"metadata": {"name": "orders"}, "spec": spec})
    await_field(kube, f"{path}/orders", lambda item: (item.get("status") or {}).get("currentHealthy") == 4)
    yield
    kube.delete(f"{path}/orders")


def test_a_budget_is_never_gone_past(kube, kube_clients, node_a, budget, wide_gate):
    before = kube_server.names(kube)
    budgets = find_budgets(kube_clients, "shop-admin", "")
    changes = plan_drain(node_a, find_pods(kube_clients, "shop-admin", ""), budgets, patience_seconds=5.0)
    with pytest.raises(ApplyFailed, match="protected by budget shop/orders"):
        inject(changes, wide_gate, DRAINING)
    assert kube_server.names(kube) == before
    assert "unschedulable" not in kube.get(NODE_A)["spec"]


def pod(name, node="node-a", owner=("ReplicaSet", "orders-1"), namespace="shop", static=False):
    return Pod(name, name, {}, owner, "us-east-1a", "us-east-1", namespace, node, static=static)


def evicted(node_a, *pods, **more):
    found = Pods("shop", "shop", "", "", pods)
    return [change.target.id for change in plan_drain(node_a, found, **more) if change.step == 1]


def test_pods_of_daemon_sets_static_ones_and_those_elsewhere_stay(node_a):
    pods = pod("one"), pod("daemon", owner=("DaemonSet", "logs")), pod("static", owner=None, static=True)
    assert evicted(node_a, *pods, pod("elsewhere", node="node-b")) == ["one"]


def test_pods_of_other_namespaces_stay_if_some_are_named(node_a):
    pods = pod("one"), pod("two", namespace="kube-system")
    assert evicted(node_a, *pods) == ["one", "two"]
    assert evicted(node_a, *pods, namespaces=("shop",)) == ["one"]


def test_a_pod_that_nothing_would_bring_back_is_refused(node_a):
    with pytest.raises(Refused, match="pod shop/bare: no controller owns it"):
        evicted(node_a, pod("bare", owner=None))


@pytest.fixture
def both(clients, kube_environ):
    found = Clients(environ={**os.environ, **kube_environ})
    yield found
    found.close()


@pytest.fixture
def world(both, vpc):
    ec2 = both.aws("ec2", "us-east-1")
    (subnet,) = ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": ["us-east-1a"]}])["Subnets"][:1]
    with machines(both, subnet=subnet["SubnetId"]) as found:
        yield found


def grouped(both, world, *names):
    """Put the instances of these nodes into an Auto Scaling group."""
    autoscaling = both.aws("autoscaling", "us-east-1")
    autoscaling.create_launch_configuration(LaunchConfigurationName="lc", ImageId="ami-1", InstanceType="m5.large")
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="workers",
        LaunchConfigurationName="lc",
        MinSize=0,
        MaxSize=4,
        DesiredCapacity=0,
        AvailabilityZones=["us-east-1a"],
    )
    autoscaling.attach_instances(AutoScalingGroupName="workers", InstanceIds=[world.instances[name] for name in names])


def test_what_a_group_would_replace_is_terminated_and_the_rest_is_stopped(both, world):
    grouped(both, world, "machine-1")
    found = world.found()
    changes = plan_kill(found, find_machines(both, found))
    told = {change.target.id: (change.kind, change.step) for change in changes}
    assert told == {
        world.instances["machine-0"]: ("ec2.instance_power", 0),
        world.instances["machine-1"]: ("ec2.instance_termination", 0),
    }
    assert {(change.share.unit, change.share.of, *change.share.members) for change in changes} == {
        ("node", "shop", "machine-0"),
        ("node", "shop", "machine-1"),
    }


def test_a_group_that_replaces_nothing_lets_no_node_be_killed(both, world):
    grouped(both, world, "machine-1")
    both.aws("autoscaling", "us-east-1").suspend_processes(AutoScalingGroupName="workers", ScalingProcesses=["Launch"])
    found = world.found("machine-1")
    with pytest.raises(Refused, match="no Auto Scaling group would replace it"):
        plan_kill(found, find_machines(both, found))


def test_a_node_of_karpenter_is_refused(both, world):
    label = {"karpenter.sh/nodepool": "default"}
    both.kube("shop").patch("/api/v1/nodes/machine-0", {"metadata": {"labels": label}})
    found = world.found()
    with pytest.raises(Refused, match="not killing node machine-0: Karpenter launched it"):
        plan_kill(found, find_machines(both, found))


def test_a_node_whose_instance_does_not_run_is_refused(both, world):
    both.aws("ec2", "us-east-1").stop_instances(InstanceIds=[world.instances["machine-0"]])
    with pytest.raises(Refused, match=r"killing node machine-0: its instance i-\w+ does not run in us-east-1"):
        find_machines(both, world.found())


def test_nodes_without_a_region_are_refused(both, node_a):
    with pytest.raises(Refused, match="they are in 0 regions"):
        find_machines(both, node_a.of([]))

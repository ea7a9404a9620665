"""Against the lab's Kubernetes API server, and moto with the lab's Systems Manager; the tests play the node."""

import os
from dataclasses import replace

import pytest
from botocore.stub import Stubber
from kube_machines import machines
from test_kind_permissions import differences, walk

from blackstart.changes.clients import Clients
from blackstart.changes.gate import Gate, inject
from blackstart.changes.kind import Ending
from blackstart.changes.kubelets import PATIENCE_SECONDS, Kubelet, find_managed, plan_silence
from blackstart.changes.ssm_commands import Managed
from blackstart.changes.undo import undo
from blackstart.errors import NotYet, Refused, TargetChanged

STOPPING = "stopping kubelets"
LINUX = Managed(True, "Linux", "Amazon Linux")


@pytest.fixture
def calls():
    return []


@pytest.fixture
def both(clients, kube_environ, calls):
    """Clients of moto and of the cluster, to whom a recorder listens."""
    found = Clients(environ={**os.environ, **kube_environ}, record=calls.append)
    yield found
    found.close()


@pytest.fixture
def world(both):
    with machines(both) as found:
        yield found


@pytest.fixture
def planned(world, both):
    """The changes that silence the nodes with these names."""

    def plan(*names, seconds=60.0):
        found = world.found(*names)
        return plan_silence(found, both.account(), *find_managed(both, found), seconds)

    return plan


@pytest.fixture
def change(planned):
    return planned("machine-0")[0]


@pytest.fixture
def shell(world, both):
    """Runs lines on the instance of a node, as anybody may. Whether they succeeded, and what they said."""

    def run(name, *lines):
        ssm, instance = both.aws("ssm", "us-east-1"), world.instances[name]
        sent = ssm.send_command(
            InstanceIds=[instance], DocumentName="AWS-RunShellScript", Parameters={"commands": list(lines)}
        )
        asked = {"CommandId": sent["Command"]["CommandId"], "Details": True}
        (one,) = ssm.list_command_invocations(**asked)["CommandInvocations"]
        return one["CommandPlugins"][0]["Output"]

    return run


def runs(shell, name="machine-0"):
    return shell(name, "systemctl is-active kubelet") == "active"


def sent(calls):
    return [call for call in calls if str(call) == "ssm:SendCommand"]


def test_nodes_fall_silent_and_are_heard_again(world, planned, shell, both, wide_gate):
    account = wide_gate.scope.model_copy(update={"accounts": (both.account(),)})
    gate = Gate(account, wide_gate.drill, replace(wide_gate.reach, clients=both), wide_gate.watch)
    inject(planned("machine-0", "machine-1"), gate, STOPPING)
    assert [runs(shell, name) for name in world.instances] == [False, False]
    world.ready("machine-0", False)
    (reason,) = undo("drill-1", gate.reach).remaining.values()
    assert reason == "node machine-0 is not ready yet"
    assert [runs(shell, name) for name in world.instances] == [True, True]
    world.ready("machine-0", True)
    assert undo("drill-1", gate.reach).complete


def test_a_timer_on_the_node_outlasts_the_fault_by_a_minute(change, calls, both):
    assert change.after["timer_seconds"] == 120
    assert "a timer on the node does so 120 s after it stopped" in change.undo_summary
    Kubelet().apply([change], both)
    lines = sent(calls)[0].arguments["Parameters"]["commands"]
    assert f"systemd-run --quiet --on-active=120s --unit=blackstart-{change.id} systemctl start kubelet" in lines[2]
    assert lines[3] == "systemctl stop kubelet"


def test_the_change_is_aimed_at_the_instance_as_a_node_of_its_cluster(world, change):
    target = change.target
    assert (target.id, target.cluster, target.zone) == (world.instances["machine-0"], "shop", "us-east-1a")
    assert (target.account, target.tags["blackstart"]) == ("123456789012", "allowed")
    assert (change.share.unit, change.share.of, change.share.members) == ("node", "shop", ("machine-0",))
    assert change.share.total >= 4


def test_it_is_told_only_once_however_often_it_is_applied_or_undone(change, calls, both):
    kind = Kubelet()
    kind.apply([change], both)
    kind.apply([change], both)
    assert len(sent(calls)) == 1
    assert kind.undo([change], both)[change.id].ending is Ending.RESTORED
    assert kind.undo([change], both)[change.id].ending is Ending.RESTORED
    assert kind.verify([change], both)[change.id].ending is Ending.UNTOUCHED
    assert len(sent(calls)) == 2


def test_what_was_never_applied_is_told_nothing(change, calls, both):
    assert Kubelet().undo([change], both)[change.id].ending is Ending.UNTOUCHED
    assert sent(calls) == []


def test_a_kubelet_that_does_not_run_is_left_alone(change, shell, both):
    shell("machine-0", "systemctl stop kubelet")
    with pytest.raises(TargetChanged, match="its kubelet does not run"):
        Kubelet().apply([change], both)
    assert Kubelet().undo([change], both)[change.id].ending is Ending.UNTOUCHED
    assert not runs(shell)


def test_one_that_somebody_else_has_stopped_meanwhile_is_a_conflict_and_left_so(change, shell, both):
    Kubelet().apply([change], both)
    shell("machine-0", f"systemctl stop blackstart-{change.id}.timer")
    outcome = Kubelet().undo([change], both)[change.id]
    assert outcome.ending is Ending.CONFLICT
    assert "was stopped by somebody else" in outcome.note
    assert not runs(shell)


def test_a_node_that_is_gone_is_a_conflict_but_its_kubelet_runs_again(change, shell, both):
    Kubelet().apply([change], both)
    both.kube("shop").delete("/api/v1/nodes/machine-0")
    assert Kubelet().undo([change], both)[change.id].ending is Ending.CONFLICT
    assert runs(shell)


def test_an_instance_that_is_gone_with_its_node_is_a_conflict(world, change, both):
    Kubelet().apply([change], both)
    both.aws("ec2", "us-east-1").terminate_instances(InstanceIds=[world.instances["machine-0"]])
    with pytest.raises(both.aws("ssm", "us-east-1").exceptions.InvalidInstanceId):
        Kubelet().undo([change], both)
    both.kube("shop").delete("/api/v1/nodes/machine-0")
    outcome = Kubelet().undo([change], both)[change.id]
    assert (outcome.ending, outcome.note) == (Ending.CONFLICT, f"{change.target} no longer exists")


def test_a_node_that_is_gone_before_it_is_told_anything_is_left_alone(change, calls, both):
    both.kube("shop").delete("/api/v1/nodes/machine-0")
    with pytest.raises(TargetChanged, match="node machine-0 is gone"):
        Kubelet().apply([change], both)
    assert sent(calls) == []


def answered(change, status, what="stop kubelet"):
    one = {"Comment": f"{change.id}: {what}", "Status": status, "RequestedDateTime": "2026-01-01", "CommandPlugins": []}
    return {"CommandInvocations": [one]}


@pytest.mark.parametrize("status", ["Pending", "InProgress", "Delayed"])
def test_while_a_command_is_under_way_it_is_waited_for_and_not_overtaken(change, calls, both, status):
    with Stubber(both.aws("ssm", "us-east-1")) as stub:
        for _ in range(3):
            stub.add_response("list_command_invocations", answered(change, status))
        with pytest.raises(NotYet, match="being told to stop its kubelet") as caught:
            Kubelet().apply([change], both)
        assert caught.value.patience_seconds == PATIENCE_SECONDS
        assert Kubelet().undo([change], both)[change.id].ending is Ending.PENDING
        assert Kubelet().verify([change], both)[change.id].ending is Ending.PENDING
    assert sent(calls) == []


def test_what_was_not_delivered_is_told_again(change, calls, both):
    with Stubber(both.aws("ssm", "us-east-1")) as stub:
        stub.add_response("list_command_invocations", answered(change, "TimedOut"))
        stub.add_response("send_command", {})
        stub.add_response("list_command_invocations", answered(change, "Success"))
        Kubelet().apply([change], both)
        stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (None, "is not managed by Systems Manager just now"),
        (replace(LINUX, online=False), "is not managed by Systems Manager just now"),
        (replace(LINUX, system="Windows"), "whose kubelet cannot be stopped by systemctl"),
        (replace(LINUX, platform="Bottlerocket"), "it runs Bottlerocket, whose kubelet"),
    ],
)
def test_what_cannot_be_told_is_refused(world, known, reason):
    found = world.found("machine-0")
    managed = {world.instances["machine-0"]: known} if known else {}
    with pytest.raises(Refused, match=reason):
        plan_silence(found, "123456789012", managed, {}, 60.0)


def test_a_node_that_is_not_ready_to_begin_with_is_refused(world, planned):
    world.ready("machine-0", False)
    with pytest.raises(Refused, match="not stopping the kubelet of machine-0: it is not ready to begin with"):
        planned("machine-0")


def test_it_calls_just_what_it_declares(change, calls, both):
    assert differences([change], walk([change], both, calls)) == {}


def test_it_asks_for_one_instance_and_one_document(change):
    need = next(need for need in Kubelet().needs(change) if need.action == "ssm:SendCommand")
    assert need.resources == (
        f"arn:aws:ec2:us-east-1:123456789012:instance/{change.target.id}",
        "arn:aws:ssm:us-east-1::document/AWS-RunShellScript",
    )

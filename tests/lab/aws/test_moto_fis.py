"""FIS experiments on Spot instances, seen through the API; a minute of theirs takes a second here."""

import json
import time
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from blackstart.lab.aws.moto_fis import seconds_before
from blackstart.lab.aws.signature import ACCOUNT

HOME = "us-east-1"
REBALANCE, WARNING = "EC2 Instance Rebalance Recommendation", "EC2 Spot Instance Interruption Warning"
ACTION = "aws:ec2:send-spot-instance-interruptions"


def until(look):
    """What ``look`` gives as soon as that is true."""
    deadline = time.monotonic() + 60
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def ec2(api):
    return api.clients("ec2", HOME)


@pytest.fixture(scope="module")
def fis(api):
    return api.clients("fis", HOME)


@pytest.fixture(scope="module")
def members(api, ec2):
    """A group of two Spot instances; gives the ids of those that it has now."""
    market = {"MarketType": "spot"}
    ec2.create_launch_template(
        LaunchTemplateName="fis", LaunchTemplateData={"ImageId": "ami-1", "InstanceMarketOptions": market}
    )
    scaling = api.clients("autoscaling", HOME)
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="fis",
        LaunchTemplate={"LaunchTemplateName": "fis"},
        MinSize=2,
        MaxSize=2,
        AvailabilityZones=["us-east-1a"],
    )

    def now():
        (group,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["fis"])["AutoScalingGroups"]
        return sorted(each["InstanceId"] for each in group["Instances"])

    yield now
    scaling.delete_auto_scaling_group(AutoScalingGroupName="fis", ForceDelete=True)
    ec2.delete_launch_template(LaunchTemplateName="fis")


def interrupting(fis, before, **more):
    """A template that interrupts each instance so long after it begins."""
    arns = {name: f"arn:aws:ec2:{HOME}:{ACCOUNT}:instance/{name}" for name in before}
    wanted = {
        "description": "interrupt",
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/fis",
        "stopConditions": [{"source": "none"}],
        "targets": {
            name: {"resourceType": "aws:ec2:spot-instance", "resourceArns": [arn], "selectionMode": "ALL"}
            for name, arn in arns.items()
        },
        "actions": {
            name: {
                "actionId": ACTION,
                "parameters": {"durationBeforeInterruption": duration},
                "targets": {"SpotInstances": name},
            }
            for name, duration in before.items()
        },
    }
    return fis.create_experiment_template(**wanted | more)["experimentTemplate"]["id"]


def started(fis, template):
    return fis.start_experiment(experimentTemplateId=template)["experiment"]["id"]


def seen(fis, experiment):
    """The status of an experiment, and of its actions."""
    found = fis.get_experiment(id=experiment)["experiment"]
    return found["state"]["status"], {name: each["state"]["status"] for name, each in found["actions"].items()}


def state_of(ec2, instance):
    (found,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"]
    return found["Instances"][0]["State"]["Name"]


@pytest.fixture(scope="module")
def stopped(api, ec2, fis, members):
    """An experiment that was stopped when it had interrupted one instance and only recommended to replace another."""
    sqs = api.clients("sqs", HOME)
    queue = sqs.create_queue(QueueName=api.interruptions)["QueueUrl"]
    soon, late = members()
    events = []
    changes = api.last_change()
    experiment = started(fis, interrupting(fis, {soon: "PT2M", late: "PT15M"}))
    first = seen(fis, experiment)
    until(lambda: seen(fis, experiment)[0] == "running")
    until(lambda: state_of(ec2, soon) == "terminated")
    half = seen(fis, experiment)
    fis.stop_experiment(id=experiment)
    until(lambda: seen(fis, experiment)[0] == "stopped")

    def three():
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", ())
        events.extend(json.loads(each["Body"]) for each in messages)
        return len(events) >= 3

    until(three)
    return SimpleNamespace(
        soon=soon, late=late, first=first, half=half, last=seen(fis, experiment), events=events, since=changes
    )


def test_it_tells_how_far_it_is(stopped):
    soon, late = stopped.soon, stopped.late
    assert stopped.first[0] in ("pending", "initiating", "running")
    assert stopped.half == ("running", {soon: "completed", late: "running"})
    assert stopped.last == ("stopped", {soon: "completed", late: "stopped"})


def test_instances_are_recommended_to_be_replaced_at_once_and_warned_before_they_go(stopped):
    told = {(each["detail-type"], each["detail"]["instance-id"]) for each in stopped.events}
    assert told == {(REBALANCE, stopped.soon), (REBALANCE, stopped.late), (WARNING, stopped.soon)}
    assert len({each["id"] for each in stopped.events}) == len(stopped.events)
    (warning,) = [each for each in stopped.events if each["detail-type"] == WARNING]
    assert warning["detail"] == {"instance-id": stopped.soon, "instance-action": "terminate"}
    assert warning["resources"] == [f"arn:aws:ec2:us-east-1a:instance/{stopped.soon}"]
    assert (warning["source"], warning["account"], warning["region"]) == ("aws.ec2", ACCOUNT, HOME)


def test_the_group_replaces_what_is_lost(stopped, members):
    until(lambda: len(members()) == 2)
    assert stopped.soon not in members()


def test_what_has_not_happened_when_it_is_stopped_never_happens(stopped, ec2):
    assert state_of(ec2, stopped.late) == "running"


def test_a_loss_is_told_to_those_who_wait_for_changes(api, stopped):
    changes = api.ask(f"/changes?since={stopped.since}")["services"]
    assert ["ec2", HOME, "TerminateInstances"] in [each[1:] for each in changes]


def test_it_completes_when_all_are_lost(fis, ec2, members):
    lost, _ = members()
    experiment = started(fis, interrupting(fis, {lost: "PT2M"}))
    until(lambda: seen(fis, experiment) == ("completed", {lost: "completed"}))
    assert state_of(ec2, lost) == "terminated"
    assert "endTime" in fis.get_experiment(id=experiment)["experiment"]


def test_it_fails_if_no_target_is_a_running_spot_instance(fis, ec2):
    plain = ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    experiment = started(fis, interrupting(fis, {plain: "PT2M"}))
    until(lambda: seen(fis, experiment) == ("failed", {plain: "cancelled"}))
    reason = fis.get_experiment(id=experiment)["experiment"]["state"]["reason"]
    assert reason == "Target resolution returned empty set"
    assert state_of(ec2, plain) == "running"
    ec2.terminate_instances(InstanceIds=[plain])


def code_of(caught):
    return caught.value.response["Error"]["Code"]


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        ({"actionId": "aws:ec2:stop-instances"}, "has no action aws:ec2:stop-instances"),
        ({"parameters": {"durationBeforeInterruption": "PT1M"}}, "'PT1M' is not PT2M to PT15M"),
        ({"targets": {"Instances": "i-1"}}, 'Unexpected target "Instances" found in action "go"'),
        ({"targets": {"SpotInstances": "other"}}, "needs a target SpotInstances"),
    ],
)
def test_templates_that_are_wrong_are_refused(fis, action, problem):
    right = {"actionId": ACTION, "parameters": {"durationBeforeInterruption": "PT2M"}}
    with pytest.raises(ClientError, match=problem) as caught:
        interrupting(fis, {"i-1": "PT2M"}, actions={"go": right | {"targets": {"SpotInstances": "i-1"}} | action})
    assert code_of(caught) == "ValidationException"


def test_what_only_the_lab_cannot_do_is_told_apart(api):
    fis = api.clients.impatient("fis", HOME)
    named = {"actionId": ACTION, "parameters": {"durationBeforeInterruption": "PT2M"}, "startAfter": ["x"]}
    with pytest.raises(ClientError, match="the lab begins all actions at once") as caught:
        interrupting(fis, {"i-1": "PT2M"}, actions={"go": named | {"targets": {"SpotInstances": "i-1"}}})
    assert code_of(caught) == "NotImplemented"


@pytest.mark.parametrize("operation", ["start_experiment", "get_experiment", "stop_experiment"])
def test_what_does_not_exist_is_not_found(fis, operation):
    name = "experimentTemplateId" if operation == "start_experiment" else "id"
    with pytest.raises(ClientError) as caught:
        getattr(fis, operation)(**{name: "EXT0"})
    assert code_of(caught) == "ResourceNotFoundException"


def test_a_notice_is_at_least_two_minutes():
    asked = {each: {"parameters": {"durationBeforeInterruption": each}} for each in ("PT2M", "PT15M")}
    assert {each: seconds_before(action) for each, action in asked.items()} == {"PT2M": 120.0, "PT15M": 900.0}

import json
import urllib.request
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from spot_world import REGION, group_of, run_spot
from test_kind_permissions import differences, walk

from blackstart.changes.clients import Clients
from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.spot import plan_interruption, spot_nodes_of_vpc
from blackstart.changes.spot_fis import SpotInterruption, plan_experiments
from blackstart.changes.undo import undo
from blackstart.errors import NotYet, Refused
from blackstart.testing import FakeClock

ROLE = "arn:aws:iam::123456789012:role/fis"


@pytest.fixture
def instances(clients, vpc):
    """Six Spot instances of a group."""
    made = run_spot(clients, vpc, 6)
    group_of(clients, vpc, "spot", made)
    return made


@pytest.fixture
def changes(clients, vpc, instances):
    found = spot_nodes_of_vpc(clients, REGION, vpc)
    return plan_experiments(plan_interruption(found, found.nodes), ROLE)


@pytest.fixture
def fis(clients):
    return clients.aws("fis", REGION)


def applied(changes, clients):
    """As the gate does: again while the experiment is only starting."""
    for _ in range(3):
        with suppress(NotYet):
            return SpotInterruption().apply(changes, clients)
    raise AssertionError("it starts for ever")


def ended(fis, wanted="completed"):
    """Every experiment goes on to its end; moto takes a step for each look."""
    for each in fis.list_experiments()["experiments"]:
        seen = [fis.get_experiment(id=each["id"])["experiment"]["state"]["status"] for _ in range(4)]
        assert seen[-1] == wanted


def templates(fis):
    return [
        fis.get_experiment_template(id=item["id"])["experimentTemplate"]
        for item in fis.list_experiment_templates()["experimentTemplates"]
    ]


def endings(outcomes):
    return {outcome.ending for outcome in outcomes.values()}


def test_one_experiment_interrupts_all_five_to_a_target(changes, clients, fis, instances):
    applied(changes, clients)
    (template,) = templates(fis)
    arns = [target["resourceArns"] for target in template["targets"].values()]
    assert sorted(map(len, arns)) == [1, 5]
    assert {arn.rpartition("/")[2] for some in arns for arn in some} == set(instances)
    assert {action["actionId"] for action in template["actions"].values()} == {
        "aws:ec2:send-spot-instance-interruptions"
    }
    assert {action["parameters"]["durationBeforeInterruption"] for action in template["actions"].values()} == {"PT2M"}
    assert [action.get("startAfter", []) for action in template["actions"].values()] == [[], []]
    assert template["tags"] == {"blackstart-change": changes[0].id}


def test_what_is_applied_again_is_the_same_experiment(changes, clients, fis):
    for _ in range(2):
        applied(changes, clients)
    assert len(templates(fis)) == len(fis.list_experiments()["experiments"]) == 1


def test_more_than_fifty_take_another_experiment(changes):
    tokens = [change.after["experiment"] for change in plan_experiments(changes * 10, ROLE)]
    assert (tokens.count(tokens[0]), tokens.count(tokens[50])) == (50, 10)


@pytest.mark.parametrize("stopped", [False, True])
def test_undo_waits_for_what_has_been_told_to_go_and_deletes_the_template(changes, clients, fis, instances, stopped):
    kind = SpotInterruption()
    applied(changes, clients)
    if stopped:
        assert endings(kind.undo(changes, clients)) == {Ending.PENDING}
    ended(fis, "stopped" if stopped else "completed")
    outcomes = kind.undo(changes, clients)
    assert endings(outcomes) == {Ending.WAITING}
    assert "has been told to go, and still runs" in outcomes[changes[0].id].note
    clients.aws("ec2", REGION).terminate_instances(InstanceIds=instances)  # AWS did
    assert endings(kind.verify(changes, clients)) == {Ending.PENDING}
    assert endings(kind.undo(changes, clients)) == {Ending.RESTORED}
    assert templates(fis) == []
    assert endings(kind.undo(changes, clients)) == {Ending.RESTORED}


def test_undo_waits_no_longer_than_the_notice_is_for_what_still_runs(changes, clients, fis):
    clock = FakeClock(datetime.now(UTC))
    kind = SpotInterruption(clock)
    applied(changes, clients)
    ended(fis)
    clock.advance(120)
    assert endings(kind.undo(changes, clients)) == {Ending.WAITING}
    clock.advance(90)
    assert endings(kind.undo(changes, clients)) == {Ending.RESTORED}
    assert templates(fis) == []
    outcomes = kind.verify(changes, clients)
    assert endings(outcomes) == {Ending.UNTOUCHED}


def test_that_an_instance_stayed_is_told(changes, clients, fis):
    clock = FakeClock(datetime.now(UTC) + timedelta(minutes=4))
    applied(changes, clients)
    ended(fis)
    outcomes = SpotInterruption(clock).undo(changes, clients)
    assert "AWS has not interrupted it" in outcomes[changes[0].id].note


def test_an_experiment_that_goes_on_is_stopped_first(changes, clients, fis):
    kind = SpotInterruption()
    made = fis.create_experiment_template(
        clientToken=changes[0].id,
        description="d",
        stopConditions=[{"source": "none"}],
        actions={},
        roleArn=ROLE,
        tags={"blackstart-change": changes[0].id},
    )["experimentTemplate"]["id"]
    fis.start_experiment(clientToken=changes[0].id, experimentTemplateId=made)
    assert endings(kind.undo(changes, clients)) == {Ending.PENDING}
    ended(fis, "stopped")
    assert endings(kind.undo(changes, clients)) == {Ending.RESTORED}
    assert templates(fis) == []


def test_undoing_what_never_happened_changes_nothing(changes, clients):
    assert endings(SpotInterruption().undo(changes, clients)) == {Ending.UNTOUCHED}


def test_through_the_gate_and_back(changes, clients, aws_gate, fis, instances):
    inject(changes[:3], aws_gate, "interrupting")
    clients.aws("ec2", REGION).terminate_instances(InstanceIds=instances)
    ended(fis)
    assert undo("drill-1", aws_gate.reach).complete
    assert templates(fis) == []


def test_an_experiment_that_fails_is_told(changes, clients, fis):
    applied(changes, clients)
    for each in fis.list_experiments()["experiments"]:
        fis.stop_experiment(id=each["id"])
    with pytest.raises(Refused, match=r"not interrupting 6 Spot instances: FIS experiment .* stop"):
        SpotInterruption().apply(changes, clients)


@pytest.fixture
def at_once(moto_url):
    """Experiments are over as soon as they begin."""

    def post(what, body):
        data = json.dumps({"model_name": "fis::experiment"} | body).encode()
        headers = {"Content-Type": "application/json"}
        url = f"{moto_url}/moto-api/state-manager/{what}-transition"
        urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=10).close()

    post("set", {"transition": {"progression": "immediate"}})
    yield
    post("unset", {})


def test_it_calls_just_what_it_declares(changes, clients, fis, instances, at_once):
    calls = []
    heard = Clients(record=calls.append)
    made = walk(changes[:1], heard, calls)
    clients.aws("ec2", REGION).terminate_instances(InstanceIds=instances)
    calls.clear()
    SpotInterruption().undo(changes[:1], heard)
    made["fis.spot_interruption"] |= set(map(str, calls)) | {"fis:StopExperiment"}  # here is nothing left to stop
    assert differences(changes[:1], made) == {}
    heard.close()

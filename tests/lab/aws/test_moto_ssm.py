"""Commands to instances, seen through the API; and the lab's shell beside a real one."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from blackstart.changes.kubelets import starting, stopping
from blackstart.changes.model import Change
from blackstart.lab.aws import state
from blackstart.lab.aws.moto_ssm import Machine, Shell
from blackstart.scope import Target

HOME = "us-east-1"
AFTER = {"kubelet": "inactive", "timer_seconds": 120}
CHANGE = Change("bs-1", "ssm.kubelet", Target("instance", "i-1"), {}, AFTER, "", "")
UNIT = "blackstart-bs-1"


@pytest.fixture
def ssm(api):
    return api.clients("ssm", HOME)


@pytest.fixture
def instance(api):
    """A running instance, which is gone afterwards."""
    ec2 = api.clients("ec2", HOME)
    made = ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    yield made
    ec2.terminate_instances(InstanceIds=[made])


@pytest.fixture
def run(ssm, instance):
    """Runs lines on the instance; status, exit code and output."""

    def told(lines, comment=""):
        sent = ssm.send_command(
            InstanceIds=[instance], DocumentName="AWS-RunShellScript", Comment=comment, Parameters={"commands": lines}
        )
        command = sent["Command"]["CommandId"]
        (one,) = ssm.list_command_invocations(CommandId=command, Details=True)["CommandInvocations"]
        (plugin,) = one["CommandPlugins"]
        return one["Status"], plugin["ResponseCode"], plugin["Output"]

    return told


def silent(api):
    return state.read_silent_instances(api.inner, HOME)


def test_a_kubelet_is_stopped_and_started_and_the_lab_can_tell(api, run, instance):
    assert run(["systemctl is-active kubelet"]) == ("Success", 0, "active")
    assert instance not in silent(api)
    assert run(stopping(CHANGE)) == ("Success", 0, "active")
    assert instance in silent(api)
    assert run(["systemctl is-active kubelet"]) == ("Failed", 3, "inactive")
    assert run(starting(CHANGE)) == ("Success", 0, "active")
    assert instance not in silent(api)


def test_a_kubelet_starts_again_with_its_instance(api, run, instance):
    run(stopping(CHANGE))
    ec2 = api.clients("ec2", HOME)
    ec2.stop_instances(InstanceIds=[instance])
    assert instance not in silent(api)
    ec2.start_instances(InstanceIds=[instance])
    assert instance not in silent(api)


def test_a_command_is_told_to_those_who_wait_for_changes(api, run):
    before = api.last_change()
    run(["systemctl is-active kubelet"])
    (one,) = api.ask(f"/changes?since={before}")["services"]
    assert one[1:] == ["ssm", HOME, "SendCommand"]


def test_what_the_lab_does_not_understand_fails_as_it_would_in_a_shell(run):
    assert run(["set -e", "reboot now", "systemctl stop kubelet"]) == ("Failed", 127, "sh: reboot: not found")
    assert run(["systemctl stop sshd"])[:2] == ("Failed", 5)
    assert run(["systemctl is-active kubelet"])[2] == "active"


def test_invocations_are_found_by_their_instance_newest_first(ssm, run, instance):
    run(["systemctl is-active kubelet"], "one")
    run(["systemctl is-active kubelet"], "two")
    found = ssm.list_command_invocations(InstanceId=instance)["CommandInvocations"]
    assert [each["Comment"] for each in found] == ["two", "one"]
    assert found[0]["CommandPlugins"] == []


def test_only_running_instances_are_managed(api, ssm, instance):
    filters = [{"Key": "InstanceIds", "Values": [instance, "i-0"]}]
    (known,) = ssm.describe_instance_information(Filters=filters)["InstanceInformationList"]
    assert (known["InstanceId"], known["PingStatus"], known["PlatformType"]) == (instance, "Online", "Linux")
    api.clients("ec2", HOME).stop_instances(InstanceIds=[instance])
    assert ssm.describe_instance_information(Filters=filters)["InstanceInformationList"] == []
    with pytest.raises(ClientError) as caught:
        ssm.send_command(InstanceIds=[instance], DocumentName="AWS-RunShellScript", Parameters={"commands": ["true"]})
    assert caught.value.response["Error"]["Code"] == "InvalidInstanceId"


def test_other_documents_are_unknown(ssm, instance):
    with pytest.raises(ClientError) as caught:
        ssm.send_command(InstanceIds=[instance], DocumentName="AWS-RunPatchBaseline")
    assert caught.value.response["Error"]["Code"] == "InvalidDocument"


def test_a_timer_starts_the_kubelet_when_its_time_has_come():
    machine = Machine()
    assert Shell(machine, 1000.0).run(stopping(CHANGE))[0] == 0
    assert machine.at(1119.9).stopped
    assert not machine.at(1120.0).stopped
    assert machine.timers == {}


STUB = """#!/bin/sh
cd "$(dirname "$0")/../units"
for word; do last=$word; done
case "$1 $last" in
  "is-active "*)
    [ -e "$last" ] && say=active || say=inactive
    [ "$2" = --quiet ] || echo $say
    [ -e "$last" ] || exit 3 ;;
  "start "*) touch "$last" ;;
  "stop "*) rm -f "$last" ;;
  *) for word; do case $word in --unit=*) touch "${word#--unit=}.timer" ;; esac; done ;;
esac
"""


@pytest.fixture
def real(tmp_path):
    """Runs lines in a real shell, whose systemctl keeps a file for every unit that is active."""
    for folder in ("bin", "units"):
        (tmp_path / folder).mkdir()
    for name in ("systemctl", "systemd-run"):
        (tmp_path / "bin" / name).write_text(STUB)
        (tmp_path / "bin" / name).chmod(0o755)

    def run(lines: Sequence[str], active: set[str]) -> tuple[int, str, set[str]]:
        units: Path = tmp_path / "units"
        for each in units.iterdir():
            each.unlink()
        for each in active:
            (units / each).touch()
        path = f"{tmp_path}/bin:/usr/bin:/bin"
        done = subprocess.run(
            ["sh"], input="\n".join(lines), text=True, capture_output=True, env={"PATH": path}, check=False
        )
        return done.returncode, done.stdout.strip(), {each.name for each in units.iterdir()}

    return run


@pytest.mark.parametrize("active", [set(), {"kubelet"}, {f"{UNIT}.timer"}, {"kubelet", f"{UNIT}.timer"}], ids=str)
@pytest.mark.parametrize("lines", [stopping, starting])
def test_the_lines_do_the_same_in_a_real_shell_as_in_the_labs(real, lines, active):
    timers = {unit.removesuffix(".timer"): 9.0 for unit in active - {"kubelet"}}
    machine = Machine(stopped="kubelet" not in active, timers=timers)
    code, said = Shell(machine, 0.0).run(lines(CHANGE))
    after = {f"{unit}.timer" for unit in machine.timers} | ({"kubelet"} if not machine.stopped else set())
    assert real(lines(CHANGE), active) == (code, said, after)


def test_the_kubelet_never_stops_without_a_timer(real):
    assert real(stopping(CHANGE), {"kubelet"}) == (0, "active", {f"{UNIT}.timer"})
    assert real(stopping(CHANGE), {f"{UNIT}.timer"}) == (0, "", {f"{UNIT}.timer"})
    assert real(stopping(CHANGE), set()) == (3, "inactive", set())
    failing = [line.replace("systemd-run", "false ") for line in stopping(CHANGE)]
    assert real(failing, {"kubelet"})[2] == {"kubelet"}


def test_only_a_kubelet_that_we_stopped_is_started(real):
    assert real(starting(CHANGE), {f"{UNIT}.timer"}) == (0, "active", {"kubelet"})
    assert real(starting(CHANGE), {"kubelet"}) == (0, "active", {"kubelet"})
    assert real(starting(CHANGE), set()) == (3, "inactive", set())

"""However a drill dies, and wherever: afterwards AWS holds what it held before."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from blackstart.changes.clients import Clients
from blackstart.changes.logs import open_log
from blackstart.changes.reach import Boundary

sys.path.append(str(Path(__file__).parent.parent))
import moto_server

DRILL = str(Path(__file__).parent / "drill.py")
SAMPLE = ["logged:2", "applied:4", "marking:3", "undoing:3", "verifying:4"]
EVERYWHERE = [f"{boundary}:{count}" for boundary in Boundary for count in range(1, 17)]


def pytest_generate_tests(metafunc):
    if "at" in metafunc.fixturenames:
        metafunc.parametrize("at", EVERYWHERE if metafunc.config.getoption("--sweep") else SAMPLE)


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with moto_server.running(tmp_path_factory.mktemp("moto")) as found:
        yield found


@pytest.fixture(scope="module")
def kept_clients():
    kept = Clients()
    yield kept
    kept.close()


@pytest.fixture
def clients(url, monkeypatch, kept_clients):
    moto_server.forget(url)
    for name, value in moto_server.environ(url).items():
        monkeypatch.setenv(name, value)
    return kept_clients


class World:
    """A VPC of three zones with two subnets, an instance and a share of an Auto Scaling group each; a health check."""

    def __init__(self, clients: Clients, folder: Path) -> None:
        self.folder = folder
        self.log_url = f"sqlite://{folder}/undo.sqlite"
        self._ec2 = clients.aws("ec2", "us-east-1")
        self._autoscaling = clients.aws("autoscaling", "us-east-1")
        self._route53 = clients.aws("route53")
        self.vpc = self._ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=_tags("vpc"))["Vpc"]["VpcId"]
        subnets = [self._subnet(number, zone) for number, zone in enumerate("aabbcc")]
        for subnet in subnets[::2]:
            tags = _tags("instance")
            self._ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, SubnetId=subnet, TagSpecifications=tags)
        self._group(subnets)
        config = {"Type": "HTTP", "FullyQualifiedDomainName": "orders.shop.test", "Port": 80}
        made = self._route53.create_health_check(CallerReference="1", HealthCheckConfig=config)
        self.check = made["HealthCheck"]["Id"]
        self._route53.change_tags_for_resource(
            ResourceType="healthcheck", ResourceId=self.check, AddTags=[{"Key": "blackstart", "Value": "allowed"}]
        )
        (folder / "world.json").write_text(json.dumps({"vpc": self.vpc, "check": self.check}))
        self.before = self.dump()

    def dump(self):
        """All that a drill can change; association ids left out, for each swap makes a new one."""
        acls = self._ec2.describe_network_acls()["NetworkAcls"]
        reservations = self._ec2.describe_instances()["Reservations"]
        (group,) = self._autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
        return {
            "acls": {acl["NetworkAclId"]: sorted(each["SubnetId"] for each in acl["Associations"]) for acl in acls},
            "power": {each["InstanceId"]: each["State"]["Name"] for one in reservations for each in one["Instances"]},
            "subnets": sorted(group["VPCZoneIdentifier"].split(",")),
            "suspended": sorted(process["ProcessName"] for process in group["SuspendedProcesses"]),
            "check": self._route53.get_health_check(HealthCheckId=self.check)["HealthCheck"]["HealthCheckConfig"],
        }

    def run(self, what: str, at: str = "", how: str = "SIGKILL") -> subprocess.CompletedProcess:
        command = [sys.executable, DRILL, what, self.log_url, str(self.folder), at, how]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, start_new_session=True, check=False)

    def wait_for_reverter(self) -> str:
        """How its work ended; fails if it takes longer than 30 s."""
        pid = int((self.folder / "reverter.pid").read_text())
        for _ in range(600):
            if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return (self.folder / "ending").read_text()
            time.sleep(0.05)
        raise AssertionError((self.folder / "reverter.log").read_text())

    def assert_nothing_left(self) -> None:
        assert self.dump() == self.before
        log = open_log(self.log_url)
        assert log.drills() == []
        log.close()

    def _subnet(self, number: int, zone: str) -> str:
        made = self._ec2.create_subnet(
            VpcId=self.vpc,
            CidrBlock=f"10.0.{number}.0/24",
            AvailabilityZone=f"us-east-1{zone}",
            TagSpecifications=_tags("subnet"),
        )
        return made["Subnet"]["SubnetId"]

    def _group(self, subnets: list[str]) -> None:
        self._autoscaling.create_launch_configuration(
            LaunchConfigurationName="spot", ImageId="ami-1", InstanceType="m5.large"
        )
        self._autoscaling.create_auto_scaling_group(
            AutoScalingGroupName="spot",
            LaunchConfigurationName="spot",
            MinSize=0,
            MaxSize=3,
            DesiredCapacity=0,
            VPCZoneIdentifier=",".join(subnets),
            Tags=[{"Key": "blackstart", "Value": "allowed", "PropagateAtLaunch": True, "ResourceId": "spot"}],
        )
        self._autoscaling.suspend_processes(AutoScalingGroupName="spot", ScalingProcesses=["AZRebalance"])


def _tags(kind: str) -> list:
    return [{"ResourceType": kind, "Tags": [{"Key": "blackstart", "Value": "allowed"}]}]


@pytest.fixture
def world(clients, tmp_path):
    return World(clients, tmp_path)


def test_a_drill_that_ends_in_order_leaves_nothing(world):
    done = world.run("drill")
    assert (done.returncode, done.stderr) == (0, "")
    assert world.wait_for_reverter() == "released"
    world.assert_nothing_left()


def test_killed_at_any_boundary_the_reverter_leaves_nothing(world, at):
    done = world.run("drill", at)
    if done.returncode == 0:
        pytest.skip("the drill does not come by this boundary so often")
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert world.wait_for_reverter() == "reverted"
    world.assert_nothing_left()
    died, first = (float((world.folder / name).read_text()) for name in ("died", "first-undo"))
    assert 0 < first - died < 2.0, f"the reverter took {first - died:.3f} s to start"


@pytest.mark.parametrize("how", ["group", "SIGINT", "SIGTERM"])
def test_other_deaths_leave_nothing_either(world, how):
    assert world.run("drill", "applied:5", how).returncode != 0
    assert world.wait_for_reverter() == "reverted"
    world.assert_nothing_left()


def test_recover_puts_back_what_drill_and_reverter_left(world):
    world.run("drill", "marked:6", "with-reverter")
    assert world.dump() != world.before
    assert json.loads(world.run("recover").stdout) == {"complete": [True]}
    world.assert_nothing_left()


def test_a_recover_that_is_killed_is_finished_by_the_next(world):
    world.run("drill", "marked:6", "with-reverter")
    assert world.run("recover", "undone:3").returncode == -signal.SIGKILL
    assert world.dump() != world.before
    assert json.loads(world.run("recover").stdout) == {"complete": [True]}
    world.assert_nothing_left()


def test_the_reverter_is_deaf_to_the_signals_that_end_drills(world):
    process = subprocess.Popen(
        [sys.executable, DRILL, "drill", world.log_url, str(world.folder), "applied:4", "SIGSTOP"],
        start_new_session=True,
    )
    try:
        _signal_reverter(world)
    finally:
        process.kill()
        process.wait()
    assert world.wait_for_reverter() == "reverted"
    world.assert_nothing_left()


def _signal_reverter(world: World) -> None:
    for _ in range(600):
        if (world.folder / "died").exists():
            break
        time.sleep(0.05)
    pid = int((world.folder / "reverter.pid").read_text())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)
    time.sleep(0.3)
    assert psutil.Process(pid).status() != psutil.STATUS_ZOMBIE

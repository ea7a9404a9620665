"""The small drill's world, on moto's server: many kinds of change in little time, and no lab.

A ``World`` is one account for one drill; ``Small`` crashes a drill at a point of the sweep, each in a fresh world.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path += [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "drills")]
import moto_server
import world
from points import Point, Result

from blackstart.changes.clients import Clients
from blackstart.changes.logs import open_log

DRILL = str(Path(__file__).parent / "drill.py")


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
        """How its work ended; fails if it takes longer than 60 s."""
        ending = self.folder / "ending"
        for _ in range(1200):
            if ending.exists() and ending.read_text():
                return ending.read_text()
            time.sleep(0.05)
        raise AssertionError((self.folder / "reverter.log").read_text())

    def open_drills(self) -> list[str]:
        log = open_log(self.log_url)
        try:
            return [drill.id for drill in log.drills()]
        finally:
            log.close()

    def assert_nothing_left(self) -> None:
        assert self.dump() == self.before
        assert self.open_drills() == []

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


class Small:
    """Crashes small drills, each in a world of its own; ``url`` is moto's, which the environment names, too."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self._folder = url, folder
        os.environ |= moto_server.environ(url)
        self._clients = Clients()

    def run(self, point: Point) -> Result:
        """Let it happen, have everything put back by whom it is meant to be, and compare."""
        began = time.monotonic()
        moto_server.forget(self._url)
        small = World(self._clients, Path(tempfile.mkdtemp(prefix="small-", dir=self._folder)))
        at, how = point.deaths.get("drill", ("", ""))
        small.run("drill", at, how)
        found = (small.folder / "passages").read_text().split()
        reached = not at or (small.folder / "died").exists()
        if point.needs_recover and reached:
            for death in (point.deaths.get("recover"), None):
                small.run("recover", *(death or ()))
        else:
            small.wait_for_reverter()
        left = [*world.differences(small.before, small.dump()), *small.open_drills()]
        return Result(point.name, reached, left, round(time.monotonic() - began, 1), found)

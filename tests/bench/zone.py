"""A zone of 200 subnets is isolated, undone, and killed in the middle: ours and the peer's, on one AWS stand-in."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import psutil

sys.path.append(str(Path(__file__).parent.parent))
import moto_server

HERE = Path(__file__).parent

SUBNETS, LATENCY, KILLED_AT = 200, 0.1, 100
ZONE, REGION = "us-east-1a", "us-east-1"
OPT_IN = [{"Key": "AZ_FAILURE", "Value": "True"}, {"Key": "Name", "Value": "bench"}]


@dataclass(frozen=True)
class Tool:
    """One tool's way to isolate a zone. ``reverts``: something of it goes on after its process was killed."""

    name: str
    command: tuple[str, ...]
    reverts: bool


@dataclass(frozen=True)
class Killed:
    """``cut_off``: subnets that stay behind the deny-all ACL. ``first_undo``: seconds from the death, None if none."""

    cut_off: int
    first_undo: float | None


class Zone:
    """One VPC with 200 subnets in the zone and one elsewhere, every call to it 100 ms away."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.environ = {**os.environ, **moto_server.environ(url)}
        self._ec2 = boto3.client("ec2", region_name=REGION, endpoint_url=url, **credentials(self.environ))
        self._ask("latency?seconds=0", "POST")
        moto_server.forget(url)
        self.vpc = self._ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=_tags("vpc"))["Vpc"]["VpcId"]
        for number in range(SUBNETS + 1):
            self._ec2.create_subnet(
                VpcId=self.vpc,
                CidrBlock=f"10.0.{number}.0/24",
                AvailabilityZone=ZONE if number < SUBNETS else "us-east-1b",
                TagSpecifications=_tags("subnet"),
            )
        (own,) = self._acls()
        self._own = own["NetworkAclId"]
        self._ask(f"latency?seconds={LATENCY}", "POST")

    def measure(self, tool: Tool) -> dict[str, float]:
        """Seconds of ``isolate`` and of ``undo``."""
        process = self._start(tool, "measured")
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, (tool.name, output)
        return json.loads(output.splitlines()[-1])

    def kill(self, tool: Tool) -> Killed:
        """What is left when it is killed at its 100th swap, once everything of it has ended."""
        process = self._start(tool, "killed")
        self._ask(f"doom?pid={process.pid}&at={KILLED_AT}", "POST")
        process.communicate(timeout=300)
        died = self._ask("swaps")["killed"]
        if tool.reverts:
            _wait_for_end(self.folder / "killed")
        time.sleep(3 * LATENCY)
        # What its threads had under way when it died still comes in within the latency; an undo comes later.
        later = [at - died for at in self._ask("swaps")["swaps"] if at > died + 0.02]
        self._ask("latency?seconds=0", "POST")
        foreign = [acl for acl in self._acls() if acl["NetworkAclId"] != self._own]
        return Killed(sum(len(acl["Associations"]) for acl in foreign), min(later) if later else None)

    def _acls(self) -> list[dict]:
        return self._ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["NetworkAcls"]

    def _start(self, tool: Tool, name: str) -> subprocess.Popen[str]:
        place = self.folder / name
        place.mkdir()
        command = [part.format(folder=place, vpc=self.vpc, zone=ZONE, region=REGION) for part in tool.command]
        with (place / "errors").open("wb") as errors:
            return subprocess.Popen(
                command, cwd=place, env=self.environ, stdout=subprocess.PIPE, stderr=errors, text=True
            )

    def _ask(self, path: str, method: str = "GET") -> dict:
        request = urllib.request.Request(f"{self.url}/bench/{path}", method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


def tools(peer_python: Path) -> tuple[Tool, Tool]:
    ours = (sys.executable, str(HERE / "isolate.py"), "{folder}", "{region}", "{vpc}", "{zone}")
    theirs = (str(peer_python), str(HERE / "peer_isolate.py"), "{zone}")
    return Tool("Blackstart", ours, True), Tool("aws-az-failure-chaostoolkit", theirs, False)


@contextmanager
def zone(folder: Path) -> Iterator[Zone]:
    """A new one for every measurement; the latency is off while it is laid out."""
    folder.mkdir()
    with moto_server.running(folder) as url:
        yield Zone(url, folder)


def _wait_for_end(place: Path, seconds: float = 120) -> None:
    """Until the reverter that was started for this folder has gone."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        running = (" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"]))
        if not any(str(place) in command for command in running):
            return
        time.sleep(0.2)
    raise TimeoutError(f"the reverter of {place} still runs")


def credentials(environ: dict[str, str]) -> dict[str, str]:
    return {
        "aws_access_key_id": environ["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": environ["AWS_SECRET_ACCESS_KEY"],
    }


def _tags(kind: str) -> list:
    return [{"ResourceType": kind, "Tags": OPT_IN}]

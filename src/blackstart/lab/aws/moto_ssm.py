"""Systems Manager whose commands have an effect: moto takes any command, and answers that it was a success.

An instance here has a kubelet, and timers of systemd that start it. Its shell understands just what stops and starts
them; whatever else it is told fails as an unknown command does. What runs on an instance is told as inventory of the
custom type ``Custom:Service``, as AWS tells what an agent has collected.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.ssm import urls as ssm_urls
from moto.ssm.exceptions import InvalidDocument
from moto.ssm.responses import SimpleSystemManagerResponse

from blackstart.clock import Clock, SystemClock
from blackstart.lab.aws.signature import ACCOUNT
from blackstart.lab.aws.state import SERVICES

DOCUMENT = "AWS-RunShellScript"
_RUNNING = "running"
_INACTIVE, _UNKNOWN = 3, 127
_SYSTEMCTL = re.compile(r"systemctl (is-active|start|stop)( --quiet)? (\S+?)(?:\.service)?")
_TIMER = re.compile(r"systemd-run --quiet --on-active=(\d+)s --unit=(\S+) systemctl start kubelet")


@dataclass
class Machine:
    """The kubelet of one instance. ``timers``: when each starts it, in the clock's monotonic seconds."""

    stopped: bool = False
    timers: dict[str, float] = field(default_factory=dict)

    def at(self, now: float) -> Machine:
        """The same, after what timers have done until ``now``."""
        for unit in [unit for unit, due in self.timers.items() if due <= now]:
            del self.timers[unit]
            self.stopped = False
        return self


@dataclass(frozen=True)
class Shell:
    """Runs lines as root of ``machine`` at ``now``."""

    machine: Machine
    now: float

    def run(self, lines: Sequence[str]) -> tuple[int, str]:
        """Exit code and output of ``sh`` with these lines, of which the first is ``set -e``."""
        said: list[str] = []
        for line in lines:
            if line == "set -e":
                continue
            for command in line.split(" || "):
                unless = command.startswith("! ")
                code, words = self._command(command.removeprefix("! "))
                said += words
                code = int(not code) if unless else code
                if not code or code == _UNKNOWN:
                    break
            if code:
                return code, "\n".join(said)
        return 0, "\n".join(said)

    def _command(self, command: str) -> tuple[int, list[str]]:
        timer, asked = _TIMER.fullmatch(command), _SYSTEMCTL.fullmatch(command)
        if timer:
            self.machine.timers[timer[2]] = self.now + int(timer[1])
            return 0, []
        if not asked:
            return _UNKNOWN, [f"sh: {command.split(maxsplit=1)[0]}: not found"]
        verb, quiet, unit = asked.groups()
        if unit != "kubelet" and not unit.endswith(".timer"):
            return 5, [f"Unit {unit}.service not loaded."]
        if verb == "is-active":
            active = self._active(unit)
            return (0 if active else _INACTIVE), [] if quiet else ["active" if active else "inactive"]
        self._set(unit, verb == "start")
        return 0, []

    def _active(self, unit: str) -> bool:
        return not self.machine.stopped if unit == "kubelet" else unit.removesuffix(".timer") in self.machine.timers

    def _set(self, unit: str, active: bool) -> None:
        if unit == "kubelet":
            self.machine.stopped = not active
        elif not active:
            self.machine.timers.pop(unit.removesuffix(".timer"), None)


class Commands(SimpleSystemManagerResponse):
    """Systems Manager that runs commands on the running instances of EC2, which all have its agent."""

    clock: Clock = SystemClock()

    def send_command(self) -> ActionResult:
        ids, document = self._get_param("InstanceIds", []), self._get_param("DocumentName")
        if document != DOCUMENT:
            raise InvalidDocument(f"The lab knows no document but {DOCUMENT}.")
        machines = {instance: self._machine(instance) for instance in ids}
        lines = (self._get_param("Parameters") or {}).get("commands", [])
        command = {
            "CommandId": str(uuid.uuid4()),
            "DocumentName": document,
            "Comment": self._get_param("Comment", ""),
            "RequestedDateTime": utcnow(),
            "InstanceIds": ids,
            "Status": "Pending",
            "StatusDetails": "Pending",
        }
        for instance, machine in machines.items():
            code, said = Shell(machine, self.clock.monotonic()).run(lines)
            self._history().append(command | _ended(instance, code, said))
        return ActionResult({"Command": command})

    def list_command_invocations(self) -> ActionResult:
        command, instance = self._get_param("CommandId"), self._get_param("InstanceId")
        found = [
            each if self._get_bool_param("Details") else {**each, "CommandPlugins": []}
            for each in reversed(self._history())
            if command in (None, each["CommandId"]) and instance in (None, each["InstanceId"])
        ]
        return ActionResult({"CommandInvocations": found})

    def describe_instance_information(self) -> ActionResult:
        wanted = {each["Key"]: each["Values"] for each in self._get_param("Filters", [])}.get("InstanceIds")
        found = [
            {
                "InstanceId": instance,
                "PingStatus": "Online",
                "PlatformType": "Linux",
                "PlatformName": "Amazon Linux",
                "ResourceType": "EC2Instance",
            }
            for instance in self._running()
            if wanted is None or instance in wanted
        ]
        return ActionResult({"InstanceInformationList": found})

    def get_inventory(self) -> ActionResult:
        entities = [
            {"Id": instance, "Data": {SERVICES: {"TypeName": SERVICES, "SchemaVersion": "1.0", "Content": [service]}}}
            for instance in self._running()
            for service in [{"Name": "kubelet", "State": "inactive" if self._machine(instance).stopped else "active"}]
        ]
        return ActionResult({"Entities": entities})

    def _running(self) -> list[str]:
        """The running instances; those that are not have forgotten what their kubelet was told."""
        found = []
        for instance in ec2_backends[ACCOUNT][self.region].all_instances():
            if instance.state == _RUNNING:
                found.append(instance.id)
            else:
                self._machines().pop(instance.id, None)
        return found

    def _machine(self, instance: str) -> Machine:
        if instance not in self._running():
            raise _invalid(instance)
        return self._machines().setdefault(instance, Machine()).at(self.clock.monotonic())

    def _machines(self) -> dict[str, Machine]:
        kept: dict[str, Machine] = self._kept("machines", {})
        return kept

    def _history(self) -> list[dict[str, Any]]:
        kept: list[dict[str, Any]] = self._kept("invocations", [])
        return kept

    def _kept(self, name: str, empty: Any) -> Any:
        """What is kept with moto's backend of this region, and so forgotten with it."""
        return vars(self.ssm_backend).setdefault(f"blackstart_{name}", empty)


def _ended(instance: str, code: int, said: str) -> dict[str, Any]:
    status = "Failed" if code else "Success"
    plugin = {"Name": "aws:runShellScript", "Status": status, "ResponseCode": code, "Output": said}
    return {"InstanceId": instance, "Status": status, "StatusDetails": status, "CommandPlugins": [plugin]}


def _invalid(instance: str) -> Exception:
    return JsonRESTError("InvalidInstanceId", f"Instances [[{instance}]] not in a valid state for account {ACCOUNT}")


def install() -> None:
    """Make moto answer with these; before its first call."""
    paths: Any = ssm_urls
    paths.url_paths = dict.fromkeys(paths.url_paths, Commands.dispatch)

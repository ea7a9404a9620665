"""Whether instances run or are stopped: read and written for many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from blackstart.access import Aws, Need, arn, everything
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen, Unsettled, Wanted
from blackstart.changes.instance_states import by_id
from blackstart.changes.model import Change
from blackstart.errors import TargetChanged

POWER, RUNNING, STOPPED, TERMINATED = "power", "running", "stopped", "terminated"
STATES = {"running": RUNNING, "stopped": STOPPED, "terminated": TERMINATED, "shutting-down": TERMINATED}
IDS = 500
LOST = frozenset({"IncorrectInstanceState", "InvalidInstanceID.NotFound"})
"""Errors that one instance among many is enough for; then EC2 has done nothing to the others either."""


class InstancePower(CompareAndRestore):
    """Whether an instance runs or is stopped."""

    name: ClassVar[str] = "ec2.instance_power"
    permissions: ClassVar[tuple[str, ...]] = ("ec2:DescribeInstances", "ec2:StopInstances", "ec2:StartInstances")
    batch_size: ClassVar[int] = IDS
    joined: ClassVar[bool] = True

    def needs(self, change: Change) -> Sequence[Need]:
        return instance_needs(self.permissions, change, "ec2:StopInstances", "ec2:StartInstances")

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        found = states(changes, clients)
        return {change.id: _seen(found.get(change.target.id)) for change in changes}

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        """One that is gone has no power either, and keeps nobody from taking it from the others."""
        try:
            super().apply(changes, clients)
        except TargetChanged:
            found = states(changes, clients)
            there = [change for change in changes if _state(found, change.target.id) != TERMINATED]
            if not there or len(there) == len(changes):
                raise
            super().apply(there, clients)

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        for power, operation in ((STOPPED, "stop_instances"), (RUNNING, "start_instances")):
            on_all([item.change for item in wanted if item.fields[POWER] == power], operation, clients)


def on_all(changes: Sequence[Change], operation: str, clients: Clients) -> None:
    """Call ``operation`` on the instances of ``changes``, without those that are gone."""
    from botocore.exceptions import ClientError

    for region in sorted({change.target.region for change in changes}):
        ids = [change.target.id for change in changes if change.target.region == region]
        call = getattr(clients.aws("ec2", region), operation)
        try:
            call(InstanceIds=ids)
        except ClientError as error:
            if error.response["Error"]["Code"] not in LOST:
                raise
            found = _found(clients, region, ids)
            left = [instance for instance in ids if _state(found, instance) != TERMINATED]
            if len(left) == len(ids):
                raise
            if left:
                call(InstanceIds=left)


def instance_needs(permissions: Sequence[str], change: Change, *of_the_instance: str) -> Sequence[Need]:
    """``permissions``, those ``of_the_instance`` on it alone."""
    instance = arn("ec2", change.target.region, change.target.account, f"instance/{change.target.id}")
    return everything(permissions, change.target.region, [Aws(name, (instance,)) for name in of_the_instance])


def states(changes: Sequence[Change], clients: Clients) -> dict[str, str]:
    """EC2's word for the state of each change's instance, by instance id; unknown instances are left out."""
    found: dict[str, str] = {}
    for region in {change.target.region for change in changes}:
        found |= _found(clients, region, [change.target.id for change in changes if change.target.region == region])
    return found


def gone(changes: Sequence[Change], clients: Clients) -> set[str]:
    """The ids of those instances that are terminated, or on their way there, or long forgotten."""
    found = states(changes, clients)
    return {change.target.id for change in changes if _state(found, change.target.id) == TERMINATED}


def _found(clients: Clients, region: str, ids: Sequence[str]) -> dict[str, str]:
    return {item["InstanceId"]: item["State"]["Name"] for item in by_id(clients, region, ids)}


def _state(found: Mapping[str, str], instance: str) -> str:
    return STATES.get(found.get(instance, TERMINATED), "")


def _seen(state: str | None) -> Seen:
    if state is None:
        return None
    return {POWER: STATES[state]} if state in STATES else Unsettled(state)

"""Keeping a zone without power: instances that run there again, or anew, lose it as soon as they are seen."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from blackstart.access import Need, everything
from blackstart.changes.auto_scaling_zone import Group
from blackstart.changes.clients import Clients
from blackstart.changes.instances import find_instances, plan_power_off
from blackstart.changes.model import Change
from blackstart.changes.network import Vpc

LOOK_SECONDS = 3.0


@dataclass(frozen=True)
class InstanceKeeper:
    """A ``keeping.Keeper`` for ``zone`` of ``vpc``. ``groups``: as they were before the drill.

    It looks every ``look_seconds``. An instance counts as its zone, so none counts twice.
    """

    clients: Clients
    vpc: Vpc
    zone: str
    groups: Sequence[Group]
    look_seconds: float = LOOK_SECONDS

    def needs(self) -> Sequence[Need]:
        """The permissions that looking takes, beside those of its changes. Pure."""
        return everything(("ec2:DescribeInstances",), self.vpc.region)

    def rounds(self, ended: threading.Event) -> Iterator[Sequence[Change]]:
        while not ended.wait(self.look_seconds):
            found = find_instances(self.clients, self.vpc, [self.zone])
            if found:
                yield plan_power_off(found, self.vpc, self.groups, step=0)

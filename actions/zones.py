"""Losing an availability zone."""

from typing import Any, Dict

from blackstart import drill as drills
from blackstart.changes.auto_scaling_zone import find_groups, plan_zones_away
from blackstart.changes.clients import Clients
from blackstart.changes.instances import find_instances, plan_power_off
from blackstart.changes.model import Change
from blackstart.changes.network import Vpc, find_vpc
from blackstart.changes.network_acl import find_acls, plan_black_hole
from blackstart.errors import ConfigInvalid

__all__ = ["fail_zone"]

LIMIT_SECONDS = 600.0


def fail_zone(
    zone: str,
    vpc: str,
    by: str = "network",
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Take one zone ("us-east-1b") of a VPC (id or Name tag) away.

    ``by`` "network": all its subnets get a network ACL that allows nothing, so connections hang. ``by`` "power": its
    instances stop, and its Auto Scaling groups neither replace them nor launch there. The reverter ends the fault
    after ``duration_seconds`` if the drill has not. Gives the ``changes`` that were made.
    """
    subject = f"failing zone {zone}"
    drill = drills.opened(configuration, subject)
    clients = drill.clients
    found = find_vpc(clients, zone.rstrip("abcdefghijklmnopqrstuvwxyz"), vpc)
    changes = _planned(by, clients, found, zone)
    nothing = f"{found.id} has nothing in {zone} to take away; its zones are {', '.join(found.zones) or 'none'}"
    drill.inject(changes, subject, duration_seconds=duration_seconds, nothing=nothing)
    return {"changes": [change.summary for change in changes]}


def _planned(by: str, clients: Clients, vpc: Vpc, zone: str) -> list[Change]:
    if by == "network":
        return plan_black_hole(vpc, [zone], find_acls(clients, vpc))
    if by == "power":
        groups = find_groups(clients, vpc)
        instances = find_instances(clients, vpc, [zone])
        if not instances:
            return []
        return [*plan_zones_away(groups, vpc, [zone]), *plan_power_off(instances, vpc, groups)]
    raise ConfigInvalid("fail_zone", "by", f"{by!r} is not a way to lose a zone; there are network and power")

"""Losing a whole region."""

from typing import Any, Dict

from blackstart import drill as drills
from blackstart.changes.network import find_vpc
from blackstart.changes.network_acl import find_acls, plan_black_hole
from blackstart.changes.region import plan_region_faults

__all__ = ["lose_region"]

LIMIT_SECONDS = 600.0


def lose_region(
    region: str,
    vpc: str,
    also: str = "",
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Cut every zone of a VPC (id or Name tag) in ``region`` off from the network, as one fault.

    ``also`` names change kinds (with commas between) that take more of the region away, one after the other once the
    network is gone; undo goes backwards. The scope has to say ``whole_region = true``. The reverter ends the fault
    after ``duration_seconds`` if the drill has not. Gives the ``changes`` that were made.
    """
    subject = f"losing region {region}"
    drill = drills.opened(configuration, subject)
    found = find_vpc(drill.clients, region, vpc)
    changes = plan_black_hole(found, found.zones, find_acls(drill.clients, found))
    if changes:
        names = [name.strip() for name in also.split(",") if name.strip()]
        last = max(change.step for change in changes)
        changes += plan_region_faults(drill.kinds, names, region, drill.clients, last + 1)
    nothing = f"{found.id} has no subnets"
    drill.inject(changes, subject, duration_seconds=duration_seconds, nothing=nothing, region_drill=True)
    return {"changes": [change.summary for change in changes]}

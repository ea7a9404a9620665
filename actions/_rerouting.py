"""Whether the service's name has moved, and whether it can be moved at all."""

from collections.abc import Callable

from blackstart.changes.region import CONTROL_PLANE, is_loss
from blackstart.drill import OpenDrill, RunningDrill
from blackstart.errors import Refused
from blackstart.observer import analysis, events

ROUTE53_REGION = "us-east-1"


def refuse_without_route53(drill: OpenDrill, subject: str) -> None:
    """Refused once the drill has lost the region that Route 53's control plane is in."""
    if not isinstance(drill, RunningDrill):
        return
    faults = {entry.fault.subject for entry in drill.gate.reach.log.entries(drill.id) if entry.open}
    losses = [each for each in faults if is_loss(each, ROUTE53_REGION)]
    if any(each == f"losing region {ROUTE53_REGION}" or CONTROL_PLANE in each for each in losses):
        raise Refused(
            subject,
            f"records are changed by Route 53's control plane, which is in {ROUTE53_REGION} and lost with it; "
            "wait for the health check, or use routing controls",
        )


def moved(drill: OpenDrill) -> Callable[[], bool]:
    """Says whether the observer has been given other addresses since the fault."""

    def look() -> bool:
        if not isinstance(drill, RunningDrill):
            return False
        fault = events.fault_at(drill.journal)
        return fault is not None and analysis.dns_failover(events.read(drill.journal), fault) is not None

    return look

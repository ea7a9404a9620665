"""Moving traffic away by what decides where it goes."""

from typing import Any, Dict

from blackstart import drill as drills
from blackstart.changes.health_check import find_health_check, plan_inversion

__all__ = ["fail_health_check"]

LIMIT_SECONDS = 600.0


def fail_health_check(
    health_check: str,
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Invert a Route 53 health check (by id), so that DNS turns away from what it watches.

    Gives the ``changes`` that were made.
    """
    subject = f"failing health check {health_check}"
    drill = drills.opened(configuration, subject)
    changes = plan_inversion(find_health_check(drill.clients, health_check))
    drill.inject(changes, subject, duration_seconds=duration_seconds)
    return {"changes": [change.summary for change in changes]}

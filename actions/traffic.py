"""Moving traffic by what decides where it goes: health checks, records of Route 53, routing controls of ARC."""

from collections.abc import Sequence
from typing import Any, Dict

from blackstart import drill as drills
from blackstart.changes.health_check import check_of, find_health_check, plan_inversion, plan_pretence
from blackstart.changes.model import Change
from blackstart.changes.record_set import find_records, plan_repoint, plan_weights
from blackstart.changes.routing_control import find_routing_controls, plan_routing
from blackstart.errors import ConfigInvalid, Refused

__all__ = ["fail_health_check", "pretend_healthy", "repoint_record", "shift_weights", "switch_routing"]

LIMIT_SECONDS = 600.0


def fail_health_check(
    health_check: str = "",
    zone: str = "",
    name: str = "",
    record: str = "",
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Invert a Route 53 health check, so that DNS turns away from what it watches.

    It is given by its id, or as the one that ``name`` in a hosted zone (id or name) goes by: that of the record with
    the set identifier ``record``, or of its primary one. Gives the ``changes`` that were made.
    """
    subject = f"failing health check {health_check or f'of {name}'}"
    drill = drills.opened(configuration, subject)
    found = find_health_check(drill.clients, _check(drill, health_check, zone, name, record))
    return _inject(drill, plan_inversion(found), subject, duration_seconds)


def pretend_healthy(
    health_check: str = "",
    zone: str = "",
    name: str = "",
    record: str = "",
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Have a Route 53 health check stuck healthy: it is disabled, and then DNS takes it for healthy whatever happens.
    By itself nobody notices; a failure of what it watches then goes without fail-over.

    It is given as for `fail_health_check`. Gives the ``changes`` that were made.
    """
    subject = f"pretending health check {health_check or f'of {name}'} healthy"
    drill = drills.opened(configuration, subject)
    found = find_health_check(drill.clients, _check(drill, health_check, zone, name, record), "pretending healthy")
    return _inject(drill, plan_pretence(found), subject, duration_seconds)


def shift_weights(
    zone: str,
    name: str,
    weights: Dict[str, int],
    record_type: str = "A",
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Give weighted records of ``name`` in a hosted zone (id or name) other ``weights`` (0–255, by set identifier).

    Those not named keep theirs. Not all may be 0: Route 53 would answer with all of them. Gives the ``changes``.
    """
    subject = f"shifting weights of {name}"
    drill = drills.opened(configuration, subject)
    if not weights:
        raise ConfigInvalid("shift_weights", "weights", "no record is given a weight")
    found = find_records(drill.clients, zone, name, record_type)
    nothing = f"{name} has these weights already"
    return _inject(drill, plan_weights(found, weights), subject, duration_seconds, nothing)


def repoint_record(
    zone: str,
    name: str,
    to: str,
    record: str = "",
    record_type: str = "A",
    alias_zone: str = "",
    health_check: str = "",
    without_health_check: bool = False,
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Have a record of ``name`` in a hosted zone (id or name) answer with ``to``: values with commas between; of an
    alias the name that it stands for, in hosted zone ``alias_zone`` (id; "" the same as now).

    ``record`` is its set identifier, needed where there are several: failover, geolocation, weighted. It keeps its
    health check, unless it gets another one (``health_check``, id) or none. Gives the ``changes`` that were made.
    """
    subject = f"repointing {name}"
    drill = drills.opened(configuration, subject)
    if health_check and without_health_check:
        raise ConfigInvalid("repoint_record", "health_check", "either one is given, or none is wanted")
    values = [each.strip() for each in to.split(",") if each.strip()]
    found = find_records(drill.clients, zone, name, record_type)
    check = "" if without_health_check else health_check or None
    changes = plan_repoint(found, values, record=record, health_check=check, alias_zone=alias_zone)
    return _inject(drill, changes, subject, duration_seconds)


def switch_routing(
    cluster: str,
    on: str,
    off: str,
    lost: str = "",
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Switch routing control ``on`` of an ARC cluster On and ``off`` Off at once; all by name or ARN, "" is none.

    Works while control planes are lost, Route 53's too; endpoints of the cluster in the region ``lost`` are asked last.
    Safety rules are kept. Gives the ``changes`` that were made.
    """
    subject = f"switching routing controls of {cluster}"
    drill = drills.opened(configuration, subject)
    if not on and not off:
        raise Refused(subject, "none is named that could be switched")
    changes = plan_routing(find_routing_controls(drill.clients, cluster, lost), on, off)
    return _inject(drill, changes, subject, duration_seconds, "they are switched so already")


def _check(drill: drills.OpenDrill, health_check: str, zone: str, name: str, record: str) -> str:
    """The id of a health check."""
    if bool(health_check) == bool(zone and name):
        raise ConfigInvalid("the action", "health_check", "give its id, or else a hosted zone and a name")
    return health_check or check_of(find_records(drill.clients, zone, name), record)


def _inject(
    drill: drills.OpenDrill, changes: Sequence[Change], subject: str, seconds: float, nothing: str = ""
) -> Dict[str, Any]:
    drill.inject(changes, subject, duration_seconds=seconds, nothing=nothing)
    return {"changes": [change.summary for change in changes]}

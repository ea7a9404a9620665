"""Losing a whole region, or parts of it, and coming back to it."""

from collections.abc import Sequence
from typing import Any, Dict

from blackstart import drill as drills
from blackstart.changes.clients import Clients
from blackstart.changes.global_cache import find_global_cache
from blackstart.changes.global_database import find_global_database
from blackstart.changes.health_check import find_health_check
from blackstart.changes.log import Entry
from blackstart.changes.network import find_vpc
from blackstart.changes.network_acl import find_acls
from blackstart.changes.region import Loss, Pledged, check_parts, is_loss, plan_region_loss
from blackstart.errors import BlackstartError, ConfigInvalid, NotMeasured, Refused, ServiceUnreachable
from blackstart.journals import watching
from blackstart.observer.waiting import Watched

__all__ = ["fail_back", "lose_region"]

LIMIT_SECONDS = 600.0
FAIL_BACK_SECONDS = 300.0
MOVERS = ("rds.", "elasticache.", "route53.", "arc.")
"""How the names of the kinds begin that decide where users are served."""


def lose_region(
    region: str,
    vpc: str,
    also: str = "",
    parts: str = "",
    standby_region: str = "",
    global_cluster: str = "",
    global_datastore: str = "",
    data_subnets: str = "",
    health_check: str = "",
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Lose ``region``: all subnets of a VPC (id or Name tag) are cut off from the network, its data stores and its
    control plane are gone, as far as there is a way to do that here; as one fault with one undo.

    ``parts`` (with commas between, of traffic, network, data and control-plane) loses these alone. ``also`` names
    change kinds that take more of the region away. ``data_subnets`` (ids, or tags as key=value) are those of the data
    stores, for losing data without the network. ``health_check`` (id) is inverted, to lose traffic.

    With ``global_cluster`` and ``global_datastore`` undo also brings their writers home, once the region is whole, if
    the platform has moved them to ``standby_region``: refused if they are not replicating there. The scope has to say
    ``whole_region = true``. The reverter ends the fault after ``duration_seconds`` if the drill has not. Gives the
    ``changes`` that were made.
    """
    named = _names(parts)
    check_parts(named)
    drill = drills.opened(configuration, f"losing region {region}")
    clients = drill.clients
    place = find_vpc(clients, region, vpc)
    check = find_health_check(clients, health_check) if health_check else None
    loss = Loss(place, find_acls(clients, place), named, _names(data_subnets), check, _names(also))
    pledged = _pledged(clients, standby_region, global_cluster, global_datastore)
    changes = plan_region_loss(loss, pledged, drill.kinds, clients)
    nothing = f"{place.id} has no subnets"
    drill.inject(changes, loss.subject, duration_seconds=duration_seconds, nothing=nothing, region_drill=True)
    return {"changes": [change.summary for change in changes]}


def _pledged(clients: Clients, standby: str, database: str, cache: str) -> Pledged:
    """Asked of the region that survives, as undo will be."""
    if (database or cache) and not standby:
        raise ConfigInvalid("lose_region", "standby_region", "who is to bring writers home has to know from where")
    return Pledged(
        standby,
        find_global_database(clients, standby, database) if database else None,
        find_global_cache(clients, standby, cache) if cache else None,
    )


def _names(listed: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in listed.split(",") if name.strip())


def fail_back(
    region: str,
    limit_seconds: float = FAIL_BACK_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Come back to ``region``, which this drill has lost: the second half of a region drill.

    First the region itself is undone: control plane, data stores, network, traffic, and then the writers that were
    pledged come home. Then what operators moved after the loss: database, cache, DNS, in the order in which they did
    it. Only once home alone serves users again is the standby's capacity given back, and at last what was prepared
    before the loss. Waits until all is verified; each of these may take ``limit_seconds``. Refused if this drill has
    not lost the region. Raises UndoIncomplete or ServiceUnreachable if something is left; rollbacks and the reverter
    then go on trying. Gives ``restored`` and ``verified`` (change ids).
    """
    subject = f"failing back to region {region}"
    drill = drills.of(configuration, subject)
    entries = [entry for entry in drill.gate.reach.log.entries(drill.id) if entry.open]
    moving, rest = _homeward(entries, region, subject)
    drill.note("failback", state="began", region=region)
    try:
        reports = drills.undo_faults(drill, moving, limit_seconds)
        _await_home(drill, region, limit_seconds)
        reports += drills.undo_faults(drill, rest, limit_seconds)
    except BlackstartError as error:
        drill.note("failback", state="unfinished", region=region, reason=str(error))
        raise
    drill.note("failback", state="ended", region=region)
    return {
        "restored": [change for report in reports for change in report.restored],
        "verified": [change for report in reports for change in report.verified],
    }


def _homeward(entries: Sequence[Entry], region: str, subject: str) -> tuple[list[int], list[int]]:
    """The numbers of the faults, in the order in which they are to be undone: what moves users home, and the rest."""
    every = sorted({entry.number for entry in entries})
    lost = sorted({entry.number for entry in entries if is_loss(entry.fault.subject, region)}, reverse=True)
    if not lost:
        raise Refused(subject, "this drill has not lost it, or has put it back already")
    movers = {entry.number for entry in entries if entry.change.kind.startswith(MOVERS)}
    later = [number for number in every if number > lost[-1] and number not in lost]
    first = [number for number in later if number in movers]
    before = [number for number in every if number < lost[-1]]
    return [*lost, *first], [*(number for number in later if number not in movers), *reversed(before)]


def _await_home(drill: drills.RunningDrill, region: str, limit_seconds: float) -> None:
    """Return once ``region`` alone serves users, for good; ServiceUnreachable if it does not within the limit."""
    if drill.observer is None or region != drill.settings.service.home_region:
        return
    try:
        _, found, _ = watching.wait(Watched(drill.journal, drill.clock), limit_seconds)
    except NotMeasured:  # they had not moved, or nobody watches them
        return
    if found.edge is None:
        where = f"users of {drill.settings.service.name}"
        raise ServiceUnreachable(f"see users home in {region}", where, f"are not: {found.gap}")

"""Shifting traffic away from a zone with ARC, as people do when a zone fails: load balancers, Auto Scaling groups, EKS.

A shift ends by itself after the time that it was given, should nobody live to cancel it. Its id is not known before it
is made, so it carries the change's id in its comment and is found by that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from blackstart.access import Aws, Need
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen, Unsettled, Wanted
from blackstart.changes.model import ZONE, Change, Share, new_id
from blackstart.changes.network import Vpc
from blackstart.changes.shiftable import Resource, under_way
from blackstart.errors import NotYet, Refused, TargetChanged
from blackstart.scope import Target

AWAY_FROM, EXPIRES_IN, SHIFTS = "away from", "expires in", "shifts"
LONGEST_MINUTES = 72 * 60
READ, START = "arc-zonal-shift:GetManagedResource", "arc-zonal-shift:StartZonalShift"
CANCEL = "arc-zonal-shift:CancelZonalShift"
REASONS = {
    "ZonalAutoshiftActive": "AWS itself is shifting its traffic away from a zone (autoshift)",
    "SimultaneousZonalShiftsConflict": "another shift of it, such as a practice run, is under way",
    "AutoShiftEnabled": "zonal autoshift is enabled for it",
}


def plan_shift(
    resources: Sequence[Resource],
    vpc: Vpc,
    zone: str,
    duration_seconds: float,
    new_change: Callable[[], str] = new_id,
) -> list[Change]:
    """Traffic of ``resources`` away from ``zone`` (a name) for at least ``duration_seconds``. Pure.

    Refused if one of them is not opted in, or is being shifted already.
    """
    ids = {subnet.zone_id for subnet in vpc.subnets if subnet.zone == zone and subnet.zone_id}
    minutes = max(1, math.ceil(duration_seconds / 60))
    if not ids or not resources:
        return []
    (zone_id,) = ids
    subject = f"shifting traffic away from {zone}"
    if minutes > LONGEST_MINUTES:
        raise Refused(subject, f"a zonal shift lasts 72 hours at most, and {minutes} minutes are asked for")
    for resource in resources:
        _fit(resource, zone, zone_id, subject)
    return [_shifted(resource, vpc, (zone, zone_id), minutes, new_change()) for resource in resources]


def _fit(resource: Resource, zone: str, zone_id: str, subject: str) -> None:
    if resource.weights is None:
        raise Refused(subject, f"{resource.noun} {resource.name} is not opted in to zonal shifts; {resource.opt_in}")
    if resource.under_way:
        raise Refused(subject, f"{resource.noun} {resource.name} is shifted already: {resource.under_way}")
    if zone_id not in resource.weights:
        zones = ", ".join(sorted(resource.weights)) or "none"
        raise Refused(subject, f"{resource.noun} {resource.name} is not in {zone} ({zone_id}); its zones are {zones}")


def _shifted(resource: Resource, vpc: Vpc, place: tuple[str, str], minutes: int, change_id: str) -> Change:
    zone, zone_id = place
    tags = dict(resource.tags)
    return Change(
        id=change_id,
        kind=ZonalShift.name,
        target=Target(resource.noun, resource.arn, account=vpc.account, region=vpc.region, zone=zone, tags=tags),
        before={AWAY_FROM: "", EXPIRES_IN: f"{minutes}m"},
        after={AWAY_FROM: zone_id, EXPIRES_IN: f"{minutes}m"},
        summary=f"{resource.noun} {resource.name}: traffic shifted away from {zone} ({zone_id}) for {minutes} min",
        undo_summary=f"cancelling the zonal shift, which would end by itself after {minutes} min",
        calls=(START,),
        share=Share(ZONE, vpc.region, (zone,), len(vpc.zones)),
    )


class ZonalShift(CompareAndRestore):
    """The zone (by id) that traffic of one resource is shifted away from by us; "" while nobody shifts it."""

    name: ClassVar[str] = "arc.zonal_shift"
    permissions: ClassVar[tuple[str, ...]] = (READ, START, CANCEL)

    def needs(self, change: Change) -> Sequence[Need]:
        return [Aws(name, (change.target.id,)) for name in self.permissions]

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        found: dict[str, Seen] = {}
        for change in changes:
            arc = clients.aws("arc-zonal-shift", change.target.region)
            try:
                answer = arc.get_managed_resource(resourceIdentifier=change.target.id)
            except arc.exceptions.ResourceNotFoundException:
                found[change.id] = None
                continue
            found[change.id] = _state(answer, change)
        return found

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        for item in wanted:
            arc = clients.aws("arc-zonal-shift", item.change.target.region)
            if item.fields[AWAY_FROM]:
                _start(arc, item.change)
            else:
                for shift in item.seen[SHIFTS]:
                    _cancel(arc, shift)


def _state(answer: Mapping[str, Any], change: Change) -> Seen:
    """A resource that nobody shifts, but that a zone has no weight in yet, is still on its way."""
    context = {EXPIRES_IN: change.before[EXPIRES_IN]}
    ours = [shift for shift in answer["zonalShifts"] if change.id in shift["comment"]]
    if ours:
        return {AWAY_FROM: ours[0]["awayFrom"], SHIFTS: [shift["zonalShiftId"] for shift in ours], **context}
    others = under_way(answer)
    if not others and min(answer["appliedWeights"].values(), default=1.0) < 1.0:
        return Unsettled("without its full weight in some zone")
    return {AWAY_FROM: others, SHIFTS: [], **context}


def _start(arc: Any, change: Change) -> None:
    try:
        arc.start_zonal_shift(
            resourceIdentifier=change.target.id,
            awayFrom=change.after[AWAY_FROM],
            expiresIn=change.after[EXPIRES_IN],
            comment=f"blackstart {change.id}",
        )
    except arc.exceptions.ConflictException as error:
        reason = str(error.response.get("reason", ""))
        if reason == "ZonalShiftAlreadyExists":
            # Somebody else's, or our own call that got through before and was made again: look first.
            raise NotYet(str(change.target), "shifted, which was not seen") from error
        raise TargetChanged(str(change.target), REASONS.get(reason, reason or str(error))) from error


def _cancel(arc: Any, shift: str) -> None:
    try:
        arc.cancel_zonal_shift(zonalShiftId=shift)
    except arc.exceptions.ResourceNotFoundException:
        return
    except arc.exceptions.ConflictException as error:
        if error.response.get("reason") != "ZonalShiftStatusNotActive":  # it has expired meanwhile
            raise

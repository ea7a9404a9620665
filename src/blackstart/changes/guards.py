"""Whether changes may happen at all: a ladder of guards, asked one after the other. One that cannot answer says no.

The gate asks all of it before it records anything; the plan asks the same ladder and shows every rung. Locks and the
kill switch are not here: only the undo log can tell, in the same breath in which it records the changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from blackstart.changes import identity
from blackstart.changes.conditions import conditions
from blackstart.changes.model import ZONE, Change, Share
from blackstart.changes.reach import Reach
from blackstart.errors import BlackstartError
from blackstart.scope import Scope, frozen, objection, out_of_hours

GLOBAL = ("route53.", "cloudfront.", "arc.routing_control")
"""Kinds whose names begin so are in no region."""

EMPTIES = ".emptied"
"""Kinds whose names end so empty a cache; their ``before["keys"]`` says of how many keys."""

ROUNDING = 1e-9
"""A third of three is one, whatever floating point says."""


@dataclass(frozen=True)
class Request:
    """What a fault would change. ``held``: what the drill has in place already, because shares add up.

    ``nothing`` is what to say if there are no ``changes``. ``region_drill``: the fault is meant to lose all zones of
    a region.
    """

    scope: Scope
    changes: Sequence[Change]
    held: Sequence[Change]
    reach: Reach
    nothing: str = ""
    region_drill: bool = False


Guard = Callable[[Request], str | None]
"""Why the request is refused, as the end of a sentence; None if this guard has no objection."""


@dataclass(frozen=True)
class Finding:
    """What one guard said: ``objection`` is the end of a sentence, None if it has none. ``guard``: what it looks at."""

    guard: str
    objection: str | None


def ask(request: Request) -> Iterator[Finding]:
    """Ask each guard in turn, as long as the caller goes on. An error is an objection."""
    for name, guard in _ladder():
        try:
            yield Finding(name, guard(request))
        except BlackstartError as error:
            yield Finding(name, f"the {name} cannot be checked ({error})")


def refusal(request: Request) -> str | None:
    """The first objection; None if there is none."""
    return next((found.objection for found in ask(request) if found.objection), None)


def _ladder() -> tuple[tuple[str, Guard], ...]:
    return (
        ("targets", _targets),
        ("identity", _identity),
        ("scope", _scope),
        ("shares", _shares),
        ("disruption budgets", _budgets),
        ("cold caches", _cold_caches),
        ("undo log", _undo_log),
        ("windows", _windows),
        ("freezes", _freezes),
        ("stop conditions", _stop_conditions),
    )


def _targets(request: Request) -> str | None:
    if request.changes:
        return None
    return request.nothing or "nothing matches, so there is nothing to change"


def _identity(request: Request) -> str | None:
    return identity.objection(request.scope, request.changes, request.reach.clients)


def _scope(request: Request) -> str | None:
    return _first(request, lambda change: objection(request.scope, change.target) or _region_unknown(change))


def _region_unknown(change: Change) -> str | None:
    """Without a region, an AWS client falls back on the one of its environment."""
    if change.target.region or change.kind.startswith((*identity.KUBERNETES, *GLOBAL)):
        return None
    return f"{change.target} names no region, so the scope cannot tell whether it is inside"


def _shares(request: Request) -> str | None:
    return _first(request, _share_unknown) or _over_share(request)


def _share_unknown(change: Change) -> str | None:
    target, share = change.target, change.share
    if share is None:
        if target.zone or target.namespace:
            return f"{target} does not say which share of what it is, so the limit cannot be checked"
    elif share.total <= 0 or not share.members:
        return f"how many {share.unit}s {share.of} has is not known, so the limit cannot be checked"
    elif share.unit == ZONE and target.zone and target.zone not in share.members:
        return f"{target} is in {target.zone}, which its share does not count, so the limit cannot be checked"
    return None


def _over_share(request: Request) -> str | None:
    """What is held counts, but only where the request adds to it."""
    added = {(change.share.unit, change.share.of) for change in request.changes if change.share}
    wholes: dict[tuple[str, str], list[Share]] = {whole: [] for whole in sorted(added)}
    for share in (change.share for change in (*_held(request), *request.changes)):
        if share and (share.unit, share.of) in wholes:
            wholes[share.unit, share.of].append(share)
    for (unit, of), same in wholes.items():
        taken = len({member for share in same for member in share.members})
        total = min(share.total for share in same)
        reason = _zones(request, taken, total) if unit == ZONE else None
        if unit != ZONE or not (request.region_drill and request.scope.whole_region):
            reason = reason or _limit(request.scope, unit, taken, total)
        if reason:
            part = f"{taken} of" if taken < total else "all"
            return f"this would take {part} {total} {unit}s of {of} at once, {reason}"
    return None


def _held(request: Request) -> Sequence[Change]:
    """Where drills share regions, what the others hold counts, too; elsewhere, locks keep them apart."""
    if not request.scope.share_regions:
        return request.held
    log = request.reach.log
    return [entry.change for drill in log.drills() for entry in log.entries(drill.id) if entry.open] + [*request.held]


def _zones(request: Request, taken: int, total: int) -> str | None:
    if taken < total or (request.region_drill and request.scope.whole_region):
        return None
    if not request.region_drill:
        return "which only a region drill may (lose_region)"
    return "and the scope does not say whole_region = true"


def _limit(scope: Scope, unit: str, taken: int, total: int) -> str | None:
    """Zones have a limit only if the scope gives them one: all but one, otherwise."""
    limit = scope.shares.get(unit, 1.0 if unit == ZONE else scope.largest_share)
    if taken <= limit * total + ROUNDING:
        return None
    return f"and the scope's {f'share of {unit}s' if unit in scope.shares else 'largest_share'} is {limit:g}"


def _budgets(request: Request) -> str | None:
    if request.scope.past_budgets:
        return None
    past: dict[str, int] = {}
    for change in request.changes:
        if change.past_budget:
            past[change.past_budget] = past.get(change.past_budget, 0) + 1
    for budget, count in past.items():
        return f"{count} of the changes would go past {budget}, and the scope does not say past_budgets = true"
    return None


def _cold_caches(request: Request) -> str | None:
    return _first(request, lambda change: _cold(change, request.scope) if change.kind.endswith(EMPTIES) else None)


def _cold(change: Change, scope: Scope) -> str | None:
    if not scope.cold_caches:
        lost = f"{change.target} would be emptied, which nobody can put back"
        return f"{lost}, and the scope does not say cold_caches = true"
    keys = change.before.get("keys") if isinstance(change.before, Mapping) else None
    if not isinstance(keys, int) or isinstance(keys, bool) or keys <= 0:
        return f"how many keys {change.target} would lose is not known, so whether it is warm again could not be told"
    return None


def _undo_log(request: Request) -> str | None:
    kept = {"undo log": request.reach.log.region, "archive of journals": request.reach.archive_region}
    return next((said for what, region in kept.items() if region and (said := _in_reach(request, what, region))), None)


def _in_reach(request: Request, what: str, region: str) -> str | None:
    """What ``what`` in ``region`` would lose with the targets; None if it would outlive them."""

    def said(change: Change) -> str | None:
        if change.target.region == region:
            return f"{change.target} and the {what} are both in region {region}; keep the latter in another one"
        if not change.target.region and not change.kind.startswith(GLOBAL):
            return f"{change.target} names no region, so whether the {what} in {region} would outlive it cannot be told"
        return None

    return _first(request, said)


def _windows(request: Request) -> str | None:
    return out_of_hours(request.scope, request.reach.clock.now())


def _freezes(request: Request) -> str | None:
    return frozen(request.scope, request.reach.clock.now())


def _stop_conditions(request: Request) -> str | None:
    looks = (condition.look() for condition in conditions(request.scope.stop, request.reach.clients))
    return next((reason for reason in looks if reason), None)


def _first(request: Request, reason_of: Callable[[Change], str | None]) -> str | None:
    return next((reason for change in request.changes if (reason := reason_of(change))), None)

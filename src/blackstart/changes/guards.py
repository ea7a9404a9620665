"""Whether changes may happen at all. Pure; a guard that cannot tell says no.

The lock is not here: only the undo log can tell, in the same breath in which it records the changes.
"""

from __future__ import annotations

from collections.abc import Sequence

from blackstart.changes.model import ZONE, Change, Share
from blackstart.scope import Scope, objection


def refusal(scope: Scope, changes: Sequence[Change], held: Sequence[Change], nothing: str) -> str | None:
    """Why these changes may not happen, as the end of a sentence; None if they may.

    ``held``: what this drill has in place already, because shares add up. ``nothing``: what to say if there are none.
    """
    if not changes:
        return nothing or "nothing matches, so there is nothing to change"
    for change in changes:
        reason = objection(scope, change.target) or _share_unknown(change)
        if reason:
            return reason
    return _over_share(scope, [change.share for change in (*held, *changes) if change.share])


def _share_unknown(change: Change) -> str | None:
    if change.share is None:
        if change.target.zone or change.target.namespace:
            return f"{change.target} does not say which share of what it is, so the limit cannot be checked"
    elif change.share.total <= 0:
        return f"how many {change.share.unit}s {change.share.of} has is not known, so the limit cannot be checked"
    return None


def _over_share(scope: Scope, shares: Sequence[Share]) -> str | None:
    for unit, of in sorted({(share.unit, share.of) for share in shares}):
        same = [share for share in shares if (share.unit, share.of) == (unit, of)]
        members = {member for share in same for member in share.members}
        total = min(share.total for share in same)
        if unit == ZONE:
            if len(members) >= total and not scope.whole_region:
                return (
                    f"this would take all {total} zones of {of} at once, and the scope does not say whole_region = true"
                )
        elif len(members) / total > scope.largest_share:
            return (
                f"this would take {len(members)} of {total} {unit}s of {of} at once, "
                f"and the scope's largest_share is {scope.largest_share:g}"
            )
    return None

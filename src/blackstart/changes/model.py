"""A change, as data: everything its undo needs, in JSON."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from blackstart.scope import NOTHING, Target

Json = Any  # what json.dumps takes: dict, list, str, int, float, bool, None

TAG = "blackstart-change"
"""Tag or label whose value is a change's id, on everything that a change creates."""


class State(StrEnum):
    """How far a change got. ``conflict``: somebody else changed the target; reported, never overwritten."""

    PLANNED = "planned"
    APPLIED = "applied"
    UNDONE = "undone"
    VERIFIED = "verified"
    CONFLICT = "conflict"


ZONE = "zone"
"""The unit of a share of a region. Its limit is ``whole_region``, that of other units ``largest_share``."""


@dataclass(frozen=True)
class Share:
    """Which members of which whole a change takes away, for the scope's limits.

    ``of`` names the whole ("us-east-1", "pods of deployment orders"), ``total`` counts its members (0: not known).
    """

    unit: str
    of: str
    members: tuple[str, ...]
    total: int


TAKES_NOTHING = Share(NOTHING, "what is there", ("one more",), 10**9)
"""Such a change is no fault yet: no recovery counts from it."""


@dataclass(frozen=True)
class Change:
    """One reversible step on one target.

    ``id`` is unique over all drills, short, and fit for names, tags and tokens (``bs-`` and 12 hex digits).
    ``before`` and ``after`` are the state to restore and the state to make, in the kind's own terms.
    ``summary`` is for people: "subnet subnet-1a: network ACL acl-1 → deny all".
    ``undo_summary`` completes "undone by …"; ``calls`` are the API calls that apply makes, for the plan.
    ``step`` orders the changes of one fault: lower first, equal ones at the same time; undo goes backwards.
    ``share`` is needed of every target that is in a zone or a namespace.
    ``past_budget`` names the disruption budget that the change would go past, "" if it keeps to all.
    """

    id: str
    kind: str
    target: Target
    before: Json
    after: Json
    summary: str
    undo_summary: str
    calls: tuple[str, ...] = ()
    step: int = 0
    share: Share | None = None
    past_budget: str = ""

    def to_json(self) -> dict[str, Json]:
        share = None if self.share is None else vars(self.share)
        # dataclasses.asdict copies every value deeply, which is most of what the gate would cost
        return vars(self) | {"target": vars(self.target) | {"tags": dict(self.target.tags)}, "share": share}

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Change:
        fields = dict(data)
        fields["target"] = Target(**fields["target"])
        fields["calls"] = tuple(fields["calls"])
        if fields["share"] is not None:
            fields["share"] = Share(**{**fields["share"], "members": tuple(fields["share"]["members"])})
        return cls(**fields)


def new_id() -> str:
    """A change id that no other drill has: not from the drill's seed, which may be used again."""
    return f"bs-{secrets.token_hex(6)}"


def lock_name(target: Target) -> str:
    """What two drills must never hold at the same time, as one string."""
    return "/".join((target.kind, target.account, target.region, target.cluster, target.namespace, target.id))


def area_name(target: Target) -> str:
    """What two drills hold at the same time only if both share: the region, else the cluster; "" if it is in neither.

    Without the account, because a target in a cluster does not know it.
    """
    if target.region:
        return f"region {target.region}"
    return f"cluster {target.cluster}" if target.cluster else ""

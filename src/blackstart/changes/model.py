"""A change, as data: everything its undo needs, in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from blackstart.scope import Target

Json = Any  # what json.dumps takes: dict, list, str, int, float, bool, None


class State(StrEnum):
    """How far a change got. ``conflict``: somebody else changed the target; reported, never overwritten."""

    PLANNED = "planned"
    APPLIED = "applied"
    UNDONE = "undone"
    VERIFIED = "verified"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Change:
    """One reversible step on one target.

    ``id`` is unique over all drills, short, and fit for names, tags and tokens (``bs-`` and 12 hex digits).
    ``before`` and ``after`` are the state to restore and the state to make, in the kind's own terms.
    ``summary`` is for people: "subnet subnet-1a: network ACL acl-1 → deny all".
    ``undo_summary`` completes "undone by …"; ``calls`` are the API calls that apply makes, for the plan.
    """

    id: str
    kind: str
    target: Target
    before: Json
    after: Json
    summary: str
    undo_summary: str
    calls: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Change:
        fields = dict(data)
        fields["target"] = Target(**fields["target"])
        fields["calls"] = tuple(fields["calls"])
        return cls(**fields)

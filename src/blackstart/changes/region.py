"""An optional capability of a change kind: it can say what it would do to a whole region.

``actions.regions`` asks it of the kinds that an experiment names, so that what a region can lose differs by platform
and the action does not know where it runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from blackstart.changes.clients import Clients
from blackstart.changes.model import Change
from blackstart.changes.registry import Kinds
from blackstart.errors import ConfigInvalid


@runtime_checkable
class RegionFault(Protocol):
    """A kind that has a fault for a whole region."""

    def plan_region(self, region: str, clients: Clients, step: int) -> Sequence[Change]:
        """What it would change in ``region``, all in this step. Read-only; Refused or LabError if it cannot."""
        ...


def plan_region_faults(kinds: Kinds, names: Sequence[str], region: str, clients: Clients, step: int) -> list[Change]:
    """The changes of the kinds called ``names``, each a step after the one before, from ``step`` on. Read-only."""
    planned: list[Change] = []
    for offset, name in enumerate(names):
        kind = kinds.lookup(name)
        if not isinstance(kind, RegionFault):
            raise ConfigInvalid("also", name, "this change kind has no fault for a whole region")
        planned += kind.plan_region(region, clients, step + offset)
    return planned

"""Taking pods away, once or for as long as a fault lasts: by deletion, or by eviction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blackstart.changes.budgets import Budget
from blackstart.changes.clients import Clients
from blackstart.changes.model import Change
from blackstart.changes.pod_deletion import deletions, plan_deletion
from blackstart.changes.pod_eviction import PATIENCE_SECONDS, evictions, plan_eviction
from blackstart.changes.pod_keeper import PodKeeper
from blackstart.changes.pod_slots import Slots
from blackstart.changes.pods import Chosen, Pod, Pods, Where
from blackstart.clock import Clock
from blackstart.errors import ConfigInvalid

MODES = ("delete", "evict")


@dataclass(frozen=True)
class Removal:
    """How pods are taken away. ``mode``: "delete" or "evict"; the rest as in ``plan_deletion`` and ``plan_eviction``.

    ``budgets``: those of the pods' namespace.
    """

    mode: str = "delete"
    grace_seconds: int = 0
    patience_seconds: float = PATIENCE_SECONDS
    past_budgets: bool = False
    budgets: Sequence[Budget] = ()

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ConfigInvalid("pods", "mode", f"{self.mode!r} is not one of {', '.join(MODES)}")

    def plan(self, found: Pods, pods: Sequence[Pod]) -> list[Change]:
        """``pods`` taken away. Pure."""
        if self.mode == "delete":
            return plan_deletion(found, pods, self.grace_seconds, budgets=self.budgets)
        grace, patience, past = self.grace_seconds, self.patience_seconds, self.past_budgets
        return plan_eviction(found, pods, grace, patience, budgets=self.budgets, past_budgets=past)

    def again(self, found: Pods, chosen: Sequence[Chosen]) -> list[Change]:
        """Those that have come back taken away again. Pure."""
        if self.mode == "delete":
            return deletions(found, chosen, self.grace_seconds)
        return evictions(found, chosen, self.grace_seconds, self.patience_seconds, budgets=self.budgets)

    def keeper(
        self, clients: Clients, found: Pods, first: Sequence[Change], where: Where, clock: Clock, *, everything: bool
    ) -> PodKeeper:
        """What keeps the pods away that ``first`` took, and, if ``everything`` is meant, whatever else matches."""
        asked = self.mode == "evict" and not self.past_budgets
        slots = Slots(found, first, everything, () if asked else self.budgets)
        return PodKeeper(clients, slots, where, self.again, clock)

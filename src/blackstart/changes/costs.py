"""What a fault costs, by the price table of the configuration. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blackstart.changes.model import Change
from blackstart.settings import Prices

SECONDS_AN_HOUR = 3600.0


@dataclass(frozen=True)
class Cost:
    """``amount`` in ``currency`` for the kinds that have a price. ``unpriced``: kinds that have none, sorted.

    ``endless``: kinds with a price by the hour in a fault that has no limit, so that only one hour of it is counted.
    """

    currency: str
    amount: float
    unpriced: tuple[str, ...]
    endless: tuple[str, ...]


def cost(changes: Sequence[Change], duration_seconds: float | None, prices: Prices) -> Cost:
    """The most that ``changes`` cost if they stay for ``duration_seconds`` (None: without a limit)."""
    kinds = sorted({change.kind for change in changes})
    hours = 1.0 if duration_seconds is None else duration_seconds / SECONDS_AN_HOUR
    amount = sum(
        prices.once.get(change.kind, 0.0) + prices.per_hour.get(change.kind, 0.0) * hours for change in changes
    )
    return Cost(
        prices.currency,
        amount,
        tuple(kind for kind in kinds if kind not in prices.once and kind not in prices.per_hour),
        tuple(kind for kind in kinds if duration_seconds is None and kind in prices.per_hour),
    )

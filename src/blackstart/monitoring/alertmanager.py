"""Alertmanager's API, version 2: which alerts it holds now. It keeps no history. Read-only; blocks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from blackstart.monitoring.prometheus import matching
from blackstart.monitoring.web import Endpoint


@dataclass(frozen=True)
class Held:
    """One alert. ``told``: people are told, because it is neither silenced nor inhibited. ``since``: when it began."""

    name: str
    told: bool
    since: datetime


def alerts(endpoint: Endpoint, names: Collection[str]) -> list[Held]:
    """The alerts of these names that fire, an entry for each set of labels; ServiceUnreachable if it cannot tell."""
    wanted = "look at its alerts"
    found = endpoint.json("/api/v2/alerts", {"filter": matching(names)}, wanted)
    try:
        return [_held(each) for each in found]
    except (KeyError, TypeError, ValueError) as error:
        raise endpoint.problem(wanted, f"answered with no list of alerts ({error!r})") from error


def _held(alert: Any) -> Held:
    told = alert["status"]["state"] != "suppressed"
    return Held(str(alert["labels"]["alertname"]), told, datetime.fromisoformat(alert["startsAt"]))

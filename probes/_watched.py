"""The drill that a probe is asked in, from its journal: its samples, its fault, and what the fault changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from blackstart.clock import Clock, SystemClock
from blackstart.errors import ConfigInvalid, NotMeasured
from blackstart.observer.waiting import Watched

JOURNAL_KEY = "blackstart_journal"


@dataclass(frozen=True)
class Fault:
    """``at``: when it began, on the machine's monotonic clock in seconds; ``wall``: the same as wall time, in UTC.

    ``limit_seconds``: for how long after it something may be waited for. ``changes``: the ones that were applied, as
    they were planned.
    """

    at: float
    wall: datetime
    limit_seconds: float
    changes: Sequence[Mapping[str, Any]]


def watched(configuration: Mapping[str, Any] | None, clock: Clock | None = None) -> Watched:
    """What is known of the drill; NotMeasured without one."""
    folder = (configuration or {}).get(JOURNAL_KEY)
    if not folder:
        raise NotMeasured(
            "the service", "no drill is observed; does the experiment name the control blackstart.control?"
        )
    return Watched(Path(folder), clock or SystemClock())


def limit(drill: Watched, limit_seconds: float) -> float:
    """``limit_seconds``, or the drill's objective for the recovery time if that is 0; ConfigInvalid if it has none."""
    found = limit_seconds or drill.objective("rto_seconds")
    if not found:
        raise ConfigInvalid("the probe", "limit_seconds", "there is no objective rto_seconds, so give a limit")
    return found


def fault_of(configuration: Mapping[str, Any] | None, clock: Clock, limit_seconds: float) -> Fault:
    """The fault of the drill; NotMeasured when no change has been applied."""
    drill = watched(configuration, clock)
    since = drill.now() - drill.fault_at()
    return Fault(
        at=clock.monotonic() - since,
        wall=clock.now() - timedelta(seconds=since),
        limit_seconds=limit(drill, limit_seconds),
        changes=drill.applied(),
    )

"""Waiting until as many things are Ready as were before the fault."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from blackstart.clock import Clock
from blackstart.errors import NotMeasured, ServiceUnreachable
from blackstart.probes._watched import Fault

Ready = Sequence[datetime]
"""Since when each thing has been Ready, by the clock of the cluster, of those that are Ready."""

POLL_SECONDS = 0.25


async def back(
    look: Callable[[], Awaitable[Ready]],
    wanted: int,
    fault: Fault,
    settle_seconds: float,
    clock: Clock,
    *,
    stable_seconds: float = 0.0,
) -> float | None:
    """Seconds from the fault until ``wanted`` things were Ready again, looking until then; None if they were not
    within the fault's limit; 0.0 if there were enough all along, until ``settle_seconds`` after the fault.

    They count from when they were, but only if they then stay so for ``stable_seconds``.
    A look that the API does not answer is none; NotMeasured when the last one within the limit was none.
    """
    fallen, first = False, math.inf
    while True:
        problem = ""
        found: Ready = ()
        try:
            found = await look()
        except ServiceUnreachable as error:
            problem = str(error)
        since = clock.monotonic() - fault.at
        if len(found) >= wanted:
            first = min(first, since)
            seconds = first if fallen else _before_asked(found, wanted, fault, since)
            if since - first >= stable_seconds and (seconds > 0 or since >= settle_seconds):
                return seconds if seconds <= fault.limit_seconds else None
        elif not problem:
            fallen, first = True, math.inf
        if since >= max(fault.limit_seconds, 0.0 if fallen else settle_seconds) + stable_seconds:
            if problem:
                raise NotMeasured("when as many as before were ready again", problem)
            return None
        await clock.pause(POLL_SECONDS)


def _before_asked(found: Ready, wanted: int, fault: Fault, since: float) -> float:
    """When there were enough, of things that are Ready by now; 0.0 if so many have been since before the fault."""
    last = sorted(found)[wanted - 1]
    return min(max(0.0, (last - fault.wall).total_seconds()), since)

"""Time, as a parameter: the only module that reads a clock.

``now`` is wall time in UTC, for people. ``monotonic`` counts seconds since an arbitrary start that all
processes of one machine share, for durations and for lining up what several processes saw.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What code that needs time is given."""

    def now(self) -> datetime:
        """Wall time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since a start that all processes of this machine share; never steps back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Block this thread for ``seconds``."""
        ...

    async def pause(self, seconds: float) -> None:
        """Let other coroutines run for ``seconds``."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.clock_gettime(time.CLOCK_MONOTONIC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def iso(moment: datetime) -> str:
    """``moment`` as ISO 8601 in UTC with milliseconds and a Z: ``2026-11-23T14:04:41.123Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

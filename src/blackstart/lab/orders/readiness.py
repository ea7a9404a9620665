"""What a pod says of itself, found out in the background so that no question about it ever waits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from blackstart.errors import ServiceUnreachable
from blackstart.lab.orders.store import Store

PROBE_SECONDS = 0.25
# A finding older than this says that the pod itself is stuck.
STALE_SECONDS = 2.0


@dataclass(frozen=True)
class Finding:
    """What the last probe of the database found, at ``at`` seconds of the event loop's time."""

    at: float
    answers: bool
    writer: bool
    problem: str


class Readiness:
    """Asks the database again and again; its store must answer or fail fast."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last = Finding(float("-inf"), answers=False, writer=False, problem="the database was not asked yet")

    async def probe_forever(self) -> None:
        """Keep the finding fresh."""
        while True:
            await self.probe()
            await asyncio.sleep(PROBE_SECONDS)

    async def probe(self) -> None:
        """Ask once."""
        writer, problem = False, ""
        try:
            writer = await self._store.is_writer()
        except ServiceUnreachable as error:
            problem = str(error)
        self._last = Finding(asyncio.get_running_loop().time(), not problem, writer, problem)

    def is_writer(self) -> bool:
        """Whether the database took writes when last asked."""
        return self._last.writer

    def objection(self, *, deep: bool) -> str | None:
        """Why this pod is not ready (``deep``: not healthy, which takes a database that is the writer), or None."""
        if asyncio.get_running_loop().time() - self._last.at > STALE_SECONDS:
            return self._last.problem or "the database was not asked for too long"
        if not self._last.answers:
            return self._last.problem
        if deep and not self._last.writer:
            return "the database is a read replica"
        return None

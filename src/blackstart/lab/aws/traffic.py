"""What passed through the router, and which regions' control planes answer. In memory, for one router."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

GLOBAL_SERVICES = frozenset({"route53", "iam", "cloudfront"})
GLOBAL_REGION = "us-east-1"

_KEPT_CALLS = 20_000


def home_of(service: str, region: str) -> str:
    """The region whose control plane serves ``service``: global services live in us-east-1 only."""
    return GLOBAL_REGION if service in GLOBAL_SERVICES else region


@dataclass(frozen=True)
class Call:
    """One call of a client. ``at`` (UTC) is its arrival; ``status`` is 0 and ``held`` true if it was not answered.
    ``seconds``: from its arrival until it was answered, or the client gave up."""

    at: str
    service: str
    region: str
    operation: str
    status: int
    user_agent: str
    held: bool
    seconds: float = 0.0


Change = tuple[int, str, str, str]  # number, service, region, operation


class Traffic:
    """The log of calls, and the mutations as numbered changes that others wait for."""

    def __init__(self) -> None:
        self._calls: deque[tuple[int, Call]] = deque(maxlen=_KEPT_CALLS)
        self._call_seq = 0
        self._changes: list[Change] = []
        self._changed = asyncio.Event()

    def log(self, call: Call) -> None:
        self._call_seq += 1
        self._calls.append((self._call_seq, call))

    def calls(self, since: int) -> list[dict[str, Any]]:
        """The last calls numbered above ``since``, oldest first, at most 20,000."""
        return [{"seq": seq, **asdict(call)} for seq, call in self._calls if seq > since]

    def change(self, service: str, region: str, operation: str) -> None:
        """Number a mutation that passed, and wake those who wait for one."""
        self._changes.append((len(self._changes) + 1, service, region, operation))
        self._changed.set()
        self._changed = asyncio.Event()

    async def changes(self, since: int, wait_seconds: float) -> tuple[int, Sequence[Change]]:
        """The last change's number and the changes after ``since``; waits up to ``wait_seconds`` for the first."""
        if since >= len(self._changes) and wait_seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_seconds):
                    await self._changed.wait()
        return len(self._changes), self._changes[max(since, 0) :]


class ControlPlanes:
    """Which regions' control planes are unreachable."""

    def __init__(self) -> None:
        self._gone: dict[str, asyncio.Event] = {}

    def set(self, region: str, reachable: bool) -> None:
        if not reachable:
            self._gone.setdefault(region, asyncio.Event())
        elif region in self._gone:
            self._gone.pop(region).set()

    def back(self, region: str) -> asyncio.Event | None:
        """None while ``region`` is reachable; else the event of its return."""
        return self._gone.get(region)

    def unreachable(self) -> list[str]:
        return sorted(self._gone)

"""Waiting for a part to be ready: asks it again and again, and says why it did not come."""

from __future__ import annotations

import errno
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import yarl

from blackstart.clock import Clock
from blackstart.errors import LabError
from blackstart.lab.parts import Address
from blackstart.lab.processes import Started

POLL_SECONDS, ASK_SECONDS = 0.03, 2.0
LAST_WORDS = 600


async def until_healthy(session: aiohttp.ClientSession, url: str, part: Started, log: Path, clock: Clock) -> None:
    """Wait until GET ``url`` answers 200; LabError with its last words when ``part`` ends first."""

    address = yarl.URL(url)

    async def healthy() -> bool:
        alive(part, log)
        return listens((str(address.host), address.port or 80)) and await answers(session, url)

    await until(healthy, clock)


async def until(condition: Callable[[], Awaitable[bool]], clock: Clock) -> None:
    """Wait until ``condition`` holds. The caller bounds the time."""
    while not await condition():
        await clock.pause(POLL_SECONDS)


def listens(address: Address) -> bool:
    """Whether somebody listens at ``address`` on this machine: far cheaper to ask than a question over HTTP."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        return probe.connect_ex(address) != errno.ECONNREFUSED


async def answers(session: aiohttp.ClientSession, url: str) -> bool:
    """Whether GET ``url`` answers 200 now."""
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=ASK_SECONDS)) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False


def alive(part: Started, log: Path) -> None:
    """LabError if ``part`` has ended."""
    if part.alive():
        return
    words = log.read_text(encoding="utf-8", errors="replace")[-LAST_WORDS:].strip() if log.exists() else ""
    raise LabError(f"start {part.name}", f"it ended with code {part.code}: {words or 'it said nothing'}")

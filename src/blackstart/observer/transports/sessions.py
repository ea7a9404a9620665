"""Sessions with a server that take one request at a time and are kept: those of databases.

A task for each request, as their drivers want it: meant for hundreds of requests a second, not for thousands.
At most `MOST` sessions to one address, as an application's pool has; a request that finds none free waits, and its
time-out goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any, Protocol

from blackstart.observer.record import Cause, Outcome
from blackstart.observer.request import Fate, Request

MOST = 16
INSIST_SECONDS = 0.05  # then a driver that comes to terms with being interrupted is interrupted again


class Refused(Exception):
    """The server understood, and said no: what was asked is not done."""


class Session(Protocol):
    """One connection, logged in."""

    async def ask(self, request: Request) -> None:
        """One exchange; sets ``request.left`` before bytes may leave. `Refused` or OSError."""
        ...

    async def close(self) -> None:
        """Let go, without waiting for the server."""
        ...


Open = Callable[[str], Awaitable[Session]]


class Sessions:
    """The transport over sessions that ``open_one`` makes, given an address. OSError when it cannot."""

    def __init__(self, open_one: Open, *, keep: bool = True, most: int = MOST) -> None:
        self._open_one = open_one
        self._keep = keep
        self._most = most
        self._lanes: dict[str, _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, request: Request) -> None:
        lane = self._lanes.get(request.address)
        if lane is None:
            lane = self._lanes[request.address] = _Lane(self._most)
        request.holder = self._begin(self._one(lane, request))

    def give_up(self, request: Request) -> None:
        task, request.holder = request.holder, None
        if isinstance(task, asyncio.Task):
            task.cancel()
            asyncio.get_running_loop().call_later(INSIST_SECONDS, task.cancel)

    async def keep_only(self, addresses: Collection[str]) -> None:
        for address in [each for each in self._lanes if each not in addresses]:
            lane = self._lanes.pop(address)
            lane.retired = True
            while lane.idle:
                await lane.idle.pop().close()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.sleep(0)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.keep_only(())

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _one(self, lane: _Lane, request: Request) -> None:
        session: Session | None = None
        kept = False
        async with lane.free:
            try:
                session = lane.idle.pop() if lane.idle else await self._open_one(request.address)
                await session.ask(request)
                request.ended(Fate(Outcome.OK))
                kept = self._keep and not lane.retired
            except Refused:
                request.ended(Fate(Outcome.FAILED, Cause.STATUS))
                kept = self._keep and not lane.retired
            except OSError as error:
                request.broke(error)
            finally:
                request.holder = None
                if session is not None:
                    await self._put(lane, session, kept)

    async def _put(self, lane: _Lane, session: Session, kept: bool) -> None:
        if kept:
            lane.idle.append(session)
        else:
            await session.close()


class _Lane:
    """The sessions with one address."""

    def __init__(self, most: int) -> None:
        self.free = asyncio.Semaphore(most)
        self.idle: list[Session] = []
        self.retired = False

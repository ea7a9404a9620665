"""Asks every region's database whether it takes writes, so that two writers at once are seen.

One task for each region, each on its own connection, less than five times a second: a database that hangs delays
nobody else, least of all the client. Noted is every change of what a region is, and now and then that it still is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, TypeVar

from blackstart.clock import Clock
from blackstart.observer.events import EventLog
from blackstart.settings import Stores

if TYPE_CHECKING:
    from psycopg import AsyncConnection

POLL_SECONDS = 0.2  # from one answer to the next question
ANSWER_SECONDS = 1.0
REPEAT_SECONDS = 5.0
FRESH_SECONDS = 5.0
NAME = "blackstart observer"
QUESTION = "SELECT pg_is_in_recovery()"
WRITER, READER, AWAY = "writer", "reader", "away"

Given = TypeVar("Given")


class Database:
    """The database at ``address`` (libpq). One connection, kept while it answers.

    A reader's is renewed every `FRESH_SECONDS`: a writer's endpoint behind which a reader answers may have moved.
    """

    def __init__(self, address: str, clock: Clock) -> None:
        self._address = address
        self._clock = clock
        self._connection: AsyncConnection[Any] | None = None
        self._opened = 0.0
        self._leaving: set[asyncio.Task[Any]] = set()
        self._left: set[asyncio.Future[Any]] = set()

    async def look(self) -> tuple[str, str]:
        """What it is, and for `AWAY` why: it did not answer within `ANSWER_SECONDS`, or with an error."""
        import psycopg

        try:
            if self._connection is None:
                self._connection = await self._within(self._open())
                self._opened = self._clock.monotonic()
            cursor = await self._within(self._connection.execute(QUESTION))
            row = await self._within(cursor.fetchone())
        except TimeoutError:
            self._drop()
            return AWAY, f"no answer within {ANSWER_SECONDS:g} s"
        except (psycopg.Error, OSError) as error:
            self._drop()
            said = str(error).strip().splitlines()
            return AWAY, said[0] if said else type(error).__name__
        state = READER if row is None or row[0] else WRITER
        if state is READER and self._clock.monotonic() - self._opened >= FRESH_SECONDS:
            self._drop()
        return state, ""

    async def close(self) -> None:
        """Let go of everything; returns when nothing is left of it."""
        self._drop()
        for task in self._left:
            task.cancel()  # a second time, so that the driver does not wait for the server
        await asyncio.gather(*self._leaving, return_exceptions=True)

    async def _open(self) -> AsyncConnection[Any]:
        from psycopg import AsyncConnection

        wait = max(1, round(ANSWER_SECONDS))
        return await AsyncConnection.connect(
            self._address, autocommit=True, connect_timeout=wait, application_name=NAME
        )

    async def _within(self, work: Awaitable[Given]) -> Given:
        """What ``work`` gives within `ANSWER_SECONDS`. TimeoutError comes then, and not when the driver has come to
        terms with being interrupted: it first asks the server to stop, which takes as long as that hangs."""
        task = asyncio.ensure_future(work)
        try:
            done, _ = await asyncio.wait({task}, timeout=ANSWER_SECONDS)
        except asyncio.CancelledError:
            self._leave(task)
            raise
        if not done:
            self._leave(task)
            raise TimeoutError
        return task.result()

    def _leave(self, task: asyncio.Future[Any]) -> None:
        task.cancel()
        self._left.add(task)
        task.add_done_callback(self._left.discard)
        self._keep(asyncio.ensure_future(_quietly(task)))

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._keep(asyncio.ensure_future(connection.close()))

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


async def _quietly(task: asyncio.Future[Any]) -> None:
    """Wait for ``task``, whatever becomes of it: nobody asks any more. A connection that it gives all the same goes."""
    await asyncio.wait({task})
    given = None if task.cancelled() or task.exception() else task.result()
    if given is not None and hasattr(given, "pgconn"):
        await given.close()


class Region:
    """What one region's database is, look by look."""

    def __init__(self, region: str, database: Database, log: EventLog, clock: Clock) -> None:
        self._region = region
        self._database = database
        self._log = log
        self._clock = clock
        self._state = ""
        self._asked = 0.0
        self._noted = 0.0

    async def run(self) -> None:
        """Look until cancelled; then say what it was to the last."""
        try:
            while True:
                await self._look()
                await self._clock.pause(POLL_SECONDS)
        finally:
            if self._state:
                self._note(self._state, "", self._asked)
            await self._database.close()

    async def _look(self) -> None:
        asked = self._log.now()
        state, problem = await self._database.look()
        if state != self._state or asked - self._noted >= REPEAT_SECONDS:
            self._note(state, problem, asked)
        self._state, self._asked = state, asked

    def _note(self, state: str, problem: str, asked: float) -> None:
        last = self._asked if self._state else None
        why = {"problem": problem} if problem else {}
        self._log.add(
            "database", region=self._region, state=state, before=self._state, asked=asked, last=last,
            source="database", **why,
        )  # fmt: skip
        self._noted = asked


class Databases:
    """The databases of ``stores``, all regions at the same time."""

    def __init__(self, stores: Stores, log: EventLog, clock: Clock) -> None:
        self._regions = [
            Region(name, Database(address, clock), log, clock) for name, address in stores.databases.items()
        ]

    async def prepare(self) -> None:
        """What would disturb the client if it were done while it plays: load the driver."""
        if self._regions:
            await asyncio.to_thread(_load)

    async def run(self) -> None:
        """Look until cancelled."""
        await asyncio.gather(*(region.run() for region in self._regions))


def _load() -> None:
    import psycopg

    psycopg.AsyncConnection  # noqa: B018

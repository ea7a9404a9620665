"""Database connections that never make a request wait longer than its time, whatever the network does.

A network that swallows bytes leaves a connection open and silent. psycopg answers a cancelled query by sending a cancel
request through that same network and waiting for it, so cancelling is no way out. Here a query that runs out of time
has its socket shut down on this side: libpq then reads an end of file and gives up at once.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from typing import Any, LiteralString

import psycopg

from blackstart.errors import ServiceUnreachable

Rows = list[tuple[Any, ...]]


class Connections:
    """A few connections to one database, for single statements that may safely run twice.

    ``dsn`` is a libpq connection string with a numeric host, ``size`` the most connections open at once and
    ``timeout_seconds`` how long a statement may take, the wait for a free connection included.
    """

    def __init__(self, dsn: str, *, size: int, timeout_seconds: float) -> None:
        self._dsn = dsn
        self._timeout_seconds = timeout_seconds
        self._free = asyncio.Semaphore(size)
        self._idle: list[psycopg.AsyncConnection[tuple[Any, ...]]] = []

    async def run(
        self, statement: LiteralString, values: Sequence[object] = (), timeout_seconds: float | None = None
    ) -> Rows:
        """The rows of ``statement``, committed; ServiceUnreachable if the database does not give them in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (timeout_seconds or self._timeout_seconds)
        try:
            async with asyncio.timeout_at(deadline):
                await self._free.acquire()
        except TimeoutError as error:
            raise self._away("has no connection free") from error
        try:
            return await self._attempt(statement, values, deadline)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            await self._idle.pop().close()

    async def _attempt(self, statement: LiteralString, values: Sequence[object], deadline: float) -> Rows:
        while True:
            reused = bool(self._idle)
            try:
                connection = self._idle.pop() if reused else await self._connect(deadline)
                return await self._execute(connection, statement, values, deadline)
            except TimeoutError as error:
                raise self._away("did not let us connect in time") from error
            except psycopg.Error as error:
                # What broke one connection broke its neighbours too; a fresh one tells what the database is like now.
                await self.close()
                in_time = asyncio.get_running_loop().time() < deadline
                if not (reused and in_time and isinstance(error, psycopg.OperationalError)):
                    raise self._away(_words(error) if in_time else "did not answer in time") from error

    async def _connect(self, deadline: float) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        async with asyncio.timeout_at(deadline):
            return await psycopg.AsyncConnection.connect(self._dsn, autocommit=True)

    async def _execute(
        self,
        connection: psycopg.AsyncConnection[tuple[Any, ...]],
        statement: LiteralString,
        values: Sequence[object],
        deadline: float,
    ) -> Rows:
        kept = False
        timer = asyncio.get_running_loop().call_at(deadline, _sever, connection)
        try:
            cursor = await connection.execute(statement, values)
            rows = await cursor.fetchall() if cursor.description else []
            kept = not connection.closed
        finally:
            timer.cancel()
            if kept:
                self._idle.append(connection)
            else:
                await connection.close()
        return rows

    def _away(self, problem: str) -> ServiceUnreachable:
        return ServiceUnreachable("use the database", "PostgreSQL", problem)


def _sever(connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
    """Make every wait on ``connection`` end now, without a word to the server."""
    if connection.closed:
        return
    with socket.socket(fileno=os.dup(connection.fileno())) as twin:
        try:
            twin.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the other side closed it first: the wait ends by itself


def _words(error: psycopg.Error) -> str:
    lines = str(error).strip().splitlines()
    return f"answered {type(error).__name__}" + (f" ({lines[0]})" if lines else "")

"""PostgreSQL servers as drills reach them: with short timeouts, and errors as types.

A database opts in by itself: the words ``key=value`` of the comment on it are its tags.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import Composed

from blackstart.changes.clients import Clients
from blackstart.changes.postgres_errors import CONNECT_SECONDS, full, told
from blackstart.errors import Refused, ServiceUnreachable
from blackstart.scope import Target

ANSWER_SECONDS = 8.0
OURS = "blackstart"
"""The application name of connections that are no part of a fault."""
COMMENT: LiteralString = (
    "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
)
AURORA: LiteralString = "SELECT EXISTS (SELECT FROM pg_proc WHERE proname = 'aurora_version')"

Row = tuple[Any, ...]
Query = LiteralString | Composed


class ServerFull(ServiceUnreachable):
    """A PostgreSQL server has no connection left for us."""


@dataclass(frozen=True)
class Database:
    """One database. ``address``: how libpq connects to it; ``name`` is for people. ``aurora``: AWS runs its storage."""

    address: str
    name: str
    account: str
    region: str
    tags: Mapping[str, str]
    aurora: bool

    @property
    def target(self) -> Target:
        return Target("database", self.name, account=self.account, region=self.region, tags=dict(self.tags))


def find_database(clients: Clients, addresses: Mapping[str, str], region: str) -> Database:
    """The database of ``region``, by ``[stores] databases`` of the settings; Refused if it is not named. Read-only.

    Nothing proves the account: it is the one that the credentials reach, which has to be in scope.
    """
    address = addresses.get(region)
    if not address:
        raise Refused(
            f"touching the database of {region}", "[stores] databases of the settings does not say how to reach it"
        )
    (comment,), (aurora,) = ask(address, COMMENT, AURORA)
    return Database(address, name_of(address), clients.account(), region, _tags(comment[0] or ""), bool(aurora[0]))


def name_of(address: str) -> str:
    """``shop at 10.0.0.1:5432``."""
    found = conninfo_to_dict(address)
    host = found.get("host") or found.get("hostaddr") or "localhost"
    return f"{found.get('dbname') or found.get('user') or 'postgres'} at {host}:{found.get('port') or 5432}"


def _tags(comment: str) -> dict[str, str]:
    pairs = (word.partition("=") for word in comment.split())
    return {key: value for key, _, value in pairs}


def ask(address: str, *queries: Query | tuple[Query, Sequence[Any]]) -> list[list[Row]]:
    """Run each of ``queries`` (with its parameters, if any) on one connection, each on its own; the rows of each.

    ServerFull if it has no connection left, ServiceUnreachable for all else, also if it does not answer in time.
    """
    try:
        return asyncio.run(_within(address, queries))
    except TimeoutError as error:
        raise ServiceUnreachable("ask a database", name_of(address), "did not answer in time") from error
    except psycopg.Error as error:
        kind = ServerFull if full(error) else ServiceUnreachable
        raise kind("ask a database", name_of(address), f"said: {told(error)}") from error


async def _within(address: str, queries: Sequence[Query | tuple[Query, Sequence[Any]]]) -> list[list[Row]]:
    # A connection that is cut without a word keeps libpq waiting for good, so the whole has a limit.
    async with asyncio.timeout(CONNECT_SECONDS + ANSWER_SECONDS):
        connection = await psycopg.AsyncConnection.connect(
            address, autocommit=True, connect_timeout=CONNECT_SECONDS, application_name=OURS
        )
        try:
            return [await _rows(connection, query) for query in queries]
        finally:
            connection.pgconn.finish()


async def _rows(connection: psycopg.AsyncConnection[Row], query: Query | tuple[Query, Sequence[Any]]) -> list[Row]:
    text, parameters = query if isinstance(query, tuple) else (query, None)
    cursor = await connection.execute(text, parameters)
    return await cursor.fetchall() if cursor.description else []

"""Redis: one command for each request, over connections that are kept."""

from __future__ import annotations

import os
import shlex
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from blackstart.observer.request import Request
from blackstart.observer.schedule import Kind
from blackstart.observer.transports.sessions import Refused, Sessions
from blackstart.observer.transports.tls import Tls

if TYPE_CHECKING:
    from redis.asyncio import Connection

PASSWORD_VARIABLE = "REDISCLI_AUTH"
USUAL_PORT = 6379


class Session:
    """A connection that has said who it is. ``commands``: what it says to read and to write."""

    def __init__(self, connection: Connection, commands: tuple[str, str]) -> None:
        self._connection = connection
        self._commands = commands

    async def ask(self, request: Request) -> None:
        """`Refused` for an answer that is an error; OSError when there is none."""
        from redis import exceptions

        words = shlex.split(self._commands[request.kind is Kind.WRITE].replace("{number}", str(request.item)))
        request.left = True
        try:
            await self._connection.send_command(*words)
            await self._connection.read_response()
        except exceptions.ResponseError as error:
            raise Refused(str(error)) from error
        except (exceptions.RedisError, OSError) as error:
            raise broken(error) from error

    async def close(self) -> None:
        await self._connection.disconnect(nowait=True)


def transport(url: str, port: int, commands: tuple[str, str], tls: Tls | None) -> Sessions:
    """Asks the server of ``url`` ("" for none: then its defaults) at ``port`` of the addresses that requests name.

    Its password is ``$REDISCLI_AUTH``.
    """
    options = _options(url)

    async def connect(address: str) -> Session:
        from redis import exceptions

        connection = _connection(address, port, options, tls)
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
        except (exceptions.RedisError, OSError) as error:
            await connection.disconnect(nowait=True)
            cause = error.__cause__ or error
            if tls is not None and isinstance(cause, ssl.SSLError):
                tls.refused(address, cause)
                raise cause from error
            raise broken(error) from error
        if tls is not None and connection._writer is not None:
            tls.shown(address, connection._writer.get_extra_info("ssl_object"))
        return Session(connection, commands)

    return Sessions(connect)


def place(url: str) -> tuple[str, int]:
    """Host and port of a ``redis://`` URL; ValueError when it has none. Pure."""
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError(f'"{url}" names no host')
    return parts.hostname, parts.port or USUAL_PORT


def broken(error: Exception) -> OSError:
    """``error`` as what it is to its user: no connection."""
    return error if isinstance(error, OSError) else ConnectionResetError(0, str(error))


def _options(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    found: dict[str, Any] = {"username": parts.username, "password": os.environ.get(PASSWORD_VARIABLE)}
    database = parts.path.strip("/")
    return {**found, "db": int(database) if database.isdecimal() else 0}


def _connection(address: str, port: int, options: dict[str, Any], tls: Tls | None) -> Connection:
    from redis.asyncio import Connection
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    class Secured(Connection):
        """Over TLS as `Tls` wants it: the name is that of the settings, not the address."""

        def _connection_arguments(self) -> dict[str, Any]:
            extra = {"ssl": tls.context, "server_hostname": tls.host} if tls else {}
            return {**super()._connection_arguments(), **extra}

    return Secured(host=address, port=port, retry=Retry(NoBackoff(), 0), protocol=2, **options)

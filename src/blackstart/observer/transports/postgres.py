"""PostgreSQL: one statement for each request, over sessions that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blackstart.observer.request import Request
from blackstart.observer.schedule import Kind
from blackstart.observer.transports.sessions import Refused, Sessions

if TYPE_CHECKING:
    from psycopg import AsyncConnection

NAME = "blackstart observer"
USUAL_PORT = 5432
CONNECT_SECONDS = 10  # the request's own time is over before that
OPEN_ENDED = ("08", "57P", "40003")  # SQLSTATEs after which nobody knows what became of a statement


class Session:
    """A connection. ``statements``: what it says to read and to write; ``{number}`` in them is the request's."""

    def __init__(self, connection: AsyncConnection[Any], statements: tuple[str, str]) -> None:
        self._connection = connection
        self._statements = statements

    async def ask(self, request: Request) -> None:
        """`Refused` when the server says that it did not do it; OSError when it did not answer."""
        import psycopg

        statement = self._statements[request.kind is Kind.WRITE].replace("{number}", str(request.item))
        request.left = True
        try:
            cursor = await self._connection.execute(statement.encode())
            if cursor.description:
                await cursor.fetchall()
        except psycopg.Error as error:
            if error.sqlstate is None or error.sqlstate.startswith(OPEN_ENDED) or self._connection.closed:
                raise ConnectionResetError(0, str(error)) from error
            raise Refused(str(error)) from error

    async def close(self) -> None:
        await self._connection.close()


def transport(address: str, port: int, statements: tuple[str, str], tls: bool, ca_file: str) -> Sessions:
    """Logs in as the libpq string ``address`` says, at ``port`` of the addresses that
    requests name. Its password is in ``$PGPASSFILE``. With ``tls`` its certificate is checked against ``ca_file``."""
    secured = {"sslmode": "verify-full", "sslrootcert": ca_file or "system"} if tls else {}

    async def connect(ip: str) -> Session:
        import psycopg

        wanted: dict[str, Any] = {
            "hostaddr": ip, "port": port, "autocommit": True, "application_name": NAME,
            "connect_timeout": CONNECT_SECONDS, **secured,
        }  # fmt: skip
        try:
            connection = await psycopg.AsyncConnection.connect(address, **wanted)
        except psycopg.Error as error:
            raise ConnectionRefusedError(0, str(error)) from error
        return Session(connection, statements)

    return Sessions(connect)


def place(address: str) -> tuple[str, int]:
    """Host and port of a libpq connection string; ValueError when it does not name exactly one of each."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(address)
    except ProgrammingError as error:
        raise ValueError(str(error)) from error
    host, port = str(parts.get("host") or parts.get("hostaddr") or ""), str(parts.get("port") or USUAL_PORT)
    if not host or host.startswith("/") or not port.isdecimal():
        raise ValueError("its connection string should name one host and one port")
    return host, int(port)

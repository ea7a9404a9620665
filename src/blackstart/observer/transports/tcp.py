"""Bare TCP: a connection for each request, what it says, and how the answer has to begin."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from blackstart.observer.request import Request
from blackstart.observer.schedule import Kind
from blackstart.observer.transports.lanes import reset
from blackstart.observer.transports.sessions import Refused, Sessions
from blackstart.observer.transports.tls import Tls

MOST_CONNECTIONS = 1000
CHUNK = 4096


class Connection:
    """One connection, for one request. ``said``: what is sent to read and to write."""

    def __init__(self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], said: tuple[str, str], expect: str):
        self._reader, self._writer = streams
        self._said = said
        self._expect = expect.encode()

    async def ask(self, request: Request) -> None:
        """`Refused` when the answer begins otherwise than it should; OSError when there is none."""
        words = self._said[request.kind is Kind.WRITE].replace("{number}", str(request.item))
        request.left = True
        self._writer.write(words.encode())
        answer = b""
        while len(answer) < len(self._expect):
            more = await self._reader.read(CHUNK)
            if not more:
                raise ConnectionResetError(0, "closed before the answer was complete")
            answer += more
            if not answer.startswith(self._expect[: len(answer)]):
                raise Refused(f"answered {answer[:40]!r}")

    async def close(self) -> None:
        """With a reset, which leaves nothing behind in the kernel."""
        reset(self._writer.transport)


def transport(port: int, said: tuple[str, str], expect: str, tls: Tls | None) -> Sessions:
    """Connects to ``port``; ``expect`` "" is content with being connected. ``{number}`` may be in what is said."""
    secured: dict[str, Any] = {"ssl": tls.context, "server_hostname": tls.host} if tls else {}

    async def connect(address: str) -> Connection:
        try:
            streams = await asyncio.open_connection(address, port, **secured)
        except ssl.SSLError as error:
            if tls is not None:
                tls.refused(address, error)
            raise
        if tls is not None:
            tls.shown(address, streams[1].get_extra_info("ssl_object"))
        return Connection(streams, said, expect)

    return Sessions(connect, keep=False, most=MOST_CONNECTIONS)

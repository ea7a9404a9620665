"""Sends requests to addresses, one answer for each; keeps connections alive, but none to an address that has left DNS.

For who asks now and then. The observer's own requests take the same connections' way without a task for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from blackstart.observer.transports import http1, http2_lanes, tls
from blackstart.observer.transports.http import encoded
from blackstart.settings import Service


@dataclass
class Attempt:
    """How far a request got. ``sent``: its bytes were, or may have been, handed to the network."""

    sent: bool = False


@dataclass(frozen=True)
class Reply:
    """An answer whose body has arrived; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Asked:
    """A request that somebody waits for."""

    keeps_body = True

    def __init__(self, attempt: Attempt, repeats: bool) -> None:
        self.holder: object = None
        self.repeats = repeats
        self.reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._attempt = attempt

    @property
    def left(self) -> bool:
        return self._attempt.sent

    @left.setter
    def left(self, value: bool) -> None:
        self._attempt.sent = value

    def answered(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> None:
        if not self.reply.done():
            named = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
            self.reply.set_result(Reply(status, named, body))

    def broke(self, error: OSError) -> None:
        if not self.reply.done():
            self.reply.set_exception(error)


class Dialer:
    """HTTP to ``host:port`` at whichever address the caller names. Deadlines are the caller's."""

    def __init__(self, host: str, port: int, protocol: str = "http/1.1", secured: tls.Tls | None = None) -> None:
        self._host = authority(host, port)
        self._streams = http2_lanes.Pool(port, self._host, secured) if protocol == "http/2" else None
        self._pool = http1.Pool(port, secured)

    @classmethod
    def of(cls, service: Service) -> Dialer:
        """To ``service``, as its users reach it."""
        offered = tls.HTTP_2 if service.protocol == "http/2" else tls.HTTP_1
        secured = tls.Tls(service.host, service.ca_file, offered, _unnoted) if service.tls else None
        return cls(service.host, service.port, service.protocol, secured)

    async def send(
        self, address: str, method: str, path: str, attempt: Attempt, body: Mapping[str, Any] | None = None
    ) -> Reply:
        """The answer of ``address``; OSError when there is none."""
        asked = _Asked(attempt, method == "GET")
        content = None if body is None else encoded(body)
        if self._streams is not None:
            self._streams.carry(address, method, path, content, asked)
        else:
            self._pool.carry(address, http1.encode(method, self._host, path, content), asked)
        try:
            return await asked.reply
        finally:
            if self._streams is not None:
                self._streams.abandon(asked)
            self._pool.abandon(asked)

    async def keep_only(self, addresses: Collection[str]) -> None:
        """Drop idle connections to all other addresses, and busy ones once their request has ended."""
        await self._pool.keep_only(addresses)
        if self._streams is not None:
            await self._streams.keep_only(addresses)

    async def close(self) -> None:
        """Drop everything."""
        await self._pool.close()
        if self._streams is not None:
            await self._streams.close()


def authority(host: str, port: int) -> str:
    """``host:port`` as a request names it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _unnoted(**fields: Any) -> None:
    """Whoever asks now and then keeps no record of certificates."""

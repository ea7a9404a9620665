"""Sends requests to addresses; keeps connections alive, but none to an address that has left DNS.

Each address has a session of its own (a lane), so that leaving DNS closes just its connections.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import aiohttp
from yarl import URL


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


@dataclass
class _Lane:
    session: aiohttp.ClientSession
    busy: int = 0
    retired: bool = False


class Dialer:
    """HTTP/1.1 to ``host:port`` at whichever address the caller names. Deadlines are the caller's."""

    def __init__(self, host: str, port: int) -> None:
        self._host_header = f"{host}:{port}"
        self._port = port
        self._lanes: dict[str, _Lane] = {}

    async def send(
        self, address: str, method: str, path: str, attempt: Attempt, body: Mapping[str, Any] | None = None
    ) -> Reply:
        """The answer of ``address``; aiohttp.ClientError or OSError when there is none."""
        lane = self._lane(address)
        lane.busy += 1
        try:
            async with lane.session.request(
                method,
                URL.build(scheme="http", host=address, port=self._port).join(URL(path, encoded=True)),
                headers={"Host": self._host_header},
                json=body,
                allow_redirects=False,
                trace_request_ctx=attempt,
            ) as response:
                content = await response.read()
                return Reply(
                    response.status, {name.lower(): value for name, value in response.headers.items()}, content
                )
        finally:
            lane.busy -= 1
            if lane.retired and not lane.busy:
                await lane.session.close()

    async def keep_only(self, addresses: Collection[str]) -> None:
        """Drop idle connections to all other addresses, and busy ones once their request has ended."""
        for address in [each for each in self._lanes if each not in addresses]:
            lane = self._lanes.pop(address)
            lane.retired = True
            if not lane.busy:
                await lane.session.close()

    async def close(self) -> None:
        """Drop everything."""
        lanes, self._lanes = list(self._lanes.values()), {}
        for lane in lanes:
            await lane.session.close()

    def _lane(self, address: str) -> _Lane:
        lane = self._lanes.get(address)
        if lane is None:
            lane = self._lanes[address] = _Lane(_session())
        return lane


def _session() -> aiohttp.ClientSession:
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_mark_sent)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[trace],
    )


async def _mark_sent(session: aiohttp.ClientSession, context: SimpleNamespace, params: Any) -> None:
    context.trace_request_ctx.sent = True

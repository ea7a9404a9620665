"""Connections by address: each address has a lane of its own, so that leaving DNS closes just its connections."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable, Collection
from typing import Generic, Protocol, TypeVar

from blackstart.observer.transports.tls import Tls

NO_LINGER = struct.pack("ii", 1, 0)


class Lane(Protocol):
    """The connections to one address."""

    @property
    def empty(self) -> bool:
        """Whether none is left."""
        ...

    def retire(self) -> None:
        """Close what idles; the rest once its request has ended."""
        ...

    async def close(self) -> None:
        """Close everything."""
        ...


SomeLane = TypeVar("SomeLane", bound=Lane)


class Lanes(Generic[SomeLane]):
    """A lane for each address that is asked for, made by ``make``."""

    def __init__(self, make: Callable[[str], SomeLane], tls: Tls | None = None) -> None:
        self._make = make
        self._tls = tls
        self._lanes: dict[str, SomeLane] = {}
        self._leaving: list[SomeLane] = []

    def to(self, address: str) -> SomeLane:
        """The lane of ``address``."""
        lane = self._lanes.get(address)
        if lane is None:
            lane = self._lanes[address] = self._make(address)
        return lane

    async def keep_only(self, addresses: Collection[str]) -> None:
        """Drop idle connections to all other addresses, and busy ones once their request has ended."""
        self._leaving = [lane for lane in self._leaving if not lane.empty]
        for address in [each for each in self._lanes if each not in addresses]:
            lane = self._lanes.pop(address)
            lane.retire()
            self._leaving.append(lane)
        if self._tls is not None:
            self._tls.keep_only(addresses)

    async def close(self) -> None:
        """Drop everything."""
        lanes, self._lanes, self._leaving = [*self._lanes.values(), *self._leaving], {}, []
        for lane in lanes:
            await lane.close()


async def connect(protocol: asyncio.Protocol, address: str, port: int, tls: Tls | None) -> None:
    """``protocol`` over a new connection. OSError when there is none; what TLS showed of that is noted."""
    loop = asyncio.get_running_loop()
    context, host = (tls.context, tls.host) if tls else (None, None)
    try:
        await loop.create_connection(lambda: protocol, address, port, ssl=context, server_hostname=host)
    except ssl.SSLError as error:
        if tls is not None:
            tls.refused(address, error)
        raise


def reset(transport: asyncio.WriteTransport) -> None:
    """Close ``transport`` with a reset instead of an orderly end, so that its port is free again at once."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        same = socket.socket(fileno=sock.fileno())
        same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        same.detach()
    transport.abort()

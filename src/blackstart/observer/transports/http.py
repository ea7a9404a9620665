"""What HTTP requests of a journey ask for, and the transports that carry them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from blackstart.errors import ConfigInvalid
from blackstart.observer.request import PRODUCTS, Request
from blackstart.observer.schedule import Kind
from blackstart.observer.transports import http1
from blackstart.observer.transports.http2_lanes import Pool as Streams


class Messages:
    """The requests of one journey to ``host``. ``read_path`` may hold ``{number}``; what it makes of each number is
    worked out beforehand. ConfigInvalid when a path cannot be used."""

    def __init__(self, host: str, read_path: str, write_path: str) -> None:
        self.host = host
        self.write_path = checked("write_path", write_path)
        self.read_paths = tuple(checked("read_path", filled(read_path, number)) for number in range(1, PRODUCTS + 1))

    def body(self, request: Request) -> bytes:
        """What the write ``request`` carries."""
        return encoded({"key": request.key, "item": request.item, "quantity": 1})


def filled(path: str, number: int) -> str:
    """``path`` for ``number``; ConfigInvalid when it wants something else."""
    try:
        return path.format(number=number)
    except (KeyError, IndexError, ValueError) as error:
        raise ConfigInvalid("settings", "service.read_path", f"may only hold {{number}} ({error!r})") from error


def checked(name: str, path: str) -> str:
    """``path``, if it can be the path of a request; else ConfigInvalid."""
    if not path.startswith("/") or not path.isascii() or any(sign <= " " for sign in path):
        problem = f'"{path}" does not begin with /, or holds what has to be percent-encoded'
        raise ConfigInvalid("settings", f"service.{name}", problem)
    return path


def encoded(value: Mapping[str, Any]) -> bytes:
    """``value`` as compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()


class Http1:
    """HTTP/1.1."""

    def __init__(self, messages: Messages, pool: http1.Pool) -> None:
        self._messages = messages
        self._pool = pool
        self._reads = tuple(http1.encode("GET", messages.host, path) for path in messages.read_paths)

    def send(self, request: Request) -> None:
        if request.kind is Kind.READ:
            data = self._reads[request.item - 1]
        else:
            messages = self._messages
            data = http1.encode("POST", messages.host, messages.write_path, messages.body(request))
        self._pool.carry(request.address, data, request)

    def give_up(self, request: Request) -> None:
        self._pool.abandon(request)

    async def keep_only(self, addresses: Collection[str]) -> None:
        await self._pool.keep_only(addresses)

    async def close(self) -> None:
        await self._pool.close()


class Http2:
    """HTTP/2."""

    def __init__(self, messages: Messages, streams: Streams) -> None:
        self._messages = messages
        self._streams = streams

    def send(self, request: Request) -> None:
        messages = self._messages
        if request.kind is Kind.READ:
            self._streams.carry(request.address, "GET", messages.read_paths[request.item - 1], None, request)
        else:
            self._streams.carry(request.address, "POST", messages.write_path, messages.body(request), request)

    def give_up(self, request: Request) -> None:
        self._streams.abandon(request)

    async def keep_only(self, addresses: Collection[str]) -> None:
        await self._streams.keep_only(addresses)

    async def close(self) -> None:
        await self._streams.close()

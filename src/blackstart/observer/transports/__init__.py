"""Ways to ask a target: HTTP/1.1, HTTP/2, PostgreSQL, Redis and bare TCP, each with TLS or without.

A transport is given requests and tells each its fate. It knows nothing of schedules, deadlines or files: when a
request's time is over, whoever keeps the deadlines says so with ``give_up``.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from blackstart.observer.request import Request


class Transport(Protocol):
    """How requests of one journey reach the addresses of its target."""

    def send(self, request: Request) -> None:
        """Begin ``request``, at ``request.address``. It is told its fate once, unless it is given up before."""
        ...

    def give_up(self, request: Request) -> None:
        """Nobody waits for ``request`` any more: let go of what it holds."""
        ...

    async def keep_only(self, addresses: Collection[str]) -> None:
        """Drop idle connections to all other addresses, and busy ones once their request has ended."""
        ...

    async def close(self) -> None:
        """Drop everything."""
        ...

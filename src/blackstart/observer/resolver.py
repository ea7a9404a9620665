"""Resolves the service's name as a client does: asks a DNS server, keeps the answer for its TTL, then asks again.

An answer is never used beyond its TTL, so the fail-over of a name, with its TTL, is inside what is measured.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.resolver

from blackstart.errors import ConfigInvalid, ServiceUnreachable

QUERY_SECONDS = 0.5  # then the query is sent again: UDP loses some
LIFETIME_SECONDS = 2.0
HOSTS_TTL_SECONDS = 5.0  # the system's own answers (hosts file, mDNS) come without a TTL


@dataclass(frozen=True)
class Answer:
    """Addresses, sorted; ``ttl`` in seconds; ``at`` when it came, seconds of the caller's clock."""

    addresses: tuple[str, ...]
    ttl: float
    at: float


@dataclass(frozen=True)
class AnswerChange:
    """``before`` is None for the first answer; its ``at`` is when the old addresses were last given."""

    before: Answer | None
    after: Answer


class NameNotResolved(ServiceUnreachable):
    """The service's name could not be resolved."""


class Resolver:
    """``server``: ``ip:port`` of the DNS server to ask, or "" for the system's. ``now``: a monotonic clock, seconds.

    ``changed`` is called whenever an answer differs from the one before, and for the first one.
    """

    def __init__(
        self, host: str, server: str, now: Callable[[], float], changed: Callable[[AnswerChange], None]
    ) -> None:
        self._host = host
        self._server = server
        self._now = now
        self._changed = changed
        self._answer: Answer | None = None
        self._query: asyncio.Task[Answer] | None = None
        self._stub = _stub(server)

    def known(self) -> tuple[str, ...]:
        """The addresses in force now, without asking anybody; none when it is time to ask."""
        answer = self._answer
        return answer.addresses if answer is not None and self._now() < answer.at + answer.ttl else ()

    async def addresses(self) -> tuple[str, ...]:
        """The addresses in force now, at least one; NameNotResolved. Callers at the same time share one query."""
        if known := self.known():
            return known
        if self._query is None or self._query.done():
            self._query = asyncio.create_task(self._ask())
        answer = await asyncio.shield(self._query)
        return answer.addresses

    async def close(self) -> None:
        """Give up a query that is under way."""
        if self._query is not None:
            self._query.cancel()
            await asyncio.gather(self._query, return_exceptions=True)

    async def _ask(self) -> Answer:
        addresses, ttl = await self._lookup()
        before, self._answer = self._answer, Answer(tuple(sorted(addresses)), ttl, self._now())
        if before is None or before.addresses != self._answer.addresses:
            self._changed(AnswerChange(before, self._answer))
        return self._answer

    async def _lookup(self) -> tuple[list[str], float]:
        if is_address(self._host):
            return [self._host], float("inf")
        try:
            return await self._query_dns()
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.resolver.NoNameservers) as error:
            if self._server:
                raise self._failed(error) from error
            return await self._query_system()
        except (dns.exception.DNSException, OSError) as error:
            raise self._failed(error) from error

    async def _query_dns(self) -> tuple[list[str], float]:
        try:
            answer = await self._stub.resolve(self._host, "A", lifetime=LIFETIME_SECONDS, search=False)
        except dns.resolver.NoAnswer:
            answer = await self._stub.resolve(self._host, "AAAA", lifetime=LIFETIME_SECONDS, search=False)
        return [record.address for record in answer], float(answer.chaining_result.minimum_ttl)

    async def _query_system(self) -> tuple[list[str], float]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(self._host, None, type=socket.SOCK_STREAM)
        except OSError as error:
            raise self._failed(error) from error
        return list({str(entry[4][0]) for entry in found}), HOSTS_TTL_SECONDS

    def _failed(self, error: Exception) -> NameNotResolved:
        problem = str(error) or type(error).__name__
        return NameNotResolved(f"resolve {self._host}", f"DNS server {self._server or 'of the system'}", problem)


def _stub(server: str) -> dns.asyncresolver.Resolver:
    if server:
        stub = dns.asyncresolver.Resolver(configure=False)
        ip, port = server_address(server)
        stub.nameservers = [ip]
        stub.port = port
    else:
        try:
            stub = dns.asyncresolver.Resolver()
        except dns.resolver.NoResolverConfiguration:
            stub = dns.asyncresolver.Resolver(configure=False)
            stub.nameservers = []
    stub.timeout = QUERY_SECONDS
    return stub


def server_address(server: str) -> tuple[str, int]:
    """``127.0.0.1:5353`` or ``[::1]:5353`` as address and port; ConfigInvalid for anything else."""
    ip, _, port = server.rpartition(":")
    ip = ip.removeprefix("[").removesuffix("]")
    if not is_address(ip) or not port.isdecimal():
        raise ConfigInvalid("settings", "service.dns", f'"{server}" is not ip:port of a DNS server')
    return ip, int(port)


def is_address(host: str) -> bool:
    """Whether ``host`` is an IP address rather than a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

"""Where a name leads, asked with its TTL: what all users of one worker share. Runs among greenlets.

An answer is used for its TTL and then asked for again; meanwhile, and while nobody answers, the last one is used on.
Nobody waits in a line for an answer but those who have never had one: thousands who did would keep a worker busy.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

import dns.exception
import dns.resolver

QUERY_SECONDS = 1.0
SYSTEM_TTL_SECONDS = 5.0  # the system's own answers come without a TTL
LOOK_SECONDS = 0.05
AGAIN_SECONDS = 1.0  # after a question that nobody answered


class Names:
    """``server``: ip:port of the DNS server, "" for the system's. ``pause`` lets others run, for seconds."""

    def __init__(self, host: str, server: str, now: Callable[[], float], pause: Callable[[float], None]) -> None:
        self._host = host
        self._server = server
        self._now = now
        self._pause = pause
        self._asking = False
        self._addresses: tuple[str, ...] = ()
        self._until = 0.0

    def addresses(self) -> tuple[str, ...]:
        """The addresses in force, at least one; OSError while none was ever given."""
        if self._now() >= self._until and not self._asking:
            self._ask()
        while self._asking and not self._addresses:
            self._pause(LOOK_SECONDS)
        if not self._addresses:
            raise OSError(f"{self._host} has no address")
        return self._addresses

    def _ask(self) -> None:
        self._asking = True
        try:
            self._addresses, ttl = self._answer()
        except (dns.exception.DNSException, OSError):
            ttl = AGAIN_SECONDS
        finally:
            self._asking = False
        self._until = self._now() + max(ttl, 0.1)

    def _answer(self) -> tuple[tuple[str, ...], float]:
        if not self._server:
            found = socket.getaddrinfo(self._host, None, type=socket.SOCK_STREAM)
            return tuple(sorted({str(entry[4][0]) for entry in found})), SYSTEM_TTL_SECONDS
        stub = dns.resolver.Resolver(configure=False)
        ip, _, port = self._server.rpartition(":")
        stub.nameservers, stub.port, stub.timeout = [ip.strip("[]")], int(port), QUERY_SECONDS
        answer = stub.resolve(self._host, "A", lifetime=2 * QUERY_SECONDS, search=False)
        return tuple(sorted(record.address for record in answer)), float(answer.chaining_result.minimum_ttl)

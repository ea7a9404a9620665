"""How a user holds its connection: one, kept open between requests as browsers and apps keep theirs, until it breaks.

Where the name leads is asked when a connection is made. One that leads to a place that has silently gone is found out
by the next request over it, which times out: that is what users of a lost region see, and so it is counted.
"""

from __future__ import annotations

import select
import socket
import sys
from collections.abc import Callable
from random import Random
from typing import Any

from gevent.monkey import get_original
from geventhttpclient.client import HTTPClient, HTTPClientPool
from geventhttpclient.connectionpool import ConnectionPool

from blackstart.load.names import Names

IP_BIND_ADDRESS_NO_PORT = 24  # Linux: choose the port when connecting, so that one port serves for many servers
LINUX = sys.platform == "linux"


class Crowd:
    """What one worker knows of its users: open connections, and what happened in each second.

    A second is that of the machine's monotonic clock in which a request began, or a connection was made.
    """

    def __init__(self, names: Names, sources: tuple[str, ...], random: Random, now: Callable[[], float]) -> None:
        self.names = names
        self.now = now
        self.sources = sources
        self.random = random
        self.open = 0
        self._seconds: dict[int, list[int]] = {}

    def ended(self, began: float, ok: bool) -> None:
        """A request that began at ``began`` is over."""
        self._of(began)[0 if ok else 1] += 1

    def connected(self) -> None:
        self.open += 1
        self._of(self.now())[2] += 1

    def take(self) -> dict[str, list[int]]:
        """What happened since the last call: by second, requests ok, requests failed, connections made."""
        taken, self._seconds = self._seconds, {}
        return {str(second): counts for second, counts in taken.items()}

    def _of(self, at: float) -> list[int]:
        return self._seconds.setdefault(int(at), [0, 0, 0])


class Connections(ConnectionPool):  # type: ignore[misc]
    """The one connection of one user."""

    crowd: Crowd

    def _resolve(self) -> list[Any]:
        addresses = list(self.crowd.names.addresses())
        address = self.crowd.random.choice(addresses)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 0, "", (address, self._connection_port))]

    def _connect_socket(self, sock: Any, address: Any) -> Any:
        if LINUX and address[0].startswith("127."):
            sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((self.crowd.random.choice(self.crowd.sources), 0))
        return super()._connect_socket(sock, address)

    def after_connect(self, sock: Any) -> None:
        self.crowd.connected()

    def release_socket(self, sock: Any) -> None:
        self.crowd.open -= 1
        super().release_socket(sock)

    def _is_socket_alive(self, sock: Any) -> bool:
        """By poll: the library's own way is select, which knows no descriptor above 1023."""
        poll = get_original("select", "poll")()
        poll.register(sock.fileno(), select.POLLIN)
        alive = not poll.poll(0)
        if not alive:
            self.crowd.open -= 1
        return alive


class Browser(HTTPClientPool):  # type: ignore[misc]
    """The connections of one user, of which there is one at a time."""

    def __init__(self, crowd: Crowd, timeout_seconds: float) -> None:
        super().__init__(concurrency=1, connection_timeout=timeout_seconds, network_timeout=timeout_seconds)
        self._crowd = crowd

    def get_client(self, url: Any) -> HTTPClient:
        known = len(self.clients)
        client = super().get_client(url)
        if len(self.clients) > known:
            made = client._connection_pool
            own = Connections.__new__(Connections)
            own.__dict__.update(made.__dict__, crowd=self._crowd)
            client._connection_pool = own
        return client

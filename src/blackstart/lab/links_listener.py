"""One link: a listening socket, where its connections lead, and how to cut it off.

A cut link must not answer at all. Merely not accepting is not enough: the kernel would complete handshakes by itself.
So the queue of the listening socket is made as short as it can be and filled, and Linux then drops every further SYN.
(Other kernels may still complete some handshakes; such connections then hang without an answer.)
"""

from __future__ import annotations

import asyncio
import errno
import logging
import select
import socket
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from blackstart.lab.links_connection import Connection, reset_socket
from blackstart.lab.parts import Address

BACKLOG = 1024
MOST_FILLERS = 8
OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)

log = logging.getLogger("blackstart.lab.links")

Crossing = Sequence[Sequence[str]]


def is_cut(crosses: Crossing, zones: AbstractSet[str]) -> bool:
    """Whether a link is cut while ``zones`` are: some group that it crosses has no zone left."""
    return any(all(zone in zones for zone in group) for group in crosses)


@dataclass(frozen=True)
class Route:
    """What a link is. ``crosses`` holds groups of zones; losing all zones of one group cuts the link."""

    name: str
    listen: Address
    target: Address
    delay_seconds: float = 0.0
    crosses: tuple[tuple[str, ...], ...] = ()
    delivers_last_words: bool = False


class Link:
    """A route in service."""

    def __init__(self, route: Route) -> None:
        """Bind and listen; OSError if the address cannot be had."""
        self.route = route
        self.is_cut = False
        self._loop = asyncio.get_running_loop()
        self._connections: set[Connection] = set()
        self._arrivals: dict[asyncio.Task[None], socket.socket] = {}
        self._fillers: list[socket.socket] = []
        self._filler_addresses: set[Address] = set()
        self._listener = socket.create_server(route.listen, backlog=BACKLOG)
        self._listener.setblocking(False)
        self._closed = False
        self._loop.add_reader(self._listener, self._accept)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._listener.getsockname()[1])

    @property
    def connections(self) -> int:
        """How many connections it carries or holds."""
        return len(self._connections)

    def cut(self) -> None:
        """Let nothing through and answer nothing, until healed."""
        if self.is_cut:
            return
        self.is_cut = True
        for connection in self._connections:
            connection.cut()
        self._loop.remove_reader(self._listener)
        self._listener.listen(0)
        self._fill()

    def heal(self) -> None:
        """Carry and accept again."""
        if not self.is_cut:
            return
        self.is_cut = False
        self._empty()
        self._listener.listen(BACKLOG)
        self._loop.add_reader(self._listener, self._accept)
        for connection in tuple(self._connections):
            connection.heal()

    def close(self) -> None:
        """Stop listening, and reset every connection."""
        self._closed = True
        self._loop.remove_reader(self._listener)
        self._listener.close()
        self._empty()
        for arrival in self._arrivals:
            arrival.cancel()
        for connection in tuple(self._connections):
            connection.reset()

    def _fill(self) -> None:
        """Take every place in the queue ourselves; the first SYN without an answer shows that it is full."""
        for _ in range(MOST_FILLERS):
            filler = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            filler.setblocking(False)
            filler.connect_ex(self._listener.getsockname())
            answered = select.poll()
            answered.register(filler, select.POLLOUT)
            if not answered.poll(0):
                filler.close()
                return
            self._fillers.append(filler)
            self._filler_addresses.add(filler.getsockname())

    def _empty(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()

    def _accept(self) -> None:
        for _ in range(BACKLOG):
            try:
                sock, address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in OUT_OF_DESCRIPTORS:
                    raise
                self._rest(error)
                return
            if address in self._filler_addresses:
                self._filler_addresses.discard(address)
                sock.close()
                continue
            sock.setblocking(False)
            arrival = self._loop.create_task(self._carry(sock))
            self._arrivals[arrival] = sock
            arrival.add_done_callback(self._arrivals.pop)

    def _rest(self, error: OSError) -> None:
        """Out of file descriptors: leave the others waiting for a moment instead of spinning."""
        log.error("link %s cannot accept more connections: %s; trying again in 0.5 s", self.route.name, error)
        self._loop.remove_reader(self._listener)
        self._loop.call_later(0.5, self._wake)

    def _wake(self) -> None:
        if not self._closed and not self.is_cut:
            self._loop.add_reader(self._listener, self._accept)

    async def _carry(self, sock: socket.socket) -> None:
        connection = Connection(
            delay_seconds=self.route.delay_seconds,
            delivers_last_words=self.route.delivers_last_words,
            cut=False,
            on_over=self._connections.discard,
        )
        try:
            await self._loop.create_connection(lambda: connection.target, *self.route.target)
            connection.is_cut = self.is_cut
            self._connections.add(connection)
            await self._loop.connect_accepted_socket(lambda: connection.client, sock)
        except OSError as error:
            log.info("link %s: no connection to %s:%d: %s", self.route.name, *self.route.target, error)
            reset_socket(sock)
        except asyncio.CancelledError:
            sock.close()
            raise

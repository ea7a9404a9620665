"""One TCP connection that a link carries: two sockets, and the bytes under way between them.

- Every byte leaves ``delay_seconds`` after it came, in each direction, in order, with no limit on throughput.
- Cut: nothing moves, and neither side is told anything, not even that the other has died. Bytes that were under
  way on a delayed link are gone. What waits in a kernel's buffers stays there, as it would at a host whose
  network is down.
- Healed: a connection that lost no bytes goes on where it stopped; any other is reset, because TCP never skips bytes.
- A sender that ends while its bytes are still under way takes them along, unless the link ``delivers_last_words``:
  the delay stands for data that still queues at the sender, and a process that is killed is not told apart from one
  that closes. The receiver sees a reset, never an orderly end.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import cast

# What one direction of a delayed connection may hold: at a delay of 0.5 s this carries 128 MiB/s.
FLIGHT_BYTES = 64 * 1024 * 1024
# Timers of event loops are good to a millisecond.
TICK_SECONDS = 0.0005
NO_LINGER = struct.pack("ii", 1, 0)


def reset_socket(sock: socket.socket) -> None:
    """Close ``sock`` so that its peer sees a reset instead of an orderly end."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    sock.close()


class Connection:
    """Both ends. ``on_over`` is called once, when both sockets are closed."""

    def __init__(
        self,
        *,
        delay_seconds: float,
        delivers_last_words: bool,
        cut: bool,
        on_over: Callable[[Connection], None],
    ) -> None:
        self.is_cut = cut
        self.ending = False
        self.delivers_last_words = delivers_last_words
        self._broken = False
        self._on_over = on_over
        self.client = End(self, delay_seconds)
        self.target = End(self, delay_seconds)
        self.client.other, self.target.other = self.target, self.client

    def cut(self) -> None:
        """Stop carrying, silently."""
        self.is_cut = True
        for end in (self.client, self.target):
            self._broken |= end.freeze()

    def heal(self) -> None:
        """Carry again, or reset both sides if bytes were lost."""
        self.is_cut = False
        if self._broken:
            self.reset()
            return
        self.client.move()
        self.target.move()

    def reset(self) -> None:
        """End both sides with a reset."""
        self.ending = True
        for end in (self.client, self.target):
            end.abort()

    def finished(self) -> None:
        """One direction is complete; close when both are."""
        if self.client.said_all and self.target.said_all:
            self.ending = True
            for end in (self.client, self.target):
                end.close()

    def lost(self) -> None:
        """One socket is gone. The other learns of it at once, or when the link is healed."""
        if self.client.gone and self.target.gone:
            self._on_over(self)
        elif self.is_cut:
            self._broken = True
        elif not self.ending:
            self.reset()


class End(asyncio.Protocol):
    """One socket, and the bytes that came from it and are on their way to the other."""

    other: End

    def __init__(self, connection: Connection, delay_seconds: float) -> None:
        self._connection = connection
        self._delay = delay_seconds
        self._limit = FLIGHT_BYTES if delay_seconds else 0
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._blocked = False
        self._flight: deque[tuple[float, bytes]] = deque()  # when due, what; b"" is the end of the stream
        self._flying = 0
        self._timer: asyncio.TimerHandle | None = None
        self._heard_all = False
        self.said_all = False
        self.gone = False

    # what the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are, but do not inherit from it
        if self._connection.ending:
            self.abort()
            return
        self._loop.call_soon(self.move)
        self._loop.call_soon(self.other.move)

    def data_received(self, data: bytes) -> None:
        self._flight.append((self._loop.time() + self._delay, data))
        self._flying += len(data)
        self.move()

    def eof_received(self) -> bool:
        self._heard_all = True
        if self._flying and self._delay and not self._connection.delivers_last_words:
            self._connection.reset()
            return False
        self._flight.append((self._loop.time() + self._delay, b""))
        self.move()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self._stop_timer()
        self._connection.lost()

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        self.other.move()

    # what the connection asks

    def move(self) -> None:
        """Hand over what is due, see that the rest will be, and read more if there is room."""
        if self._connection.ending:
            return
        latest = self._loop.time() + TICK_SECONDS
        while self._flight and self._flight[0][0] <= latest and self._may_pass():
            data = self._flight.popleft()[1]
            self._flying -= len(data)
            self.other.say(data)
        if self._flight and self._may_pass() and self._timer is None:
            self._timer = self._loop.call_at(self._flight[0][0], self._due)
        self._regulate()

    def say(self, data: bytes) -> None:
        """Write to this socket; ``b""`` ends what is said to it."""
        assert self._transport is not None
        if data:
            self._transport.write(data)
            return
        self.said_all = True
        try:
            self._transport.write_eof()
        except OSError:  # this side is gone, and its loop has not told us yet
            self._connection.reset()
        else:
            self._connection.finished()

    def freeze(self) -> bool:
        """Stop reading and moving; whether bytes were lost by it."""
        self._stop_timer()
        self._regulate()
        if not (self._delay and self._flying):
            return False
        self._flight.clear()
        self._flying = 0
        return True

    def abort(self) -> None:
        """Close with a reset."""
        self._stop_timer()
        self._flight.clear()
        if self._transport is not None and not self.gone:
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            self._transport.abort()

    def close(self) -> None:
        """Close once everything is written."""
        if self._transport is not None:
            self._transport.close()

    def _due(self) -> None:
        self._timer = None
        self.move()

    def _may_pass(self) -> bool:
        other = self.other
        return not (self._connection.is_cut or other._blocked or other._transport is None or other.gone)

    def _regulate(self) -> None:
        transport = self._transport
        if transport is None or self.gone or self._heard_all or transport.is_closing():
            return
        wanted = not self._connection.is_cut and self._flying <= self._limit
        if wanted and not transport.is_reading():
            transport.resume_reading()
        elif not wanted and transport.is_reading():
            transport.pause_reading()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

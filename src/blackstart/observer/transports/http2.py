"""HTTP/2: many requests at once on one connection. Over TLS it is agreed on in the handshake, else it is assumed.

A client cannot tell a connection whose other end is gone from one that is only slow. So one on which nothing has come
for `SILENT_SECONDS` while a request waited gets no new requests: they go to a new connection.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from blackstart.observer.transports.http1 import Exchange
from blackstart.observer.transports.lanes import reset

if TYPE_CHECKING:
    from blackstart.observer.transports.http2_lanes import Lane

SILENT_SECONDS = 0.25
MOST_STREAMS = 100  # on one connection, if the server allows that many
LAST_STREAM = 1_000_000  # then it is time for a new connection: numbers of streams are never used twice
HEADERS = (("accept", "*/*"), ("user-agent", "blackstart-observer"))


@dataclass
class Stream:
    """One request. ``number``: of its stream, 0 before it has one; ``began`` on the loop's clock."""

    connection: Connection
    method: str
    path: str
    content: bytes | None
    exchange: Exchange
    number: int = 0
    began: float = 0.0
    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: list[bytes] = field(default_factory=list)


class Connection(asyncio.Protocol):
    """One TCP connection of ``lane``."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._loop = asyncio.get_running_loop()
        self._http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=False))
        self._transport: asyncio.Transport | None = None
        self._streams: dict[int, Stream] = {}
        self._early: list[Stream] = []
        self.dialing: asyncio.Task[None] | None = None
        self._closing = False
        self._heard = self._waits = self._loop.time()
        self._number = 0

    @property
    def takes_more(self) -> bool:
        """Whether it is of use for another request."""
        if self._closing or self._number >= LAST_STREAM:
            return False
        most = MOST_STREAMS
        if self._transport is not None:
            most = min(most, self._http.remote_settings.max_concurrent_streams)
        if self.busy >= most:
            return False
        return not self.busy or self._loop.time() - max(self._heard, self._waits) < SILENT_SECONDS

    @property
    def connected(self) -> bool:
        return self._transport is not None

    @property
    def busy(self) -> int:
        """How many requests wait on it."""
        return len(self._streams) + len(self._early)

    def carry(self, stream: Stream) -> None:
        """Send it now, or once it is connected."""
        stream.began = self._loop.time()
        if not self.busy:
            self._waits = stream.began
        stream.exchange.holder = stream
        if self._transport is None:
            self._early.append(stream)
        else:
            self._send_all([stream])

    def abandon(self, stream: Stream) -> None:
        """Nobody waits for ``stream`` any more."""
        stream.exchange.holder = None
        self._closing |= self._heard <= stream.began  # nothing has come since
        if stream in self._early:
            self._early.remove(stream)
        elif self._streams.pop(stream.number, None) is not None and self._transport is not None:
            try:
                self._http.reset_stream(stream.number, h2.errors.ErrorCodes.CANCEL)
            except h2.exceptions.ProtocolError:
                self._closing = True
            self._flush()
        if self._closing and not self.busy:
            self.drop()

    def retire(self) -> None:
        """Close once the last request on it has ended."""
        self._closing = True
        if not self.busy and self._transport is not None:
            self._transport.close()

    def drop(self) -> None:
        """Close at once, with a reset."""
        self._closing = True
        if self._transport is not None:
            reset(self._transport)
        elif self.dialing is not None:
            self.dialing.cancel()

    def fail(self, error: OSError) -> None:
        """Nothing on it will be answered."""
        self._closing = True
        streams = [*self._early, *self._streams.values()]
        self._early, self._streams = [], {}
        for stream in streams:
            stream.exchange.holder = None
            stream.exchange.broke(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are, but do not inherit from it
        self._lane.connected(transport)
        self._http.initiate_connection()
        early, self._early = self._early, []
        self._send_all(early)

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        try:
            events = self._http.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            self.fail(OSError(f"not HTTP/2: {error}"))
            self.drop()
            return
        for event in events:
            self._take(event)
        self._flush()
        if not self.busy and (self._closing or self._lane.retired):
            self.retire()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._lane.forget(self)
        self.fail(error if isinstance(error, OSError) else ConnectionResetError(0, "closed without an answer"))

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            self._closing = True
            self._repeat(event.last_stream_id or 0)
            return
        stream = self._streams.get(getattr(event, "stream_id", None) or 0)
        if isinstance(event, h2.events.DataReceived):
            self._http.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
            if stream is not None and stream.exchange.keeps_body:
                stream.body.append(event.data or b"")
        elif stream is None:
            return
        elif isinstance(event, h2.events.ResponseReceived):
            stream.headers = {bytes(name): bytes(value) for name, value in event.headers or ()}
            stream.status = int(stream.headers.pop(b":status"))
        elif isinstance(event, h2.events.StreamEnded):
            self._over(stream).answered(stream.status, stream.headers, b"".join(stream.body))
        elif isinstance(event, h2.events.StreamReset):
            if event.error_code == h2.errors.ErrorCodes.REFUSED_STREAM:
                stream.exchange.left = False  # the server says that it has done nothing
            self._over(stream).broke(ConnectionResetError(0, f"stream reset, code {event.error_code}"))

    def _repeat(self, last: int) -> None:
        """The server goes away and says that it has done nothing of what came after stream ``last``."""
        for number in [number for number in self._streams if number > last]:
            stream = self._streams[number]
            self._over(stream).left = False
            self._lane.carry(stream.method, stream.path, stream.content, stream.exchange)

    def _over(self, stream: Stream) -> Exchange:
        self._streams.pop(stream.number, None)
        stream.exchange.holder = None
        return stream.exchange

    def _send_all(self, streams: list[Stream]) -> None:
        for stream in streams:
            try:
                self._send(stream)
            except h2.exceptions.ProtocolError as error:
                self._closing = True
                self._over(stream).broke(OSError(f"the connection takes no more: {error}"))
        self._flush()

    def _send(self, stream: Stream) -> None:
        stream.number = self._number = self._http.get_next_available_stream_id()
        self._streams[stream.number] = stream
        stream.exchange.left = True
        scheme = "https" if self._lane.tls else "http"
        headers: list[tuple[str, str]] = [
            (":method", stream.method),
            (":scheme", scheme),
            (":authority", self._lane.host),
            (":path", stream.path),
            *HEADERS,
        ]
        if stream.content is not None:
            headers += [("content-type", "application/json"), ("content-length", str(len(stream.content)))]
        self._http.send_headers(stream.number, headers, end_stream=stream.content is None)
        if stream.content is not None:
            self._http.send_data(stream.number, stream.content, end_stream=True)

    def _flush(self) -> None:
        data = self._http.data_to_send()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

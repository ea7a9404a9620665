"""HTTP/1.1 over connections that are kept: one request at a time on each, as many connections as it takes.

No task and no timer for a request on a connection that is there already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol, cast

import httptools

from blackstart.observer.transports.lanes import Lanes, connect, reset
from blackstart.observer.transports.tls import Tls

IDLE_SECONDS = 30.0  # servers close what idles longer, perhaps just when it is used again


class Exchange(Protocol):
    """A request on its way through a connection, as that sees it."""

    left: bool
    holder: object

    @property
    def keeps_body(self) -> bool: ...

    @property
    def repeats(self) -> bool: ...

    def answered(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> None: ...

    def broke(self, error: OSError) -> None: ...


class Connection(asyncio.Protocol):
    """One TCP connection of ``lane``. ``since``: when it became idle, on the loop's clock."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.since = 0.0
        self.dialing: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._exchange: Exchange | None = None
        self._data = b""
        self._used = 0
        self._begin_answer()

    def carry(self, data: bytes, exchange: Exchange) -> None:
        """Send ``data`` now, or once it is connected, and tell ``exchange`` what comes of it."""
        self._exchange, self._data = exchange, data
        exchange.holder = self
        if self._transport is not None:
            self._send()

    def abandon(self) -> None:
        """Nobody waits any more: close with a reset, which leaves nothing behind in the kernel."""
        self._drop_exchange()
        if self.dialing is not None:
            self.dialing.cancel()
        if self._transport is not None:
            reset(self._transport)

    def close(self) -> None:
        """Close, whatever it is doing."""
        if self._transport is not None:
            self._transport.close()

    def fail(self, error: OSError) -> None:
        """It could not be connected."""
        exchange = self._drop_exchange()
        if exchange is not None:
            exchange.broke(error)

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are, but do not inherit from it
        self.lane.open.add(self)
        if self.lane.tls is not None:
            self.lane.tls.shown(self.lane.address, transport.get_extra_info("ssl_object"))
        if self._exchange is not None:
            self._send()

    def data_received(self, data: bytes) -> None:
        if self._exchange is None:
            self.close()  # it says something unasked
            return
        self._heard = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._end(OSError(f"not an HTTP answer: {error}"))

    def eof_received(self) -> None:
        if self._exchange is not None and self._until_end:
            self._keep = False
            self._complete()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self.lane.forget(self)
        exchange, data = self._drop_exchange(), self._data
        if exchange is None:
            return
        orderly = error is None or isinstance(error, BrokenPipeError)
        if orderly and self._used > 1 and not self._heard and exchange.repeats:
            self.lane.dial(data, exchange)  # it had been closed as idle before the request came
            return
        exchange.broke(error if isinstance(error, OSError) else ConnectionResetError(0, "closed without an answer"))

    def on_message_begin(self) -> None:
        if self._exchange is None:
            self.close()  # a second answer to one request
        self._begin_answer()
        self._heard = True

    def on_header(self, name: bytes, value: bytes | None) -> None:
        self._headers[name.lower()] = value or b""

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        headers = self._headers
        bare = self._status >= 200 and self._status not in {204, 304}
        self._until_end = bare and b"content-length" not in headers and b"transfer-encoding" not in headers

    def on_body(self, body: bytes) -> None:
        if self._exchange is not None and self._exchange.keeps_body:
            self._body.append(body)

    def on_message_complete(self) -> None:
        if self._status >= 200 and self._exchange is not None:  # others only announce the answer
            self._keep = self._parser.should_keep_alive()
            self._complete()

    def _begin_answer(self) -> None:
        self._status = 0
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._heard = self._until_end = self._keep = False

    def _send(self) -> None:
        assert self._transport is not None
        assert self._exchange is not None
        self._used += 1
        self._heard = False
        self._exchange.left = True
        self._transport.write(self._data)

    def _complete(self) -> None:
        exchange = self._drop_exchange()
        status, headers, body = self._status, self._headers, b"".join(self._body)
        if self._keep and self.usable:
            self.lane.rest(self)
        else:
            self.close()
        if exchange is not None:
            exchange.answered(status, headers, body)

    def _end(self, error: OSError) -> None:
        exchange = self._drop_exchange()
        if self._transport is not None:
            self._transport.abort()
        if exchange is not None:
            exchange.broke(error)

    def _drop_exchange(self) -> Exchange | None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.holder = None
        return exchange


class Lane:
    """The connections to one address: ``open`` are all, of which some idle."""

    def __init__(self, address: str, port: int, tls: Tls | None) -> None:
        self.address = address
        self.tls = tls
        self.open: set[Connection] = set()
        self._port = port
        self._idle: dict[Connection, None] = {}  # the one that was used last is the last
        self._dials: set[asyncio.Task[None]] = set()
        self._retired = False
        self._loop = asyncio.get_running_loop()

    @property
    def empty(self) -> bool:
        return not self.open and not self._dials

    def carry(self, data: bytes, exchange: Exchange) -> None:
        """Send ``data`` on the connection that was used last, or on a new one."""
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.usable:
                connection.carry(data, exchange)
                return
        self.dial(data, exchange)

    def dial(self, data: bytes, exchange: Exchange) -> None:
        """Send ``data`` on a connection of its own."""
        connection = Connection(self)
        connection.carry(data, exchange)
        connection.dialing = task = self._loop.create_task(self._connect(connection))
        self._dials.add(task)
        task.add_done_callback(self._dials.discard)

    def rest(self, connection: Connection) -> None:
        """``connection`` has nothing to do."""
        if self._retired:
            connection.close()
            return
        now = self._loop.time()
        connection.since = now
        self._idle[connection] = None
        oldest = next(iter(self._idle))
        if now - oldest.since > IDLE_SECONDS:
            del self._idle[oldest]
            oldest.close()

    def forget(self, connection: Connection) -> None:
        """``connection`` is closed."""
        self.open.discard(connection)
        self._idle.pop(connection, None)

    def retire(self) -> None:
        """Close what idles; the rest once its request has ended."""
        self._retired = True
        while self._idle:
            self._idle.popitem()[0].close()

    async def close(self) -> None:
        """Close everything."""
        self.retire()
        for task in self._dials:
            task.cancel()
        await asyncio.gather(*self._dials, return_exceptions=True)
        for connection in list(self.open):
            connection.abandon()
        await asyncio.sleep(0)

    async def _connect(self, connection: Connection) -> None:
        try:
            await connect(connection, self.address, self._port, self.tls)
        except OSError as error:
            connection.fail(error)
        finally:
            connection.dialing = None


class Pool(Lanes[Lane]):
    """Connections to ``port`` of any address. Deadlines are the caller's."""

    def __init__(self, port: int, tls: Tls | None) -> None:
        super().__init__(lambda address: Lane(address, port, tls), tls)

    def carry(self, address: str, data: bytes, exchange: Exchange) -> None:
        """Send ``data`` to ``address``; ``exchange`` is told the answer, or that there will be none."""
        self.to(address).carry(data, exchange)

    def abandon(self, exchange: Exchange) -> None:
        """Nobody waits for ``exchange`` any more; it is told nothing."""
        if isinstance(exchange.holder, Connection):
            exchange.holder.abandon()


def encode(method: str, host: str, path: str, body: bytes | None = None) -> bytes:
    """A request as it goes over the wire; ``host`` as its header says it. A body is JSON."""
    lines = f"{method} {path} HTTP/1.1\r\nhost: {host}\r\naccept: */*\r\nuser-agent: blackstart-observer\r\n"
    if body is None:
        return f"{lines}\r\n".encode()
    return f"{lines}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body

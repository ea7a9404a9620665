"""Which connection of HTTP/2 an exchange goes over: one that is of use, or a new one."""

from __future__ import annotations

import asyncio

from blackstart.observer.transports.http1 import Exchange
from blackstart.observer.transports.http2 import Connection, Stream
from blackstart.observer.transports.lanes import Lanes, connect
from blackstart.observer.transports.tls import Tls


class Lane:
    """The connections to one address."""

    def __init__(self, address: str, port: int, host: str, tls: Tls | None) -> None:
        self.host = host
        self.tls = tls
        self._address = address
        self._port = port
        self.retired = False
        self._connections: list[Connection] = []
        self._dials: set[asyncio.Task[None]] = set()

    @property
    def empty(self) -> bool:
        return not self._connections

    def carry(self, method: str, path: str, content: bytes | None, exchange: Exchange) -> None:
        """On a connection that is of use, or on a new one."""
        for connection in self._connections:
            if connection.takes_more:
                connection.carry(Stream(connection, method, path, content, exchange))
                return
        connection = Connection(self)
        self._connections.append(connection)
        connection.carry(Stream(connection, method, path, content, exchange))
        connection.dialing = task = asyncio.get_running_loop().create_task(self._connect(connection))
        self._dials.add(task)
        task.add_done_callback(self._dials.discard)

    def connected(self, transport: asyncio.BaseTransport) -> None:
        """A connection is up."""
        if self.tls is not None:
            self.tls.shown(self._address, transport.get_extra_info("ssl_object"))

    def forget(self, connection: Connection) -> None:
        """``connection`` is closed."""
        if connection in self._connections:
            self._connections.remove(connection)

    def retire(self) -> None:
        """Close each connection once its last request has ended."""
        self.retired = True
        for connection in list(self._connections):
            connection.retire()

    async def close(self) -> None:
        """Close everything."""
        for task in self._dials:
            task.cancel()
        await asyncio.gather(*self._dials, return_exceptions=True)
        for connection in list(self._connections):
            connection.drop()
        await asyncio.sleep(0)

    async def _connect(self, connection: Connection) -> None:
        try:
            await connect(connection, self._address, self._port, self.tls)
        except OSError as error:
            connection.fail(error)
        finally:
            connection.dialing = None
            if not connection.connected:
                self.forget(connection)


class Pool(Lanes[Lane]):
    """Connections to ``port`` of any address, where ``host`` is asked for. Deadlines are the caller's."""

    def __init__(self, port: int, host: str, tls: Tls | None) -> None:
        super().__init__(lambda address: Lane(address, port, host, tls), tls)

    def carry(self, address: str, method: str, path: str, content: bytes | None, exchange: Exchange) -> None:
        """Send a request to ``address``; ``exchange`` is told the answer, or that there will be none."""
        self.to(address).carry(method, path, content, exchange)

    def abandon(self, exchange: Exchange) -> None:
        """Nobody waits for ``exchange`` any more; it is told nothing."""
        if isinstance(exchange.holder, Stream):
            exchange.holder.connection.abandon(exchange.holder)

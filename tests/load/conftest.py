"""A tiny service for users, on real sockets; and nothing may be left of a load."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass
class Server:
    """Answers every request at ``port`` with ``answer``; counts connections by the address they came from."""

    port: int = 0
    answer: bytes = ANSWER
    sources: list[str] = field(default_factory=list)
    open: set[asyncio.StreamWriter] = field(default_factory=set)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sources.append(writer.get_extra_info("peername")[0])
        self.open.add(writer)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(self.answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open.discard(writer)
            writer.close()

    def run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self.handle, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self.loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0.05))
        self.loop.close()

    def drop(self) -> None:
        """Reset every connection."""
        self.loop.call_soon_threadsafe(lambda: [writer.transport.abort() for writer in self.open])


@pytest.fixture
def server() -> Iterator[Server]:
    found, ready = Server(), threading.Event()
    thread = threading.Thread(target=found.run, args=(ready,))
    thread.start()
    ready.wait(10)
    yield found
    found.loop.call_soon_threadsafe(found.loop.stop)
    thread.join(10)

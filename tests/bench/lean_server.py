"""A server that does next to nothing for a request: what is measured against it is the client. Prints its port."""

import asyncio
import sys

import uvloop

HEADERS = b"content-type: application/json\r\nx-region: us-east-1\r\nx-zone: us-east-1a\r\nx-pod: orders-1\r\n"
FOUND = b"HTTP/1.1 200 OK\r\n" + HEADERS + b"x-cache: hit\r\ncontent-length: 2\r\n\r\n{}"
CREATED = b"HTTP/1.1 201 Created\r\n" + HEADERS + b"content-length: 2\r\n\r\n{}"


class Lean(asyncio.Protocol):
    """One connection. A client that waits for each answer sends a request in one piece; ``hang``: never answers."""

    def __init__(self, hang: bool) -> None:
        self._hang = hang

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        if not self._hang:
            self._transport.write(CREATED if data.startswith(b"POST") else FOUND)


async def main(hang: bool) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Lean(hang), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main("hang" in sys.argv[1:]))

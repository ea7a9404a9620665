"""A link process with an echo server behind it, for tests."""

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest
import uvloop

from blackstart.lab.links import LinkSpec, carrying

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class Lab:
    """A link process, an echo server behind it, and what the echo server saw."""

    def __init__(self, admin, session, echo_port):
        self.admin, self.session, self.echo_port = admin, session, echo_port
        self.heard = bytearray()
        self.server_ends = []

    async def ask(self, method, path, **body):
        async with self.session.request(method, self.admin + path, json=body or None) as answer:
            return answer.status, await answer.json() if answer.status != 204 else None

    async def link(self, name="link", **more):
        status, answer = await self.ask(
            "POST", "/links", **{"name": name, "target_host": "127.0.0.1", "target_port": self.echo_port, **more}
        )
        assert status == 201, answer
        return answer["port"]

    async def cut(self, *zones):
        return (await self.ask("PUT", "/cuts", zones=list(zones)))[1]["cut"]

    async def echo(self, reader, writer):
        try:
            while data := await reader.read(65536):
                self.heard += data
                writer.write(data)
                await writer.drain()
            self.server_ends.append("end")
        except ConnectionResetError:
            self.server_ends.append("reset")
        finally:
            writer.close()


@asynccontextmanager
async def lab():
    async with carrying(LinkSpec("127.0.0.1", 0)) as port, aiohttp.ClientSession() as session:
        made = Lab(f"http://127.0.0.1:{port}", session, 0)
        server = await asyncio.start_server(made.echo, "127.0.0.1", 0)
        made.echo_port = server.sockets[0].getsockname()[1]
        try:
            yield made
        finally:
            server.close()


async def connect(port, seconds=2.0):
    return await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), seconds)


async def hangs(awaitable, seconds=0.3):
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(awaitable, seconds)
    return True


async def until(condition, seconds=3.0):
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


async def said(reader, size, seconds=3.0):
    return await asyncio.wait_for(reader.readexactly(size), seconds)

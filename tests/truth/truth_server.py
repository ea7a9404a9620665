"""A service with planted behaviour, a process of its own, that keeps its own log of the truth.

``truth_server.py FOLDER``: the plan is the first line of standard input; it answers with its port, its DNS server's
port and a line feed once it listens; ``go SECONDS`` says at which moment of the machine's monotonic clock the plan
begins; end of file ends it, and then the truth is in ``FOLDER/truth.json`` (`truth_bed.Truth` tells its fields).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import sys
import time
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import uvloop
from truth_names import Names
from truth_plan import ERROR, FORGET, HOLE, LATE, LIE, QUIET, REFUSE, RESET, SLOW, STALL, Plan, Trouble

STDIN, STDOUT = 0, 1
HOME, STANDBY = "us-east-1", "us-west-2"
TICK, NOTED = 0.005, 0.002
PORTS = range(20_000, 30_000)
"""Below those that the system hands out, so that nobody takes the port while the service is away."""


class Connection(asyncio.Protocol):
    """One client's connection: requests one after the other, kept alive."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        self._zone.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._zone.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            lower = head.lower()
            place = lower.find(b"content-length:")
            length = int(lower[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            method, path, _ = head.split(b" ", 2)
            self._zone.arrived(self, method.decode(), path.decode(), rest[:length])

    def answer(self, status: int, headers: str, body: Any) -> None:
        content = json.dumps(body).encode()
        head = f"HTTP/1.1 {status} Planted\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n"
        self.transport.write(f"{head}{headers}\r\n".encode() + content)


class Request:
    """One request as the server saw it; ``ended`` and ``status`` 0 as long as nothing was answered."""

    __slots__ = ("arrived", "body", "connection", "ended", "method", "path", "status", "trouble", "zone")

    def __init__(self, connection: Connection, zone: Zone, method: str, path: str, body: bytes) -> None:
        self.connection, self.zone = connection, zone
        self.method, self.path, self.body = method, path, body
        self.arrived = time.monotonic()
        self.ended, self.status = 0.0, 0
        self.trouble: Trouble | None = None


class Zone:
    """One address of the service: its listener, its connections, and the trouble that it is in."""

    def __init__(self, server: Server, address: str, place: int) -> None:
        self._server, self.address = server, address
        region = STANDBY if place and server.plan.turns else HOME
        self._headers = f"x-region: {region}\r\nx-zone: {region}{'abc'[place]}\r\nx-pod: orders-{place}\r\n"
        self.connections: set[Connection] = set()
        self.trouble: Trouble | None = None
        self._held: list[Request] = []
        self._listener: asyncio.Server | None = None

    async def listen(self) -> None:
        opened = socket.socket()
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((self.address, self._server.port))
        opened.listen(1024)
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: Connection(self), sock=opened)

    def die(self) -> None:
        assert self._listener is not None
        self._listener.close()
        for each in list(self.connections):
            each.transport.abort()

    def release(self) -> None:
        held, self._held = self._held, []
        for each in held:
            self._reply(each)

    def arrived(self, connection: Connection, method: str, path: str, body: bytes) -> None:
        request = Request(connection, self, method, path, body)
        if path.startswith("/orders?"):
            self._end(request, 200, self._server.page(path))
            return
        self._server.requests.append(request)
        trouble = self._meets(request)
        if trouble is not None and trouble.mode in (HOLE, STALL):
            self._hold(request, trouble)
            return
        plan, chance = self._server.plan, self._server.chance
        delay = plan.usual + min(chance.expovariate(4 / plan.tail), plan.tail) if plan.tail else plan.usual
        delay += trouble.delay if trouble is not None and trouble.mode == SLOW else 0
        if delay:
            asyncio.get_running_loop().call_later(delay, self._due, request)
        else:
            self._due(request)

    def _meets(self, request: Request) -> Trouble | None:
        trouble = self.trouble
        if trouble is None or (trouble.share < 1 and self._server.chance.random() >= trouble.share):
            return None
        request.trouble = trouble
        return trouble

    def _hold(self, request: Request, trouble: Trouble) -> None:
        if trouble.mode == STALL:
            self._held.append(request)

    def _due(self, request: Request) -> None:
        """Its fate is decided when its answer is due, by the trouble there is then."""
        trouble = self.trouble
        if trouble is not request.trouble and trouble is not None and trouble.share == 1:
            request.trouble = trouble
        elif trouble is not request.trouble:
            request.trouble = None
        if request.trouble is not None and request.trouble.mode in (HOLE, STALL):
            self._hold(request, request.trouble)
        else:
            self._reply(request)

    def _reply(self, request: Request) -> None:
        mode = request.trouble.mode if request.trouble else ""
        if request.connection.transport.is_closing() or mode in (RESET, REFUSE):
            request.connection.transport.abort()
            request.ended = time.monotonic()
            return
        if mode == ERROR:
            self._end(request, 503, {"error": "planted"})
        elif request.method == "POST":
            self._write(request, mode)
        else:
            self._end(request, 200, {"product": request.path.rpartition("/")[2]}, "x-cache: hit\r\n")

    def _write(self, request: Request, mode: str) -> None:
        server, key = self._server, json.loads(request.body)["key"]
        if mode != FORGET:
            after = request.trouble.delay if request.trouble and mode == LATE else 0.0
            server.stored.setdefault(key, time.monotonic() + after)
        if mode == QUIET:
            request.ended = time.monotonic()
            request.connection.transport.abort()
            return
        self._end(request, 409 if mode == LIE else 201, {"key": key})
        if mode != LIE:
            server.acknowledged[key] = request.ended

    def _end(self, request: Request, status: int, body: Any, headers: str = "") -> None:
        request.connection.answer(status, self._headers + headers, body)
        request.ended, request.status = time.monotonic(), status


class Server:
    """All zones, what was stored, and the log."""

    def __init__(self, plan: Plan, port: int) -> None:
        self.plan, self.port = plan, port
        self.chance = random.Random(plan.seed)
        self.zones = [Zone(self, address, place) for place, address in enumerate(plan.addresses)]
        self.names = Names(plan)
        self.requests: list[Request] = []
        self.stored: dict[str, float] = {}
        self.acknowledged: dict[str, float] = {}
        self.edges: list[tuple[int, str, float, float]] = []
        self.lags: list[tuple[float, float]] = []

    def page(self, path: str) -> dict[str, Any]:
        asked = parse_qs(urlsplit(path).query, keep_blank_values=True)
        prefix, after, now = asked["prefix"][0], asked["after"][0], time.monotonic()
        keys = sorted(key for key, at in self.stored.items() if key.startswith(prefix) and key > after and at <= now)
        page = keys[:1000]
        return {"keys": page, "next": page[-1] if len(keys) > len(page) else None}

    async def play(self, go: float) -> None:
        """Every trouble begins and ends when the plan says; the log says when it really did."""
        moments = [(each.began, 1, number) for number, each in enumerate(self.plan.troubles)]
        moments += [(each.ended, 0, number) for number, each in enumerate(self.plan.troubles)]
        moments += [(each.at, 2, number) for number, each in enumerate(self.plan.turns)]
        for at, what, number in sorted(moments):
            await asyncio.sleep(max(0.0, go + at - time.monotonic()))
            if what == 2:
                self.names.addresses = self.plan.turns[number].addresses
            else:
                await self._switch(number, begins=what == 1)

    async def _switch(self, number: int, *, begins: bool) -> None:
        trouble = self.plan.troubles[number]
        before = time.monotonic()
        for zone in self.zones:
            if trouble.address not in ("", zone.address):
                continue
            zone.trouble = trouble if begins else None
            if trouble.mode == REFUSE and begins:
                zone.die()
            elif trouble.mode == REFUSE:
                await zone.listen()
            elif not begins:
                zone.release()
        self.edges.append((number, "began" if begins else "ended", before, time.monotonic()))

    async def tick(self) -> None:
        """Notes whenever this process itself came late: what it says of such moments is that much less exact."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(TICK)
            late = time.monotonic() - before - TICK
            if late > NOTED:
                self.lags.append((before + TICK, before + TICK + late))

    def truth(self) -> dict[str, Any]:
        rows = [(each.arrived, each.ended, each.status, each.method, each.zone.address) for each in self.requests]
        fields = ("edges", "lags", "stored", "acknowledged")
        return {"requests": rows, "names": self.names.told, **{name: getattr(self, name) for name in fields}}


def free_port(addresses: tuple[str, ...], chance: random.Random) -> int:
    while True:
        port = chance.choice(PORTS)
        try:
            for address in addresses:
                with socket.socket() as probe:
                    probe.bind((address, port))
        except OSError:
            continue
        return port


async def _lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def serve(folder: Path) -> None:
    lines = await _lines()
    plan = Plan.from_json((await lines.readline()).decode())
    server = Server(plan, free_port(plan.addresses, random.Random(os.getpid())))
    for zone in server.zones:
        await zone.listen()
    dns = await server.names.listen() if plan.turns else 0
    os.write(STDOUT, f"{server.port} {dns}\n".encode())
    tasks = {asyncio.create_task(server.tick())}
    while line := await lines.readline():
        tasks.add(asyncio.create_task(server.play(float(line.split()[1]))))
    (folder / "truth.json").write_text(json.dumps(server.truth()), encoding="utf-8")
    os._exit(0)


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1])))

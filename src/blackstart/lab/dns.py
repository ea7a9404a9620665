"""The lab's DNS server, for Route 53: answers over UDP and TCP follow the AWS API's records and real health checks.

Admin port, JSON: GET /healthz (the server listens), GET /health (all health checks, by id), GET /records (what is
served, and whether it is stale because the API does not answer).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import asdict, dataclass
from functools import partial
from typing import cast

import aiohttp
from aiohttp import web

from blackstart.clock import Clock, SystemClock, iso
from blackstart.lab.dns_answers import answer
from blackstart.lab.dns_health import HealthChecks
from blackstart.lab.dns_records import Zone
from blackstart.lab.dns_source import Follower, Route53, RoutingControls, Snapshot
from blackstart.lab.serving import answering

Answer = Callable[[bytes, str], bytes | None]
"""The answer to a packet from an address."""


@dataclass(frozen=True)
class DnsSpec:
    """Where the server listens, and what it follows.

    ``zone`` is the hosted zone's name; ``router_admin_url`` may be ""; health checks run ``time_scale`` times faster
    than configured.
    """

    host: str
    port: int
    admin_port: int
    aws_url: str
    router_admin_url: str
    zone: str
    time_scale: float = 10.0


async def serve(spec: DnsSpec, clock: Clock | None = None) -> None:
    """Answer until cancelled. OSError if a port is taken."""
    server = Server(spec, clock or SystemClock())
    async with server.listening():
        await server.follow_forever()


class Server:
    """One zone, served."""

    def __init__(self, spec: DnsSpec, clock: Clock) -> None:
        self._spec = spec
        self._clock = clock
        self._zone = Zone(spec.zone)
        self._read_at = ""
        self._draw = random.Random().random
        self._checks = HealthChecks(clock, spec.time_scale)
        self._follower: Follower[Snapshot] | None = None
        self._switched = asyncio.Event()  # once there is a routing control to follow

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Answer questions inside the block."""
        loop = asyncio.get_running_loop()
        where = (self._spec.host, self._spec.port)
        streams: set[asyncio.Transport] = set()
        datagrams, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(partial(self._answer, udp=True)), local_addr=where
        )
        try:
            tcp = await loop.create_server(lambda: _Stream(partial(self._answer, udp=False), streams), *where)
            try:
                async with answering(self._admin(), self._spec.host, self._spec.admin_port):
                    yield
            finally:
                tcp.close()
                for stream in streams:
                    stream.abort()
        finally:
            datagrams.close()
            await self._checks.close()

    async def follow_forever(self) -> None:
        """Keep records, health checks and routing controls as the APIs have them."""
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as work:
            work.create_task(self._follow_names(session))
            work.create_task(self._follow_controls(session))

    async def _follow_names(self, session: aiohttp.ClientSession) -> None:
        source = await asyncio.to_thread(Route53, self._spec.aws_url, self._spec.zone)
        with closing(source):
            self._follower = Follower(source, self._spec.router_admin_url, session, self._apply)
            await self._follower.follow_forever()

    async def _follow_controls(self, session: aiohttp.ClientSession) -> None:
        await self._switched.wait()
        source = await asyncio.to_thread(RoutingControls, self._spec.router_admin_url or self._spec.aws_url)
        with closing(source):
            await Follower(source, self._spec.router_admin_url, session, self._checks.switch).follow_forever()

    def _apply(self, snapshot: Snapshot) -> None:
        self._zone = snapshot.zone
        self._checks.update(snapshot.checks)
        self._read_at = iso(self._clock.now())
        if self._checks.follows_controls:
            self._switched.set()

    def _answer(self, packet: bytes, client: str, *, udp: bool) -> bytes | None:
        return answer(packet, self._zone, self._checks.healthy, self._draw, udp=udp, client=client)

    def _admin(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/health", self._health)
        app.router.add_get("/records", self._records)
        return app

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response(self._checks.report())

    async def _records(self, _: web.Request) -> web.Response:
        stale = self._follower is None or self._follower.stale
        records = [asdict(record) for record in self._zone.records]
        return web.json_response(
            {"zone": self._zone.name, "read_at": self._read_at, "stale": stale, "records": records}
        )


class _Datagrams(asyncio.DatagramProtocol):
    """One question and one answer per packet."""

    def __init__(self, answer_to: Answer) -> None:
        self._answer_to = answer_to

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        reply = self._answer_to(data, str(addr[0]))
        if reply is not None:
            self._transport.sendto(reply, addr)


class _Stream(asyncio.Protocol):
    """Questions and answers, each after its length in two bytes (RFC 1035, 4.2.2)."""

    def __init__(self, answer_to: Answer, open_streams: set[asyncio.Transport]) -> None:
        self._answer_to = answer_to
        self._open_streams = open_streams
        self._held = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._open_streams.add(self._transport)
        self._client = str((transport.get_extra_info("peername") or ("",))[0])

    def connection_lost(self, exc: Exception | None) -> None:
        self._open_streams.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._held += data
        while len(self._held) >= 2:
            end = 2 + int.from_bytes(self._held[:2], "big")
            if len(self._held) < end:
                return
            reply = self._answer_to(bytes(self._held[2:end]), self._client)
            del self._held[:end]
            if reply is None:
                self._transport.close()
                return
            self._transport.write(len(reply).to_bytes(2, "big") + reply)

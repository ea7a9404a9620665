"""A service with planted behaviour that keeps its own log of the truth, and a DNS server whose answers change."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

import pytest
from aiohttp import web
from dnslib import QTYPE, RR, A, DNSHeader, DNSRecord
from dnslib.server import BaseResolver, DNSLogger, DNSServer

from blackstart.clock import SystemClock
from blackstart.observer import samples
from blackstart.observer.observe import observe
from blackstart.observer.samples import Cause, Header, Kind, Outcome, Sample, Samples
from blackstart.observer.spec import Spec
from blackstart.scope import Scope
from blackstart.settings import Observing, Service, Settings

HOST = "orders.shop.test"


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Planted:
    """``mode``: up, stall (answers all at once when it ends), hole (never answers), error (503), reset (after
    reading the request), forget (acknowledges, does not store), quiet (stores, then resets), teapot (418)."""

    region: str = "us-east-1"
    mode: str = "up"
    truth: list[tuple[float, str]] = field(default_factory=list)
    stored: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    requests: int = 0
    connections: set[asyncio.BaseTransport] = field(default_factory=set)
    page: int = 1000

    def turn(self, mode: str) -> None:
        self.mode = mode
        self.truth.append((SystemClock().monotonic(), mode))
        self._turned.set()
        self._turned = asyncio.Event()

    async def start(self, ip: str, port: int) -> None:
        self._turned = asyncio.Event()
        self._address = (ip, port)
        app = web.Application(middlewares=[self._behave])
        app.router.add_post("/orders", self._write)
        app.router.add_get("/orders", self._list)
        app.router.add_get("/products/{number}", self._read)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await self.listen()

    async def listen(self) -> None:
        self._site = web.TCPSite(self._runner, *self._address)
        await self._site.start()
        self.turn("up")

    async def refuse(self) -> None:
        await self._site.stop()
        self.turn("refuse")
        for each in self.connections:
            each.abort()
        self.connections.clear()

    async def begin(self, mode: str) -> None:
        if mode == "refuse":
            await self.refuse()
        else:
            self.turn(mode)

    async def end(self, mode: str) -> None:
        if mode == "refuse":
            await self.listen()
        self.turn("up")

    async def close(self) -> None:
        self.turn("hole")
        for each in self.connections:
            each.abort()
        await self._runner.cleanup()

    def spans(self, mode: str) -> list[tuple[float, float]]:
        """From when to when it was in ``mode``, on the machine's monotonic clock."""
        later = zip(self.truth, self.truth[1:], strict=False)
        return [(began, ended) for (began, each), (ended, _) in later if each == mode]

    @web.middleware
    async def _behave(self, request: web.Request, handler: Callable) -> web.StreamResponse:
        self.requests += 1
        self.connections.add(request.transport)
        while self.mode == "stall":
            await self._turned.wait()
        if self.mode == "hole":
            await asyncio.sleep(3600)
        if self.mode == "reset":
            request.transport.abort()
        response = await handler(request)
        response.headers.update({"x-region": self.region, "x-zone": self.region + "a", "x-pod": "orders-1"})
        return response

    def _status(self, usual: int) -> int:
        return {"error": 503, "teapot": 418}.get(self.mode, usual)

    async def _write(self, request: web.Request) -> web.Response:
        if self.mode == "reset":
            return web.Response()
        key = (await request.json())["key"]
        status = self._status(201)
        if status == 201 and self.mode != "forget":
            self.stored.add(key)
        if self.mode == "quiet":
            request.transport.abort()
        elif status == 201:
            self.acknowledged.add(key)
        return web.json_response({"key": key}, status=status)

    async def _read(self, request: web.Request) -> web.Response:
        return web.json_response({}, status=self._status(200), headers={"x-cache": "hit"})

    async def _list(self, request: web.Request) -> web.Response:
        prefix, after = request.query["prefix"], request.query["after"]
        keys = sorted(key for key in self.stored if key.startswith(prefix) and key > after)
        page = keys[: self.page]
        return web.json_response({"keys": page, "next": page[-1] if len(keys) > len(page) else None})


class Names(BaseResolver):
    """A DNS server for `HOST`: ``addresses`` and ``ttl`` may be changed at any time; ``silent``: answers nothing."""

    def __init__(self) -> None:
        self.addresses = ["127.0.0.1"]
        self.ttl = 1
        self.silent = False
        self.asked = 0
        self.port = free_port(socket.SOCK_DGRAM)
        logger = DNSLogger("-request,-reply,-truncated,-error,-recv,-send,-data")
        self._server = DNSServer(self, port=self.port, address="127.0.0.1", logger=logger)
        self._server.start_thread()

    def resolve(self, request: DNSRecord, handler: object) -> DNSRecord:
        self.asked += 1
        if self.silent:
            return DNSRecord(DNSHeader(id=0))
        reply = request.reply()
        if str(request.q.qname) != HOST + "." or not self.addresses:
            reply.header.rcode = 3
        elif request.q.qtype == QTYPE.A:
            for each in self.addresses:
                reply.add_answer(RR(HOST, QTYPE.A, rdata=A(each), ttl=self.ttl))
        return reply

    def close(self) -> None:
        self._server.stop()
        self._server.server.server_close()
        self._server.thread.join()


@pytest.fixture
def names():
    server = Names()
    yield server
    server.close()


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def service(names: Names, port: int) -> Service:
    regions = {"home_region": "us-east-1", "standby_region": "us-west-2"}
    return Service(name="orders", host=HOST, port=port, dns=f"127.0.0.1:{names.port}", **regions)


@pytest.fixture
def spec(service: Service, tmp_path: Path) -> Callable[..., Spec]:
    """An observer's orders; keyword arguments are those of `Observing`."""

    def make(**watching: float) -> Spec:
        settings = Settings(
            scope=Scope(environment="test"),
            service=service,
            observer=Observing(**{"rate": 100, "timeout_seconds": 0.5, **watching}),
        )
        return Spec(Path(mkdtemp(dir=tmp_path)), "drill1", settings, SystemClock().monotonic(), grace_seconds=0.5)

    return make


@dataclass
class Bed:
    """A planted service in front of an observer, both running."""

    planted: Planted
    spec: Spec

    async def watch(self, play: Callable[[], Awaitable[None]]) -> Samples:
        """Everything that was seen while ``play`` went on."""
        stop, begun = asyncio.Event(), asyncio.Event()
        watching = asyncio.create_task(observe(self.spec, stop, SystemClock(), begun.set))
        await asyncio.wait({asyncio.create_task(begun.wait()), watching}, return_when=asyncio.FIRST_COMPLETED)
        try:
            await play()
        finally:
            stop.set()
            await watching
        return samples.read(self.spec.folder)

    def since_origin(self, span: tuple[float, float]) -> tuple[float, float]:
        origin = self.spec.origin_monotonic
        return span[0] - origin, span[1] - origin


@asynccontextmanager
async def listening(ip: str, port: int) -> AsyncIterator[Planted]:
    planted = Planted()
    await planted.start(ip, port)
    try:
        yield planted
    finally:
        await planted.close()


@pytest.fixture
def planted_at() -> Callable[[str, int], AbstractAsyncContextManager[Planted]]:
    return listening


@pytest.fixture
def bed(spec: Callable[..., Spec], port: int) -> Callable[..., AbstractAsyncContextManager[Bed]]:
    """``async with bed(rate=…) as bed``: the service listens on 127.0.0.1."""

    @asynccontextmanager
    async def running(**watching: float) -> AsyncIterator[Bed]:
        async with listening("127.0.0.1", port) as planted:
            yield Bed(planted, spec(**watching))

    return running


LATENCY = 0.004


@dataclass(frozen=True)
class Trouble:
    """The service is not up in [began, ended): it refuses, or stalls (answers at the end), or is a hole (never)."""

    began: float
    ended: float
    mode: str = "refuse"
    kinds: tuple[Kind, ...] = (Kind.READ, Kind.WRITE)


def plant(
    troubles: Sequence[Trouble], seconds: float, rate: float = 100, timeout: float = 0.5, late: float = 0.0
) -> Samples:
    """What an observer sees of a service that answers in `LATENCY`, but for ``troubles``; ended by itself."""
    header = Header(
        0.0, "", begin=0.0, rate=rate, timeout_seconds=timeout, write_share=0.5, home_region="us-east-1", ended=seconds
    )
    schedule = header.schedule
    made = []
    for number in range(schedule.count(0, seconds)):
        due, kind = schedule.intended(number), schedule.kind(number)
        felt = [each for each in troubles if kind in each.kinds and each.began <= due + late < each.ended]
        made.append(_fate(Sample(number, due, due + late, 0, kind, Outcome.OK), felt, timeout))
    return samples.gather(header, made)


def _fate(row: Sample, felt: Sequence[Trouble], timeout: float) -> Sample:
    hit = felt[0] if felt else None
    if hit is None or (hit.mode == "stall" and hit.ended + LATENCY <= row.intended + timeout):
        end = LATENCY + (row.sent if hit is None else hit.ended)
        return row._replace(ended=end, status=200, region="us-east-1")
    if hit.mode == "refuse":
        return row._replace(ended=row.sent + 0.001, outcome=Outcome.FAILED, cause=Cause.REFUSED)
    outcome = Outcome.UNKNOWN if row.kind is Kind.WRITE else Outcome.FAILED
    return row._replace(ended=row.intended + timeout, outcome=outcome, cause=Cause.TIMEOUT)


@pytest.fixture
def planted() -> Callable[..., Samples]:
    return plant


@pytest.fixture
def trouble() -> type[Trouble]:
    return Trouble

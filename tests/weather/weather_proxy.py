"""A proxy in front of the AWS and Kubernetes APIs that makes bad weather: errors, silence, resets, stale reads.

It passes requests on as they are, so signatures keep their service and region. What the weather does to a call is up
to a ``Sky``. Runs in a thread of its own; errors have the shape that the called service's protocol gives them.
"""

import asyncio
import random
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import aiohttp
from aiohttp import web
from yarl import URL

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"}
SIGNATURE = re.compile(r"Credential=[^/]+/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
READS = ("Describe", "Get", "List")
KUBERNETES = "kubernetes"


class Weather(StrEnum):
    """What can happen to a call. ``LOST_…``: it is passed on, and carried out, but its answer never arrives."""

    THROTTLED = "throttled"
    SERVER_ERROR = "server error"
    UNAVAILABLE = "unavailable"
    SILENCE = "silence"
    LOST_IN_SILENCE = "lost in silence"
    RESET = "reset"
    LOST_BY_RESET = "lost by reset"
    STALE = "stale"
    DENIED = "denied"


BAD = tuple(kind for kind in Weather if kind is not Weather.DENIED)


@dataclass(frozen=True)
class Call:
    """``operation`` is AWS's name for it (DescribeSubnets, or METHOD path where the protocol has no name)."""

    service: str
    region: str
    operation: str
    reads: bool
    key: tuple[str, str, str, bytes]


class Sky(Protocol):
    """Decides what happens to each call; None: nothing bad."""

    def over(self, call: Call) -> Weather | None: ...


class Clear:
    def over(self, call: Call) -> Weather | None:
        return None


class Storm:
    """So large a ``share`` of all calls meets one of ``kinds``, at random."""

    def __init__(self, seed: int, share: float = 0.3, kinds: tuple[Weather, ...] = BAD) -> None:
        self._random = random.Random(seed)
        self._share = share
        self._kinds = kinds

    def over(self, call: Call) -> Weather | None:
        bad = self._random.random() < self._share
        return self._random.choice(self._kinds) if bad else None


class Forbidding:
    """From the ``nth`` changing call on, those whose operation begins with ``operation`` are denied."""

    def __init__(self, nth: int = 1, operation: str = "", once: bool = False) -> None:
        self._left = nth
        self._operation = operation
        self._once = once

    def over(self, call: Call) -> Weather | None:
        if call.reads or not call.operation.startswith(self._operation):
            return None
        self._left -= 1
        return Weather.DENIED if self._left == 0 or (self._left < 0 and not self._once) else None


class Nth:
    """One ``kind`` of weather for the first ``count`` calls of ``operation``, and nothing else."""

    def __init__(self, operation: str, kind: Weather, count: int = 1) -> None:
        self._operation = operation
        self._kind = kind
        self._left = count

    def over(self, call: Call) -> Weather | None:
        if not call.operation.startswith(self._operation) or self._left == 0:
            return None
        self._left -= 1
        return self._kind


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list
    body: bytes


@dataclass
class Proxy:
    """``met``: every call so far, with its weather. ``stale_seconds``: how old an answer may get to be given again."""

    url: str
    silence_seconds: float
    stale_seconds: float
    sky: Sky = field(default_factory=Clear)
    met: list = field(default_factory=list)

    def __post_init__(self) -> None:
        self._upstream = ""
        self._client: aiohttp.ClientSession | None = None
        self._known: dict = {}
        self._turn = asyncio.Lock()

    def lead_to(self, upstream: str) -> None:
        self._upstream = upstream

    def bad(self) -> set:
        """The kinds of weather that calls have met."""
        return {weather for _, weather in self.met if weather}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        call = understood(request, body)
        weather = self.sky.over(call)
        if weather is Weather.STALE and not self._old(call):
            weather = None
        self.met.append((call, weather))
        if weather is Weather.STALE:
            return self._give(self._old(call)[0][1])
        if weather in (Weather.SILENCE, Weather.RESET):
            return await self._cut(request, weather)
        if weather in (Weather.LOST_IN_SILENCE, Weather.LOST_BY_RESET):
            await self._ask(request, body)
            return await self._cut(request, weather)
        if weather:
            return refusal(call, weather)
        if "watch" in request.query:
            return await self._streamed(request)
        answer = await self._ask(request, body)
        if call.reads and answer.status == 200:
            self._known.setdefault(call.key, deque(maxlen=20)).append((time.monotonic(), answer))
        return self._give(answer)

    def _old(self, call: Call) -> deque:
        """What the same request was answered not too long ago, oldest first."""
        known = self._known.get(call.key, deque())
        while known and known[0][0] < time.monotonic() - self.stale_seconds:
            known.popleft()
        return known

    def _give(self, answer: Answer) -> web.Response:
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    async def _ask(self, request: web.Request, body: bytes) -> Answer:
        # moto loses what two threads change at once.
        async with self._turn, self._open(request, body) as got:
            kept = [(name, value) for name, value in got.headers.items() if name.lower() not in DROPPED]
            return Answer(got.status, kept, await got.read())

    async def _streamed(self, request: web.Request) -> web.StreamResponse:
        async with self._open(request, b"") as got:
            answer = web.StreamResponse(status=got.status, headers={"Content-Type": got.headers["Content-Type"]})
            await answer.prepare(request)
            async for chunk in got.content.iter_any():
                await answer.write(chunk)
            return answer

    def _open(self, request: web.Request, body: bytes):
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP]
        target = URL(self._upstream + request.raw_path, encoded=True)
        return self._client.request(request.method, target, headers=headers, data=body, allow_redirects=False)

    async def _cut(self, request: web.Request, weather: Weather) -> web.Response:
        if weather in (Weather.SILENCE, Weather.LOST_IN_SILENCE):
            await asyncio.sleep(self.silence_seconds)
        if request.transport is not None:
            # A linger of 0 s makes the kernel send a reset instead of a goodbye.
            wire = request.transport.get_extra_info("socket")
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.transport.abort()
        return web.Response()


DROPPED = HOP_BY_HOP | {"content-length", "content-encoding", "date", "server"}


def understood(request: web.Request, body: bytes) -> Call:
    """What is asked, of whom."""
    signed = SIGNATURE.search(request.headers.get("Authorization", ""))
    service, region = (signed["service"], signed["region"]) if signed else (KUBERNETES, "")
    target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
    named = re.search(rb"(?:^|&)Action=(\w+)", body)
    operation = target or (named[1].decode() if named else f"{request.method} {request.path}")
    reads = operation.startswith(READS) if target or named else request.method in ("GET", "HEAD")
    return Call(service, region, operation, reads, (request.method, request.raw_path, service + region + target, body))


ERRORS = {
    # weather: EC2 (status, code), query and REST XML, JSON, Kubernetes
    Weather.THROTTLED: ((503, "RequestLimitExceeded"), (400, "Throttling"), (400, "ThrottlingException"), 429),
    Weather.SERVER_ERROR: ((500, "InternalError"), (500, "InternalFailure"), (500, "InternalServerException"), 500),
    Weather.UNAVAILABLE: ((503, "Unavailable"), (503, "ServiceUnavailable"), (503, "ServiceUnavailable"), 503),
    Weather.DENIED: ((403, "UnauthorizedOperation"), (403, "AccessDenied"), (400, "AccessDeniedException"), 403),
}
REASONS = {429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 403: "Forbidden"}
XML = {"autoscaling", "sts", "iam", "elasticloadbalancing", "rds", "cloudformation", "route53", "s3", "monitoring"}


def refusal(call: Call, weather: Weather) -> web.Response:
    """An error as the service would word it."""
    ec2, xml, jsonic, kubernetes = ERRORS[weather]
    said = f"{weather} ({call.operation})"
    if call.service == KUBERNETES:
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": said, "code": kubernetes}
        later = {"Retry-After": "1"} if kubernetes == 429 else {}
        return web.json_response(status | {"reason": REASONS[kubernetes]}, status=kubernetes, headers=later)
    if call.service == "ec2":
        status, code = ec2
        error = f"<Error><Code>{code}</Code><Message>{said}</Message></Error>"
        text = f"<Response><Errors>{error}</Errors><RequestID>1</RequestID></Response>"
        return web.Response(status=status, text=text, content_type="text/xml")
    if call.service in XML:
        status, code = xml
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{said}</Message></Error>"
        text = f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>"
        return web.Response(status=status, text=text, content_type="text/xml")
    status, code = jsonic
    return web.json_response({"__type": code, "message": said}, status=status, headers={"x-amzn-ErrorType": code})


@contextmanager
def running(silence_seconds: float = 1.0, stale_seconds: float = 1.0):
    """A proxy on a free port; point it with ``lead_to``. Ends with its thread."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    proxy = Proxy(f"http://127.0.0.1:{port}", silence_seconds, stale_seconds)
    loop, up = asyncio.new_event_loop(), threading.Event()
    over = asyncio.Event()

    async def serve() -> None:
        async with aiohttp.ClientSession(
            auto_decompress=True, connector=aiohttp.TCPConnector(limit=0, force_close=True)
        ) as proxy._client:
            runner = web.ServerRunner(web.Server(proxy.handle, access_log=None), shutdown_timeout=0.2)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            up.set()
            await over.wait()
            await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()], name="weather")
    thread.start()
    up.wait()
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


KUBE_SERVER = (
    "import asyncio, sys; from blackstart.lab.kube.server import KubeSpec, serve\n"
    "asyncio.run(serve(KubeSpec('us-east-1', 'shop', '127.0.0.1', int(sys.argv[1]), 9999.0, 9999.0)))"
)


@contextmanager
def kubernetes():
    """The lab's Kubernetes API in a process of its own; its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", KUBE_SERVER, str(port)])
    try:
        for _ in range(600):
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()

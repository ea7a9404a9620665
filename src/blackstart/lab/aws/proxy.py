"""Passing one request on to an emulator, and its answer back: whole for control planes, streaming for S3."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol
from xml.sax.saxutils import escape

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from blackstart.errors import ServiceUnreachable

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"})
_REQUEST_ONLY = _HOP_BY_HOP | {"host", "content-length", "expect", "accept-encoding"}
_ANSWER_ONLY = _HOP_BY_HOP | {"content-length", "date", "server"}
_CHUNK_BYTES = 256 * 1024


class Answer(Protocol):
    """What a client will be told, unless its control plane goes away first."""

    @property
    def status(self) -> int: ...

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Tell it."""
        ...

    def close(self) -> None:
        """Let go of what is still held for sending; harmless afterwards."""
        ...


class Whole:
    """An answer that is in memory."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = CIMultiDict(headers)
        self.body = body

    async def send(self, request: web.Request) -> web.StreamResponse:
        if request.method == "HEAD":
            return web.Response(status=self.status, headers=self.headers)
        return web.Response(status=self.status, headers=self.headers, body=self.body)

    def close(self) -> None:
        pass


def refusal(status: int, code: str, message: str, *, json_protocol: bool) -> Whole:
    """An error as AWS words it: in JSON, or in the XML that the query and REST protocols share."""
    if json_protocol:
        body = json.dumps({"__type": code, "code": code, "message": message})
        return Whole(status, {"Content-Type": "application/json", "x-amzn-ErrorType": code}, body.encode())
    detail = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    body = f"<ErrorResponse>{detail}<Errors>{detail}</Errors><RequestId>blackstart</RequestId></ErrorResponse>"
    return Whole(status, {"Content-Type": "text/xml"}, body.encode())


class Streamed:
    """An answer whose body still arrives from an emulator."""

    def __init__(self, upstream: aiohttp.ClientResponse) -> None:
        self.upstream = upstream
        self.status = upstream.status

    async def send(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=self.status, headers=_answer_headers(self.upstream))
        if "Content-Length" in self.upstream.headers:
            response.headers["Content-Length"] = self.upstream.headers["Content-Length"]
        await response.prepare(request)
        async for chunk in self.upstream.content.iter_chunked(_CHUNK_BYTES):
            await response.write(chunk)
        await response.write_eof()
        return response

    def close(self) -> None:
        self.upstream.close()


def _answer_headers(upstream: aiohttp.ClientResponse) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in upstream.headers.items() if name.lower() not in _ANSWER_ONLY)


async def forward(
    client: aiohttp.ClientSession, base: str, host: str, request: web.Request, body: bytes | None
) -> Answer:
    """Send ``request`` to the emulator at ``base`` as if it were for ``host``; ``body`` None means: stream it.

    Raises ServiceUnreachable.
    """
    headers = CIMultiDict((name, value) for name, value in request.headers.items() if name.lower() not in _REQUEST_ONLY)
    headers["Host"] = host
    data: Any = body or None
    if body is None and request.can_read_body:
        data = request.content
        if "Content-Length" in request.headers:
            headers["Content-Length"] = request.headers["Content-Length"]
    url = URL(base + request.raw_path, encoded=True)
    try:
        upstream = await client.request(request.method, url, headers=headers, data=data, allow_redirects=False)
        if body is None:
            return Streamed(upstream)
        return Whole(upstream.status, _answer_headers(upstream), await upstream.read())
    except aiohttp.ClientError as error:
        raise ServiceUnreachable("pass an AWS call on", base, f"did not answer ({error})") from error


def session() -> aiohttp.ClientSession:
    """A client for ``forward``: no limit on connections or duration, bodies and headers left as they are."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
        skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
        cookie_jar=aiohttp.DummyCookieJar(),
    )

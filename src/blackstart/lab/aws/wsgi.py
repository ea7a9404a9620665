"""A WSGI application behind aiohttp: keep-alive for clients, one thread for the application.

Werkzeug's own server closes every connection and then waits for stray bytes, which costs each call 10 ms; and moto's
models are plain dictionaries without locks, so all of its work is done by the one thread of ``executor``.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from typing import Any
from urllib.parse import unquote

from aiohttp import web

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "server", "date"})


def environ_of(method: str, raw_path: str, headers: Mapping[str, str], body: bytes) -> Environ:
    """The WSGI environment (PEP 3333) of a request; ``raw_path`` is still percent-encoded and includes the query."""
    path, _, query = raw_path.partition("?")
    host, _, port = headers.get("Host", "").partition(":")
    environ: Environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(path, "latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": raw_path,
        "REQUEST_URI": raw_path,
        "SERVER_NAME": host or "localhost",
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        key = "HTTP_" + name.upper().replace("-", "_")
        if name.lower() not in ("content-type", "content-length", "transfer-encoding"):
            environ[key] = f"{environ[key]},{value}" if key in environ else value
    environ.setdefault("HTTP_HOST", "localhost")
    return environ


def call(application: Application, environ: Environ) -> tuple[int, list[tuple[str, str]], bytes]:
    """Run ``application`` once: status, headers, body."""
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        started[:] = [int(status.split(" ", 1)[0]), headers]

    chunks = application(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    return started[0], started[1], body


def handler(application: Application, executor: Executor) -> Callable[[web.BaseRequest], Any]:
    """An aiohttp handler that answers every request with ``application``, run in ``executor``."""

    async def answer(request: web.BaseRequest) -> web.Response:
        environ = environ_of(request.method, request.raw_path, request.headers, await request.read())
        loop = asyncio.get_running_loop()
        status, headers, body = await loop.run_in_executor(executor, call, application, environ)
        response = web.Response(status=status, body=body)
        response.headers.popall("Content-Type", None)
        for name, value in headers:
            if name.lower() not in _HOP_BY_HOP:
                response.headers.add(name, value)
        return response

    return answer

"""One kept HTTP/1.1 connection: a request in one packet, an answer read in place.

The standard library's client, and what is built on it, spend two to four times the processor time on a small call,
and a drill that kills thousands of pods at once is bound by that. It still opens the connections.
"""

from __future__ import annotations

import base64
import select
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from io import BufferedReader
from socket import SocketIO
from urllib.parse import SplitResult, unquote, urlsplit

LONGEST_LINE = 65536
NO_BODY = (204, 304)


@dataclass(frozen=True)
class Place:
    """Where to connect: ``server`` and ``proxy`` are URLs ("": no proxy), ``name`` is what its certificate has to say.

    ``tls``: for https only.
    """

    server: str
    proxy: str = ""
    tls: ssl.SSLContext | None = None
    name: str = ""

    def open(self, connect_seconds: float, read_seconds: float) -> Connection:
        """OSError if that fails."""
        to, via = urlsplit(self.server), urlsplit(self.proxy)
        host, port = _address(to)
        first = HTTPConnection(*(_address(via) if self.proxy else (host, port)), timeout=connect_seconds)
        if self.proxy and self.tls:
            first.set_tunnel(host, port, proxy_authorization(via))
        try:
            first.connect()
        except HTTPException as error:
            raise ConnectionError(f"the proxy answered in no HTTP ({error!r})") from error
        link: socket.socket = first.sock
        try:
            if self.tls:
                link = self.tls.wrap_socket(link, server_hostname=self.name or host)
            link.settimeout(read_seconds)
        except OSError:
            link.close()
            raise
        return Connection(link)


def _address(url: SplitResult) -> tuple[str, int]:
    return url.hostname or "", url.port or (443 if url.scheme == "https" else 80)


def proxy_authorization(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair).decode()}"}


@dataclass(frozen=True)
class Head:
    """``headers`` are named in lower case."""

    status: int
    reason: str
    headers: Mapping[str, str]


class Connection:
    """For one request after the other, each answer read to its end before the next. Any method may raise OSError."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._file = BufferedReader(SocketIO(link, "r"), LONGEST_LINE)
        self._ready = select.poll()
        self._ready.register(link, select.POLLIN)
        self.reusable = True

    def dropped(self) -> bool:
        """Whether the server has ended it meanwhile: nothing else can have come unasked."""
        return bool(self._ready.poll(0))

    def send(self, request: bytes) -> Head:
        """Send it, and read how the answer begins. Then read ``body`` to its end."""
        self.reusable = False
        self._link.sendall(request)
        try:
            while True:
                head = self._head()
                if head.status >= 200:
                    return head
        except ValueError as error:
            raise ConnectionError(f"it answered in no HTTP ({error})") from error

    def body(self, head: Head) -> Iterator[bytes]:
        """The body in pieces, as they come."""
        try:
            if head.status in NO_BODY:
                pass
            elif head.headers.get("transfer-encoding", "").lower() == "chunked":
                yield from self._chunks()
            elif "content-length" in head.headers:
                yield self._exactly(int(head.headers["content-length"]))
            else:
                while piece := self._file.read1(LONGEST_LINE):
                    yield piece
                return
        except ValueError as error:
            raise ConnectionError(f"it answered in no HTTP ({error})") from error
        self.reusable = head.headers.get("connection", "").lower() != "close"

    def hang_up(self) -> None:
        """End it, also from another thread and while somebody waits for an answer."""
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError, ValueError):
            self._file.close()
        self._link.close()

    def _head(self) -> Head:
        version, status, reason = [*self._line().decode("latin-1").split(" ", 2), ""][:3]
        if not version.startswith("HTTP/1."):
            raise ValueError(version)
        headers = {}
        while line := self._line():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        if version == "HTTP/1.0":
            headers.setdefault("connection", "close")
        return Head(int(status), reason, headers)

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._line().partition(b";")[0], 16):
            yield self._exactly(size)
            self._line()
        while self._line():
            pass  # trailers say nothing that is of use

    def _line(self) -> bytes:
        line = self._file.readline(LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the connection was cut off")
        return line.rstrip(b"\r\n")

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise ConnectionResetError("the connection was cut off")
        return data

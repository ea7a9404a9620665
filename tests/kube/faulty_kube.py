"""An API server that answers as the test says, well or badly."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DROP, HOLD = "drop", "hold"
"""What to do after what was sent: end the connection at once, or send nothing more while it is open."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """``answer`` gives the parts of each answer: bytes to send, DROP, HOLD, or who takes the connection over."""

    answer: Callable[[Request], Sequence[Any]]
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    closed: threading.Event = field(default_factory=threading.Event)

    def serve(self, link: socket.socket) -> None:
        with suppress(OSError), link:
            self._answered(link)
        self.closed.set()

    def _answered(self, link: socket.socket) -> None:
        with link.makefile("rb") as file:
            while (request := _read(file)) is not None:
                self.requests.append(request)
                for part in self.answer(request):
                    if part == DROP:
                        return
                    if part == HOLD:
                        self.over.wait(30)
                        return
                    if callable(part):
                        part(link)
                        return
                    link.sendall(part)


def _read(file: Any) -> Request | None:
    first = file.readline().decode().split()
    if not first:
        return None
    headers = {}
    while line := file.readline().decode().strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Request(first[0], first[1], headers, file.read(int(headers.get("content-length", 0))))


@contextmanager
def running(answer: Callable[[Request], Sequence[Any]], tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(answer)
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        server.url = f"http{'s' if tls else ''}://127.0.0.1:{listening.getsockname()[1]}"
        threads: list[threading.Thread] = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    link, _ = listening.accept()
                    if server.over.is_set():
                        link.close()
                        return
                    server.connections += 1
                    with suppress(OSError):
                        link = tls.wrap_socket(link, server_side=True) if tls else link
                        threads.append(threading.Thread(target=server.serve, args=(link,), daemon=True))
                        threads[-1].start()

        door = threading.Thread(target=accept)
        door.start()
        try:
            yield server
        finally:
            server.over.set()
            socket.create_connection(listening.getsockname()).close()
            door.join()


def http(status: int, body: Any = None, **headers: str) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body if body is not None else {}).encode()
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Because\r\nContent-Length: {len(data)}\r\n{lines}\r\n".encode() + data


STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def event(kind: str, item: Any) -> bytes:
    return chunk(json.dumps({"type": kind, "object": item}).encode() + b"\n")


def thing(name: str, version: int, uid: str = "") -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}}


def listed(version: int, *things: Any, following: str = "") -> bytes:
    metadata = {"resourceVersion": str(version), **({"continue": following} if following else {})}
    return http(200, {"metadata": metadata, "items": list(things)})


def write_kubeconfig(path: Path, url: str, user: Any = None, **cluster: Any) -> dict[str, str]:
    """The environment of somebody whose context ``east`` leads to the cluster ``shop``."""
    data = {
        "current-context": "east",
        "clusters": [{"name": "shop", "cluster": {"server": url, **cluster}}],
        "contexts": [{"name": "east", "context": {"cluster": "shop", **({"user": "me"} if user else {})}}],
        "users": [{"name": "me", "user": user}] if user else [],
    }
    path.write_text(json.dumps(data))
    return {"KUBECONFIG": str(path)}

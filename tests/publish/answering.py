"""A real HTTP server that answers as a test tells it: well, badly, or not at all."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace


class Server(ThreadingHTTPServer):
    """``got``: (method, path, headers, body) of each request. ``answer``: called with the handler of one, and with the
    request's number; None: 200 and ok."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.release = threading.Event()
        self.clear()

    def clear(self):
        self.release.set()
        self.got, self.answer, self.release = [], None, threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_):
        """A client that went away is what some tests want."""


class Handler(BaseHTTPRequestHandler):
    def any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.got.append(SimpleNamespace(method=self.command, path=self.path, headers=self.headers, body=body))
        if self.server.answer is None:
            return say(self, 200, b"ok")
        return self.server.answer(self, len(self.server.got))

    do_GET = do_POST = do_PUT = do_PATCH = any

    def log_message(self, *_):
        pass


def say(handler, status, body=b"", **headers):
    handler.send_response(status)
    for name, text in {**headers, "Content-Length": str(len(body))}.items():
        handler.send_header(name.replace("_", "-"), text)
    handler.end_headers()
    handler.wfile.write(body)


def hang(handler, number):
    """No answer until the test is over."""
    handler.server.release.wait(20)


def drip(handler, number):
    """An answer that never ends, a byte at a time: no time-out of a socket ever sees it."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not handler.server.release.wait(0.05):
        handler.wfile.write(b"X")


def garbage(handler, number):
    handler.wfile.write(b"\x00\xffnot HTTP at all\r\n\r\n")


def break_off(handler, number):
    handler.connection.close()

"""A road to DynamoDB on which answers get lost, and on which the service is busy."""

import json
import threading
import urllib.error
import urllib.request
from collections import defaultdict
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ERROR = "com.amazonaws.dynamodb.v20120810#"


def error(code, *reasons):
    """An answer that refuses: with ``code``, or with one for each part of a transaction."""
    return 400, {"__type": ERROR + code, "message": code, "CancellationReasons": [{"Code": each} for each in reasons]}


THROTTLED = error("ThrottlingException")
COLLIDED = error("TransactionCanceledException", "None", "TransactionConflict")
OUT_OF_CAPACITY = error("TransactionCanceledException", "ThrottlingError", "None")
NOTHING_FOUND = (200, {"Items": [], "Count": 0, "ScannedCount": 0})
LOST = "the request arrives, the answer does not"
SILENCE = "the request does not arrive, and nobody says so"


class Road(ThreadingHTTPServer):
    """``ahead`` is what happens to the next requests, by operation; after that, they go through. ``passed`` are the
    operations that came by, ``needed`` the permissions that they take."""

    daemon_threads = True

    def __init__(self, destination):
        super().__init__(("127.0.0.1", 0), Traveller)
        self.destination = destination
        self.ahead = defaultdict(list)
        self.passed = []
        self.needed = set()
        self.over = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


class Traveller(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        self.server.passed.append(operation)
        parts = [part for item in json.loads(body).get("TransactItems", ()) for part in item]
        self.server.needed |= {f"dynamodb:{part}Item" for part in parts} or {f"dynamodb:{operation}"}
        ahead = self.server.ahead[operation]
        happens = ahead.pop(0) if ahead else None
        if happens == SILENCE:
            self.server.over.wait(30)
            return
        if isinstance(happens, tuple):
            self._answer(happens[0], json.dumps(happens[1]).encode())
            return
        status, answer = self._forward(body)
        if happens != LOST:
            self._answer(status, answer)

    def _forward(self, body):
        request = urllib.request.Request(self.server.destination, body, dict(self.headers), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as found:
                return found.status, found.read()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read()

    def _answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def leading_to(destination):
    road = Road(destination)
    thread = threading.Thread(target=road.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield road
    finally:
        road.over.set()
        road.shutdown()
        road.server_close()
        thread.join()

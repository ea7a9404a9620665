"""moto's server, one call at a time, and as far away as a test wants it. Run as a script with a port.

moto forgets things when two calls change one object at once, as AWS does not. It has the lab's zonal shifts, routing
controls, fail-over and reboots of caches, global datastores and commands to instances, which moto lacks. Beside AWS's,
it answers ``POST /bench/latency?seconds=S`` (every call takes so much longer), ``POST /bench/doom?pid=P&at=N`` (SIGKILL
for P in the middle of the N-th swap of a network ACL), and ``GET /bench/swaps``: when each was asked for, and when the
doomed process was killed, on the monotonic clock of this machine.
"""

import io
import json
import os
import signal
import sys
import threading
import time
from urllib.parse import parse_qs

from moto.elasticache import urls as elasticache_urls
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, run_simple

from blackstart.clock import SystemClock
from blackstart.lab.aws import moto_ssm
from blackstart.lab.aws.moto_arc import ZonalShifts
from blackstart.lab.aws.moto_routing import RoutingControls
from blackstart.lab.aws.moto_verbs import GlobalDatastores

SWAP = b"Action=ReplaceNetworkAclAssociation"


class FarAway:
    """WSGI around moto. Not for several servers in one process."""

    def __init__(self, application) -> None:
        self._application = application
        self._lock, self._turn = threading.Lock(), threading.Lock()
        self._latency = 0.0
        self._doomed, self._at, self._killed = 0, 0, 0.0
        self._swaps: list[float] = []

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        if path.startswith("/bench/"):
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(self._bench(path, parse_qs(environ["QUERY_STRING"]))).encode()]
        if self._latency and not path.startswith("/moto-api"):
            self._count(environ)
            time.sleep(self._latency)
        with self._turn:
            return list(self._application(environ, start_response))

    def _bench(self, path: str, query: dict) -> dict:
        if path.endswith("/latency"):
            self._latency = float(query["seconds"][0])
        if path.endswith("/doom"):
            self._doomed, self._at = int(query["pid"][0]), int(query["at"][0])
            self._swaps, self._killed = [], 0.0
        return {"swaps": self._swaps, "killed": self._killed}

    def _count(self, environ) -> None:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        if SWAP not in body:
            return
        with self._lock:
            self._swaps.append(time.monotonic())
            if self._doomed and len(self._swaps) == self._at:
                self._killed = time.monotonic()
                os.kill(self._doomed, signal.SIGKILL)


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_) -> None:
        pass


if __name__ == "__main__":
    elasticache_urls.url_paths = dict.fromkeys(elasticache_urls.url_paths, GlobalDatastores.dispatch)
    moto_ssm.install()
    moto = DomainDispatcherApplication(create_backend_app)
    far = FarAway(ZonalShifts(RoutingControls(moto), SystemClock().now))
    run_simple("127.0.0.1", int(sys.argv[1]), far, threaded=True, request_handler=_Quiet)

"""A kubelet that runs commands in containers, and does nothing else; as the lab's Kubernetes API asks for it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from kube_server import PODS


class Kubelet(ThreadingHTTPServer):
    """Runs commands: takes down which, and says what ``code`` and ``errors`` say."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Exec)
        self.ran, self.code, self.errors = [], 0, ""


class _Exec(BaseHTTPRequestHandler):
    def do_POST(self):
        url = urlsplit(self.path)
        self.server.ran.append((url.path, parse_qs(url.query)["command"]))
        body = json.dumps({"code": self.server.code, "output": "", "errors": self.server.errors}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


@contextmanager
def running(kube) -> Iterator[Kubelet]:
    """For both nodes of the cluster, as long as it is needed."""
    server = Kubelet()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    at = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": server.server_port}},
    }
    for node in ("node-a", "node-b"):
        kube.patch(f"/api/v1/nodes/{node}/status", {"status": at})
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def started(kube, name, restarts=0, ready=True, container="orders"):
    """Play the kubelet: the pod's container was started, for the ``restarts``-th time after the first."""
    status = {
        "name": container,
        "containerID": f"lab://{name}-{restarts}",
        "restartCount": restarts,
        "ready": ready,
        "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
        "image": "i",
        "imageID": "i",
    }
    kube.patch(f"{PODS}/{name}/status", {"status": {"containerStatuses": [status]}})

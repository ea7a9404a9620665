"""A Kubernetes API server as raw JSON, for threads: read, list, follow, change, and run commands in containers.

Typed models take seconds for a few thousand pods; raw JSON takes a tenth of that.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any

from pydantic_core import from_json

from blackstart.access import Call, kubernetes_call
from blackstart.clock import Clock, SystemClock
from blackstart.errors import ServiceUnreachable
from blackstart.kube import kubeconfig
from blackstart.kube.executing import Executed, run
from blackstart.kube.following import Follower
from blackstart.kube.listing import PAGE, Page, objects, pages
from blackstart.kube.wire import KubeRefused, Request, Stream, Wire

__all__ = ["PAGE", "Executed", "Kube", "KubeRefused", "connect"]

TIMEOUTS = (3.0, 15.0)
NOT_FOUND = 404
EXEC_SECONDS = 30.0
KINDS = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
}


class Kube:
    """One API server. ``cluster`` is the cluster's name in the kubeconfig. Usable from several threads.

    What is tried again, and when, is in ``wire.Wire``. ``called`` is told of every call before it is made; an error
    from it ends the call. All methods raise KubeRefused unless the answer is 2xx, ServiceUnreachable if there is none.
    """

    def __init__(self, wire: Wire, called: Callable[[Call], None], clock: Clock) -> None:
        self._wire = wire
        self._called = called
        self._clock = clock
        self.cluster = wire.cluster

    def get(self, path: str, **query: str) -> Any:
        """The JSON at ``path`` ("/api/v1/nodes")."""
        return self._ask(Request("GET", path, query))

    def find(self, path: str) -> Any | None:
        """As ``get``; None if there is no such object."""
        try:
            return self.get(path)
        except KubeRefused as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def items(self, path: str, **query: str) -> Iterator[Any]:
        """Every object of a list, page by page, none of them twice."""
        return objects(self._pages(path, query))

    def list(self, path: str, **query: str) -> tuple[Iterator[Any], str]:
        """The same, and the resourceVersion from which a watch sees everything that happens to them."""
        read = self._pages(path, query)
        first = next(read)
        return objects(_put_back(first, read)), first.version

    def follow(self, path: str, ended: threading.Event, **query: str) -> Iterator[tuple[str, Any]]:
        """What the list at ``path`` holds, as "ADDED", then what happens to it: "ADDED", "MODIFIED", "DELETED".

        Lists again when the server has lost the thread or the connection is gone, and then gives the difference. An
        error is raised only if the first list fails or the server forbids it. Ends soon after ``ended`` is set,
        whatever the server does.
        """
        follower = Follower(lambda: self._pages(path, query), lambda more: self._watch(path, {**query, **more}))
        return follower.events(ended, self._clock, f"follow {path}", self.cluster)

    def delete(self, path: str, options: Mapping[str, Any] | None = None) -> Any:
        """Delete the object at ``path``; ``options`` are DeleteOptions."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **(options or {})}
        return self._ask(Request("DELETE", path, {}, _bytes(body)))

    def patch(self, path: str, body: Any, kind: str = "merge") -> Any:
        """Patch the object at ``path``; ``kind`` is one of KINDS."""
        return self._ask(Request("PATCH", path, {}, _bytes(body), KINDS[kind]))

    def post(self, path: str, body: Any) -> Any:
        return self._ask(Request("POST", path, {}, _bytes(body)))

    def put(self, path: str, body: Any) -> Any:
        """Replace the object at ``path``; with its resourceVersion in ``body``, only if it is still that one."""
        return self._ask(Request("PUT", path, {}, _bytes(body)))

    def execute(
        self, namespace: str, pod: str, container: str, command: Sequence[str], seconds: float = EXEC_SECONDS
    ) -> Executed:
        """Run ``command`` in a container, without input, for at most ``seconds``."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
        for method in ("POST", "GET"):  # a WebSocket is opened by GET; newer servers ask for the right to create, too
            self._called(kubernetes_call(self.cluster, method, path))
        return run(self._wire, path, container, command, seconds)

    def close(self) -> None:
        self._wire.close()

    def _pages(self, path: str, query: Mapping[str, str]) -> Iterator[Page]:
        return pages(
            lambda more: self._raw(Request("GET", path, {**query, **more})), partial(self._parsed, f"GET {path}")
        )

    def _watch(self, path: str, query: Mapping[str, str]) -> Stream:
        self._called(kubernetes_call(self.cluster, "GET", path, watch=True))
        return self._wire.stream(Request("GET", path, query), float(query["timeoutSeconds"]) + self._wire.timeouts[0])

    def _ask(self, request: Request) -> Any:
        return self._parsed(request.wanted, self._raw(request))

    def _raw(self, request: Request) -> bytes:
        self._called(kubernetes_call(self.cluster, request.method, request.path))
        return self._wire.ask(request)

    def _parsed(self, wanted: str, answer: bytes) -> Any:
        try:
            # A third faster than the standard library on lists of thousands of pods.
            return from_json(answer, cache_strings="keys")
        except ValueError as error:
            raise ServiceUnreachable(wanted, self.cluster, "answered without JSON") from error


def _bytes(body: Any) -> bytes:
    return json.dumps(body).encode()


def _put_back(first: Page, rest: Iterator[Page]) -> Iterator[Page]:
    yield first
    yield from rest


def connect(
    cluster: str,
    environ: Mapping[str, str],
    threads: int,
    called: Callable[[Call], None],
    timeouts: tuple[float, float] = TIMEOUTS,
    *,
    clock: Clock | None = None,
    random: Random | None = None,
) -> Kube:
    """Open the API of ``cluster``, a context's name or its cluster's; ConfigInvalid if the kubeconfig has none.

    ``timeouts``: to connect and to read, in seconds.
    """
    clock = clock or SystemClock()
    access = kubeconfig.access(environ, cluster, clock)
    return Kube(Wire(access, threads, timeouts, clock, random or Random()), called, clock)

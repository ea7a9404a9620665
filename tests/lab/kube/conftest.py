"""A real API server for tests, in a thread of its own, and the clients that talk to it."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import urllib3

from blackstart.lab.kube.controllers.manager import Rounds
from blackstart.lab.kube.server import KubeSpec, build, serve
from blackstart.lab.kube.states import DeleteOptions
from blackstart.lab.kube.store import Key

FOREVER = 10_000.0


class Api:
    """One running cluster, spoken to over plain HTTP."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._pool = urllib3.PoolManager(retries=False, timeout=20)

    def call(self, method: str, path: str, body: Any = None, kind: str = "application/json", **headers: str) -> Any:
        """Status code and decoded answer."""
        sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        answer = self._pool.request(method, self.url + path, body=sent, headers={"Content-Type": kind} | headers)
        return answer.status, json.loads(answer.data)

    def get(self, path: str) -> Any:
        code, found = self.call("GET", path)
        assert code == 200, found
        return found

    def post(self, path: str, body: Any) -> Any:
        code, found = self.call("POST", path, body)
        assert code == 201, found
        return found

    def watch(self, path: str) -> Iterator[Any]:
        """The events of a watch, as they come."""
        answer = self._pool.request("GET", self.url + path, preload_content=False)
        try:
            rest = b""
            for chunk in answer.stream():
                *lines, rest = (rest + chunk).split(b"\n")
                yield from map(json.loads, lines)
        finally:
            answer.close()

    def until(self, path: str, condition: Callable[[Any], bool], seconds: float = 10.0) -> Any:
        """What ``path`` answers once ``condition`` holds for it."""
        deadline = time.monotonic() + seconds
        while True:
            _, found = self.call("GET", path)
            if condition(found):
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.02)

    def close(self) -> None:
        self._pool.clear()


@contextmanager
def running(node_grace_seconds: float = FOREVER, eviction_seconds: float = 1.0) -> Iterator[Api]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    spec = KubeSpec("us-east-1", "shop-us-east-1", "127.0.0.1", port, node_grace_seconds, eviction_seconds)
    loop = asyncio.new_event_loop()
    task = loop.create_task(serve(spec))

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    api = Api(port)
    try:
        deadline = time.monotonic() + 10
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert time.monotonic() < deadline
            assert thread.is_alive()
            time.sleep(0.01)
        yield api
    finally:
        api.close()
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def api() -> Iterator[Api]:
    """A cluster whose nodes are never given up, with the namespace ``shop``."""
    with running() as found:
        found.post("/api/v1/namespaces", {"metadata": {"name": "shop"}})
        yield found


@pytest.fixture
def hasty() -> Iterator[Api]:
    """A cluster that gives up a node after a second of silence, and evicts its pods a second later."""
    with running(node_grace_seconds=1.0, eviction_seconds=1.0) as found:
        yield found


@pytest.fixture
def kubectl(api: Api, tmp_path: Any) -> Callable[..., str]:
    """Run kubectl against ``api``; its standard output."""
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed")
    config = tmp_path / "kubeconfig"
    cluster, context = {"server": api.url}, {"cluster": "shop", "user": "shop", "namespace": "shop"}
    described = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "shop", "cluster": cluster}],
        "contexts": [{"name": "shop", "context": context}],
        "users": [{"name": "shop", "user": {}}],
        "current-context": "shop",
    }
    config.write_text(json.dumps(described))
    environment = {"KUBECONFIG": str(config), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "NO_PROXY": "127.0.0.1"}

    def run(*arguments: str, stdin: str | None = None, fails: bool = False) -> str:
        done = subprocess.run(
            [program, *arguments], input=stdin, capture_output=True, text=True, timeout=60, env=environment, check=False
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    return run


class FakeClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    async def pause(self, seconds: float) -> None:
        self.seconds += seconds


class Bench:
    """A cluster without HTTP, whose controllers act when told and whose clock moves when told."""

    def __init__(self, node_grace_seconds: float = FOREVER, eviction_seconds: float = 5.0) -> None:
        self.clock = FakeClock()
        spec = KubeSpec("us-east-1", "shop", "127.0.0.1", 0, node_grace_seconds, eviction_seconds)
        self.cluster, controllers = build(spec, self.clock)
        self._rounds = Rounds(self.cluster, controllers)
        self.create("namespaces", {"metadata": {"name": "shop"}})
        self.settle()

    def settle(self, seconds: float = 0.0) -> float | None:
        """Let ``seconds`` pass, then everybody act until nothing moves; seconds until the next timer."""
        self.clock.seconds += seconds
        for _ in range(200):
            wait = self._rounds.round()
            if not self._rounds.behind:
                return wait
        raise AssertionError("the controllers never came to rest")

    def resource(self, plural: str) -> Any:
        return next(r for r in self.cluster.registry.stored() if r.plural == plural)

    def key(self, plural: str, name: str) -> Key:
        return Key("shop" if self.resource(plural).namespaced else "", name)

    def create(self, plural: str, obj: Any) -> Any:
        resource = self.resource(plural)
        return self.cluster.create(resource, "shop" if resource.namespaced else "", obj).object

    def get(self, plural: str, name: str) -> Any:
        return self.cluster.get(self.resource(plural), self.key(plural, name)).object

    def all(self, plural: str) -> list[Any]:
        found = self.cluster.store.records(self.resource(plural).store_key)
        return sorted((record.object for record in found), key=lambda obj: obj["metadata"]["name"])

    def edit(self, plural: str, name: str, edit: Callable[[Any], Any], part: str = "") -> Any:
        def change(obj: Any) -> None:
            edit(obj)

        return self.cluster.change(self.resource(plural), self.key(plural, name), change, part).object

    def delete(self, plural: str, name: str, **options: Any) -> bool:
        _, gone = self.cluster.delete(self.resource(plural), self.key(plural, name), DeleteOptions(**options))
        return gone

    def add_node(self, name: str, zone: str = "us-east-1a", **spec: Any) -> Any:
        return self.create("nodes", node(name, zone, **spec))

    def run_pods(self) -> None:
        """What kubelets do: every bound pod runs and is ready, every deleted one is gone."""
        for pod in self.all("pods"):
            name = pod["metadata"]["name"]
            if "deletionTimestamp" in pod["metadata"]:
                self.delete("pods", name, grace=0)
            elif pod["spec"].get("nodeName"):
                self.edit("pods", name, lambda obj: obj.update(status=obj["status"] | RUNNING), "status")

    def roll(self) -> None:
        """Let kubelets and controllers work until nothing moves."""
        before = -1
        while before != self.cluster.store.version:
            before = self.cluster.store.version
            self.settle()
            self.run_pods()


RUNNING = {
    "phase": "Running",
    "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
}


def node(name: str, zone: str = "us-east-1a", **spec: Any) -> Any:
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}
    labels = {"topology.kubernetes.io/zone": zone}
    return {"metadata": {"name": name, "labels": labels}, "spec": spec, "status": {"conditions": [ready]}}


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def impatient() -> Bench:
    """A bench whose nodes may be silent for 3 s, and keep their pods for 5 s after that."""
    return Bench(node_grace_seconds=3.0, eviction_seconds=5.0)


@pytest.fixture
def make_node() -> Callable[..., Any]:
    return node


@pytest.fixture
def deployment() -> Callable[..., Any]:
    """Builds the Deployment ``orders``."""

    def made(replicas: int = 3, image: str = "orders:1", **spec: Any) -> Any:
        template = {
            "metadata": {"labels": {"app": "orders"}},
            "spec": {"containers": [{"name": "app", "image": image}]},
        }
        selector = {"matchLabels": {"app": "orders"}}
        return {
            "metadata": {"name": "orders"},
            "spec": {"replicas": replicas, "selector": selector, "template": template} | spec,
        }

    return made


@pytest.fixture
def pod() -> Callable[..., Any]:
    """Builds a pod."""

    def made(name: str, labels: Any = None, **spec: Any) -> Any:
        containers = [{"name": "app", "image": "orders:1"}]
        return {"metadata": {"name": name, "labels": labels or {}}, "spec": {"containers": containers} | spec}

    return made

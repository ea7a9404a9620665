"""A real AWS API for these tests: moto, ministack and the router, started once; and the plan's account on top."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from blackstart.lab.aws import ministack, moto_app, router
from blackstart.lab.aws.clients import Clients
from blackstart.lab.aws.plan import SeedPlan
from blackstart.lab.aws.seed import Seeded, seed

LOOPBACK = "127.0.0.1"
INTERRUPTIONS = "test-interruptions"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def until_answering(url: str, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.05)


class Background:
    """A part that is served by an event loop in a thread."""

    def __init__(self, serving: Coroutine[Any, Any, None]) -> None:
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(serving)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self._loop.run_until_complete(asyncio.gather(self._task, return_exceptions=True))
        self._loop.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()


@dataclass(frozen=True)
class Api:
    """The running API. ``clients`` call it as anyone does, ``inner`` as the lab does. ``interruptions``: the name of a
    queue that hears of Spot instances."""

    spec: router.RouterSpec
    ministack_folder: Path
    clients: Clients
    inner: Clients
    interruptions: str = INTERRUPTIONS

    @property
    def url(self) -> str:
        return f"http://{self.spec.host}:{self.spec.port}"

    @property
    def admin(self) -> str:
        return f"http://{self.spec.host}:{self.spec.admin_port}"

    def ask(self, path: str, body: Any = None) -> Any:
        """GET, or POST ``body`` as JSON, at the admin port; the answer's JSON."""
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.admin + path, data=data), timeout=15) as answer:
            return json.loads(answer.read())

    def last_change(self) -> int:
        return int(self.ask("/changes")["seq"])


def serve_moto(spec: moto_app.MotoSpec) -> None:
    asyncio.run(moto_app.serve(spec))


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    moto_port, ministack_port, port, admin_port = (_free_port() for _ in range(4))
    folder = tmp_path_factory.mktemp("ministack")
    spec = router.RouterSpec(
        LOOPBACK, port, admin_port, f"http://{LOOPBACK}:{moto_port}", f"http://{LOOPBACK}:{ministack_port}"
    )
    moto_spec = moto_app.MotoSpec(
        LOOPBACK,
        moto_port,
        health_check_seconds=0.2,
        router_admin_url=f"http://{LOOPBACK}:{admin_port}",
        interruption_queue=INTERRUPTIONS,
        time_scale=60.0,
    )
    moto = multiprocessing.get_context("spawn").Process(target=serve_moto, args=(moto_spec,))
    moto.start()
    argv, environment = ministack.command(LOOPBACK, ministack_port, folder)
    stack = subprocess.Popen(argv, env=environment, cwd=folder, stdout=subprocess.DEVNULL)
    front = Background(router.serve(spec))
    try:
        until_answering(f"http://{LOOPBACK}:{admin_port}/healthz")
        until_answering(f"{spec.ministack_url}{ministack.HEALTH_PATH}")
        until_answering(f"{spec.moto_url}/healthz")
        api = Api(spec, folder, Clients(f"http://{LOOPBACK}:{port}"), Clients(f"http://{LOOPBACK}:{admin_port}"))
        yield api
        api.clients.close()
        api.inner.close()
    finally:
        front.stop()
        moto.kill()
        moto.join()
        moto.close()
        stack.kill()
        stack.wait()


@pytest.fixture(scope="session")
def plan() -> SeedPlan:
    return SeedPlan()


@pytest.fixture(scope="session")
def seeded(api: Api, plan: SeedPlan) -> Seeded:
    """The plan's account, made once; a test that changes it puts it back."""
    return seed(api.url, plan)


@pytest.fixture(scope="module")
def own_plan(plan: SeedPlan, request: pytest.FixtureRequest) -> SeedPlan:
    """A plan under the test module's own name, whose account its tests are free to break."""
    name = request.module.__name__.rpartition(".")[2].removeprefix("test_").replace("_", "-")
    return replace(plan, name=name, service=f"{name}-orders", dns_zone=f"{name}.test")


@pytest.fixture(scope="module")
def own(api: Api, own_plan: SeedPlan) -> Seeded:
    return seed(api.url, own_plan)


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    return _free_port


@pytest.fixture
def background() -> Iterator[Callable[[Coroutine[Any, Any, None], str], None]]:
    """Serves a part until the test is over; the second argument is the URL that answers when it is ready."""
    parts: list[Background] = []

    def serve(serving: Coroutine[Any, Any, None], healthy: str) -> None:
        parts.append(Background(serving))
        until_answering(healthy)

    yield serve
    for part in parts:
        part.stop()

"""A small real region for tests: an API server, links, and nodes whose pods run a tiny server."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp

from blackstart.clock import SystemClock
from blackstart.lab import kubelet_api, manifests
from blackstart.lab.cluster import Cluster
from blackstart.lab.kube import server
from blackstart.lab.kubelet import Kubelet
from blackstart.lab.linking import Linking
from blackstart.lab.links import LinkSpec, carrying
from blackstart.lab.manifests import NodeFacts, Object
from blackstart.lab.nodes import Nodes
from blackstart.lab.podrun import Place, Surroundings
from blackstart.lab.ports import Ports
from blackstart.lab.processes import Processes
from blackstart.lab.waiting import answers
from blackstart.lab.warden import Warden

REGION, IMAGE = "us-east-1", "shop/orders"

PART = """
import asyncio
from dataclasses import dataclass
from aiohttp import web
from blackstart.lab.serving import answering

@dataclass(frozen=True)
class Spec:
    pod: str
    port: int

async def serve(spec: Spec) -> None:
    async def answer(_):
        return web.Response(text=spec.pod)
    app = web.Application()
    app.router.add_get("/{any}", answer)
    async with answering(app, "127.0.0.1", spec.port):
        await asyncio.Event().wait()
"""


def node(zone: str, number: int = 0) -> NodeFacts:
    return NodeFacts(f"ip-{zone}-{number}.ec2.internal", f"i-{zone}{number}", REGION, zone, "on-demand", "on-demand")


@dataclass
class Region:
    """The region under test, and what tests ask of it."""

    kubelet: Kubelet
    nodes: Nodes
    cluster: Cluster
    session: aiohttp.ClientSession
    processes: Processes
    facts: dict[str, NodeFacts]
    cut: frozenset[str] = frozenset()

    def place(self) -> None:
        self.kubelet.place(self.facts, self.cut)
        self.nodes.place(self.facts, self.cut)

    def stop(self, name: str) -> None:
        self.facts[name] = replace(self.facts[name], running=False)
        self.place()

    def stop_kubelet(self, name: str, *, stopped: bool = True) -> None:
        self.facts[name] = replace(self.facts[name], kubelet=not stopped)
        self.place()

    async def container(self, pod: str) -> Object:
        """The status of a pod's container."""
        _, found = await self.cluster.call("GET", f"/api/v1/namespaces/shop/pods/{pod}")
        return dict(found["status"]["containerStatuses"][0])

    async def execute(self, pod: str, *command: str) -> tuple[str, str, str]:
        """Run ``command`` in ``pod``: what it said on stderr, Success or Failure, and its exit code if not 0."""
        said, ended = "", {}
        async with self.session.ws_connect(self._exec(pod, command), protocols=["v5.channel.k8s.io"]) as socket:
            async for message in socket:
                if message.data[0] == 3:
                    ended = json.loads(message.data[1:])
                else:
                    said += message.data[1:].decode()
        causes = ended.get("details", {}).get("causes") or [{"message": ""}]
        return said, ended["status"], causes[0]["message"]

    async def refused(self, pod: str, *command: str) -> int:
        """The code that ``execute`` is refused with."""
        try:
            await self.execute(pod, *command)
        except aiohttp.WSServerHandshakeError as error:
            return error.status
        return 0

    def _exec(self, pod: str, command: tuple[str, ...]) -> str:
        words = "".join(f"&command={word}" for word in command)
        return f"{self.cluster.url}/api/v1/namespaces/shop/pods/{pod}/exec?stderr=1{words}"

    def cut_off(self, *zones: str) -> None:
        self.cut = frozenset(zones)
        self.place()

    async def deploy(self, replicas: int, image: str = f"{IMAGE}:1") -> None:
        made = manifests.deployment("orders", replicas)
        made["spec"]["template"]["spec"]["containers"][0]["image"] = image
        await self.cluster.create("/api/v1/namespaces", manifests.namespace())
        await self.cluster.create("/apis/apps/v1/namespaces/shop/deployments", made)

    async def pods(self) -> list[Object]:
        found, _ = await self.cluster.list(manifests.PODS)
        return found

    async def ready(self) -> list[Object]:
        return [pod for pod in await self.pods() if manifests.ready(pod)]

    async def until_ready(self, count: int) -> list[Object]:
        async def enough() -> bool:
            return len(await self.ready()) == count

        await until(enough)
        return await self.ready()

    def pid(self, pod: Object) -> int:
        started = self.processes.running[f"pod-{pod['metadata']['name']}"]
        return started.pid


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.03)


def alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


@asynccontextmanager
async def region(folder: Path) -> AsyncIterator[Region]:
    """A region with one node in each of three zones; ``folder`` is on the path of its parts."""
    import tiny_part

    lab = folder / "lab"
    lab.mkdir()
    lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR)
    started = Processes(lab, Warden(lab, lock), SystemClock(), ("aiohttp.web", "uvloop"))
    os.close(lock)
    ports = Ports.claim()
    tasks: list[asyncio.Task[Any]] = []
    try:
        await started.ready(preloaded=False)
        await started.ready()
        async with aiohttp.ClientSession() as session, carrying(LinkSpec("127.0.0.1", 0)) as admin:
            spec = server.KubeSpec(REGION, "shop", "127.0.0.1", ports.take(), 1.5, 1.0)
            tasks.append(asyncio.create_task(server.serve(spec)))
            cluster = Cluster(session, f"http://127.0.0.1:{spec.port}")
            await until(lambda: answers(session, f"{cluster.url}/healthz"))
            linking = Linking(session, f"http://127.0.0.1:{admin}")

            def build(place: Place) -> tuple[str, Any]:
                return "tiny_part", tiny_part.Spec(place.pod, place.address[1])

            around = Surroundings(started, linking, ports, SystemClock(), session, {IMAGE: build})
            port = ports.take()
            nodes = Nodes(cluster, SystemClock(), port)
            kubelet = Kubelet(REGION, cluster, around, lambda: None)
            found = Region(kubelet, nodes, cluster, session, started, {})
            found.facts = {one.name: one for one in (node(f"{REGION}{letter}") for letter in "abc")}
            tasks += [asyncio.create_task(nodes.run()), asyncio.create_task(kubelet.run())]
            tasks.append(asyncio.create_task(kubelet_api.serve(kubelet, ("127.0.0.1", port), SystemClock())))
            found.place()
            yield found
            for task in reversed(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        await started.close()
        ports.release()

"""A standby region for the fail-over automation: real AWS and Kubernetes APIs, and two gateways that do as told."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from blackstart.clock import SystemClock
from blackstart.errors import ServiceUnreachable
from blackstart.lab import automation
from blackstart.lab.automation import AutomationSpec
from blackstart.lab.aws import ministack, router
from blackstart.lab.aws.clients import Clients
from blackstart.lab.aws.plan import SeedPlan
from blackstart.lab.aws.seed import seed
from blackstart.lab.cluster import Cluster
from blackstart.lab.kube import server
from blackstart.lab.serving import answering

HOST = "127.0.0.1"
HOME, STANDBY = "us-east-1", "us-west-2"
DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"
PODS = "/api/v1/namespaces/shop/pods"
MOTO = "import asyncio, sys; from blackstart.lab.aws.moto_app import MotoSpec, serve; \
asyncio.run(serve(MotoSpec('127.0.0.1', int(sys.argv[1]))))"
PRODUCTS = 50
PATIENCE_SECONDS = 15.0
MERGE = "application/merge-patch+json"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def until_answering(url: str) -> None:
    clock = SystemClock()
    give_up = clock.monotonic() + 30
    while clock.monotonic() < give_up:
        with suppress(OSError, urllib.error.URLError), urllib.request.urlopen(url, timeout=2):
            return
        clock.sleep(0.05)
    raise AssertionError(f"{url} does not answer")


@pytest.fixture(scope="session")
def emulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """moto's and ministack's addresses; both hold the account of the default plan."""
    moto_port, stack_port = free_port(), free_port()
    folder: Path = tmp_path_factory.mktemp("ministack")
    argv, environment = ministack.command(HOST, stack_port, folder)
    processes = [
        subprocess.Popen([sys.executable, "-c", MOTO, str(moto_port)]),
        subprocess.Popen(argv, env=environment, cwd=folder, stdout=subprocess.DEVNULL),
    ]
    urls = (f"http://{HOST}:{moto_port}", f"http://{HOST}:{stack_port}")
    try:
        until_answering(f"{urls[0]}/healthz")
        until_answering(urls[1] + ministack.HEALTH_PATH)
        asyncio.run(_seed(urls))
        yield urls
    finally:
        for process in processes:
            process.kill()
            process.wait()


async def _seed(urls: tuple[str, str]) -> None:
    async with _router(urls) as spec:
        await asyncio.to_thread(seed, f"http://{HOST}:{spec.port}", SeedPlan())


@asynccontextmanager
async def _router(urls: tuple[str, str]) -> AsyncIterator[router.RouterSpec]:
    spec = router.RouterSpec(HOST, free_port(), free_port(), *urls)
    async with _task(router.serve(spec)), aiohttp.ClientSession() as http:
        await _up(http, f"http://{HOST}:{spec.admin_port}/healthz")
        yield spec


@asynccontextmanager
async def _task(part: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(part)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _up(http: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(20):
        while True:
            with suppress(aiohttp.ClientConnectionError):
                async with http.get(url):
                    return
            await asyncio.sleep(0.02)


class Gateway:
    """A region's gateway, as its clients see it: healthy or not, with a cache that keeps what it is asked for."""

    def __init__(self) -> None:
        self.healthy = True
        self.port = 0
        self.cached: set[str] = set()
        self.checks = 0

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/products/{number}", self._product)
        return app

    async def _healthz(self, _: web.Request) -> web.Response:
        self.checks += 1
        return web.Response(status=200 if self.healthy else 503)

    async def _product(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        hit = number in self.cached
        self.cached.add(number)
        return web.Response(headers={"x-cache": "hit" if hit else "miss"})


class Scene:
    """Both gateways, the standby region's APIs, and the automation between them."""

    def __init__(self, spec: AutomationSpec, admin: str, home: Gateway, standby: Gateway) -> None:
        self.spec = spec
        self.home = home
        self.standby = standby
        self.plan = SeedPlan()
        self.aws = Clients(spec.aws_url)
        self._admin = admin

    def running(self) -> Any:
        """The automation, inside the block."""
        return _task(automation.serve(self.spec))

    async def state(self) -> dict[str, Any]:
        async with aiohttp.ClientSession() as http:
            await _up(http, f"http://{HOST}:{self.spec.port}/healthz")
            async with http.get(f"http://{HOST}:{self.spec.port}/state") as answer:
                return dict(await answer.json())

    async def becomes(self, holds: Callable[[dict[str, Any]], bool], seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until the automation's state is so; AssertionError with the last state if it never is."""
        found: dict[str, Any] = {}
        try:
            async with asyncio.timeout(seconds):
                while True:
                    found = await self.state()
                    if holds(found):
                        return
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(found) from None

    async def kube(self, verb: str, path: str, body: Any = None, content: str = "application/json") -> Any:
        """Asked again for a while: on a busy machine, this process may not come to answer itself in time."""
        async with asyncio.timeout(PATIENCE_SECONDS), aiohttp.ClientSession() as http:
            while True:
                with suppress(ServiceUnreachable):
                    cluster = Cluster(http, self.spec.kube_url)
                    return (await cluster.call(verb, path, body, content=content, accepts=(409,)))[1]

    async def events(self) -> list[dict[str, Any]]:
        found = (await self.kube("GET", "/api/v1/namespaces/shop/events"))["items"]
        mine = [event for event in found if event["source"].get("component") == "failover-automation"]
        return sorted(mine, key=lambda event: str(event["eventTime"]))

    async def reasons(self) -> list[str]:
        return [event["reason"] for event in await self.events()]

    async def control_plane(self, *, reachable: bool) -> None:
        async with aiohttp.ClientSession() as http:
            body = {"region": STANDBY, "reachable": reachable}
            async with http.post(f"{self._admin}/control-planes", json=body) as answer:
                assert answer.status == 200

    async def call(self, service: str, operation: str, region: str = STANDBY, **arguments: Any) -> Any:
        """boto3 in a thread: the router answers from this one."""
        client = await asyncio.to_thread(self.aws, service, region)
        return await asyncio.to_thread(getattr(client, operation), **arguments)

    async def writer(self, asked: str = STANDBY) -> str:
        """The region that writes, as the API of the one that is ``asked`` has it."""
        found = (await self.call("rds", "describe_global_clusters", asked))["GlobalClusters"][0]
        arns = [member["DBClusterArn"] for member in found["GlobalClusterMembers"] if member["IsWriter"]]
        return str(arns[0]).split(":")[3]

    async def cache_primary(self) -> str:
        found = await self.call("elasticache", "describe_global_replication_groups", ShowMemberInfo=True)
        members = found["GlobalReplicationGroups"][0]["Members"]
        return str(next(member["ReplicationGroupRegion"] for member in members if member["Role"] == "PRIMARY"))

    async def node_group(self, name: str) -> Any:
        called = {"clusterName": self.spec.cluster, "nodegroupName": name}
        return (await self.call("eks", "describe_nodegroup", **called))["nodegroup"]

    async def sizes(self) -> dict[str, int]:
        """Wanted nodes by node group."""
        names = (await self.call("eks", "list_nodegroups", clusterName=self.spec.cluster))["nodegroups"]
        return {name: (await self.node_group(name))["scalingConfig"]["desiredSize"] for name in names}

    async def groups(self) -> dict[str, dict[str, int]]:
        """All sizes by node group."""
        return {name: dict((await self.node_group(name))["scalingConfig"]) for name in await self.sizes()}

    async def switch_back(self) -> None:
        """Somebody moves the writer and the primary home."""
        plan = self.plan
        database = {
            "GlobalClusterIdentifier": plan.global_cluster,
            "TargetDbClusterIdentifier": plan.database_arn(HOME),
        }
        if await self.writer() != HOME:
            await self.call("rds", "failover_global_cluster", HOME, AllowDataLoss=True, **database)
        cache = {"GlobalReplicationGroupId": plan.cache_global_id, "PrimaryReplicationGroupId": plan.regional(HOME)}
        if await self.cache_primary() != HOME:
            await self.call("elasticache", "failover_global_replication_group", HOME, PrimaryRegion=HOME, **cache)

    async def fail_back(self) -> None:
        """Give the account back as the next test wants it."""
        await self.switch_back()
        for group in self.plan.standby.node_groups:
            size = {"minSize": 0, "desiredSize": group.desired, "maxSize": group.largest}
            called = {"clusterName": self.spec.cluster, "nodegroupName": group.name}
            await self.call("eks", "update_nodegroup_config", scalingConfig=size, **called)

    async def create_deployment(self) -> None:
        labels = {"app": "orders"}
        containers = [{"name": "orders", "image": "shop/orders"}]
        template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
        spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "orders"}, "spec": spec}
        await self.kube("POST", DEPLOYMENTS, body)

    async def play_kubelet(self) -> None:
        """Make every pod ready a moment after it is there."""
        ready = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
        while True:
            for pod in (await self.kube("GET", PODS))["items"]:
                if (pod.get("status") or {}).get("phase") != "Running":
                    await self.kube("PATCH", f"{PODS}/{pod['metadata']['name']}/status", ready, MERGE)
            await asyncio.sleep(0.05)


@asynccontextmanager
async def _scene(urls: tuple[str, str]) -> AsyncIterator[Scene]:
    home, standby, kube_port = Gateway(), Gateway(), free_port()
    kube = server.serve(server.KubeSpec(STANDBY, f"shop-{STANDBY}", HOST, kube_port, node_grace_seconds=600))
    async with (
        _router(urls) as routed,
        _task(kube),
        answering(home.application(), HOST, 0) as home.port,
        answering(standby.application(), HOST, 0) as standby.port,
    ):
        spec = AutomationSpec(
            host=HOST,
            port=free_port(),
            home_region=HOME,
            standby_region=STANDBY,
            aws_url=f"http://{HOST}:{routed.port}",
            kube_url=f"http://{HOST}:{kube_port}",
            health_url=f"http://{HOST}:{home.port}/healthz",
            gateway_url=f"http://{HOST}:{standby.port}",
            check_interval_seconds=0.05,
            failures_to_decide=4,
            decide_seconds=0.3,
            release_seconds=0.1,
            products=PRODUCTS,
        )
        scene = Scene(spec, f"http://{HOST}:{routed.admin_port}", home, standby)
        async with aiohttp.ClientSession() as http:
            await _up(http, f"{spec.kube_url}/readyz")
        await scene.kube("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
        await scene.create_deployment()
        try:
            async with _task(scene.play_kubelet()):
                yield scene
        finally:
            await scene.control_plane(reachable=True)
            await scene.fail_back()
            scene.aws.close()


@pytest.fixture
def play(emulators: tuple[str, str]) -> Callable[[Callable[[Scene], Any]], None]:
    """Plays a story in a fresh scene."""

    def played(story: Callable[[Scene], Any]) -> None:
        async def scenario() -> None:
            async with _scene(emulators) as scene:
                await story(scene)

        asyncio.run(scenario())

    return played

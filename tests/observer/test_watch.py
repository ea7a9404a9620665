"""Evidence of a fail-over's steps, from a Kubernetes API and an RDS API over real HTTP."""

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest
import yaml
from aiohttp import web

from blackstart.access import kubernetes_call
from blackstart.clock import SystemClock
from blackstart.kube.reading import Kube
from blackstart.observer import events
from blackstart.observer.events import EventLog
from blackstart.observer.watch import Watcher, needs, writer_region
from blackstart.settings import Evidence

MEMBER = (
    "<GlobalClusterMember><DBClusterArn>arn:aws:rds:{region}:123456789012:cluster:shop-{region}</DBClusterArn>"
    "<IsWriter>{writer}</IsWriter></GlobalClusterMember>"
)
ANSWER = (
    '<DescribeGlobalClustersResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><DescribeGlobalClustersResult>'
    "<GlobalClusters><GlobalClusterMember><GlobalClusterMembers>{members}</GlobalClusterMembers></GlobalClusterMember>"
    "</GlobalClusters></DescribeGlobalClustersResult></DescribeGlobalClustersResponse>"
)

EVIDENCE = Evidence(
    aws_region="us-west-2", global_cluster="shop", kube_context="west", namespace="shop", deployment="orders",
    event_object="orders",
)  # fmt: skip


class Platform:
    """The standby region's APIs."""

    def __init__(self) -> None:
        self.ready, self.desired, self.writer, self.broken = 2, 2, "us-east-1", False
        self.events, self.called, self.heard = [], set(), asyncio.Event()
        self.waiting = threading.Event()

    def tell(self, reason: str) -> None:
        about = {"kind": "Deployment", "name": "orders"}
        meta = {"uid": f"u{len(self.events)}", "name": reason, "resourceVersion": str(len(self.events))}
        self.events.append({"metadata": meta, "reason": reason, "message": "m", "involvedObject": about})

    @web.middleware
    async def listen(self, request: web.Request, handler) -> web.StreamResponse:
        if request.method == "POST":
            self.called.add(f"rds:{(await request.post())['Action']}")
        else:
            self.called.add(str(kubernetes_call("west", request.method, request.path)))
        if len(self.called) == 3:
            self.heard.set()
        return await handler(request)

    async def _deployment(self, request: web.Request) -> web.Response:
        if self.broken:
            return web.json_response({}, status=500)
        return web.json_response({"spec": {"replicas": self.desired}, "status": {"readyReplicas": self.ready}})

    async def _events(self, request: web.Request) -> web.Response:
        assert request.query["fieldSelector"] == "involvedObject.name=orders"
        at = int(request.query.get("continue", 0))
        more = {"continue": str(at + 1)} if at + 1 < len(self.events) else {}
        return web.json_response({"metadata": more, "items": self.events[at : at + 1]})

    async def _rds(self, request: web.Request) -> web.Response:
        regions = ("us-east-1", "us-west-2")
        members = "".join(MEMBER.format(region=each, writer=str(each == self.writer).lower()) for each in regions)
        return web.Response(text=ANSWER.format(members=members), content_type="text/xml")


@asynccontextmanager
async def watched(tmp_path, monkeypatch):
    platform = Platform()
    app = web.Application(middlewares=[platform.listen])
    app.router.add_get("/apis/apps/v1/namespaces/shop/deployments/orders", platform._deployment)
    app.router.add_get("/api/v1/namespaces/shop/events", platform._events)
    app.router.add_post("/", platform._rds)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    for name, value in {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}.items():
        monkeypatch.setenv(name, value)
    config = tmp_path / "kubeconfig"
    context = {"name": "west", "context": {"cluster": "west", "user": ""}}
    config.write_text(
        yaml.safe_dump({"clusters": [{"name": "west", "cluster": {"server": url}}], "contexts": [context]})
    )
    clock = SystemClock()
    log = EventLog(tmp_path, clock, clock.monotonic())
    async with Kube("west", {"KUBECONFIG": str(config)}) as kube:
        watcher = Watcher(EVIDENCE, log, clock, kube)
        await watcher.prepare()
        task = asyncio.create_task(watcher.run())
        try:
            yield platform
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await runner.cleanup()


async def told(tmp_path, wanted, seconds=8.0):
    """The events, once ``wanted`` of them is true."""
    async with asyncio.timeout(seconds):
        while True:
            found = [(each.kind, dict(each.fields)) for each in events.read(tmp_path)]
            if wanted(found):
                return found
            await asyncio.sleep(0.05)


def kinds(found):
    return [kind for kind, _ in found]


def test_each_step_is_noted_when_it_shows_and_old_events_are_not(tmp_path, monkeypatch):
    async def drill():
        async with watched(tmp_path, monkeypatch) as platform:
            platform.tell("PrimaryUnhealthy")  # from an earlier drill
            first = await told(tmp_path, lambda found: {"ready", "writer"} <= set(kinds(found)))
            await asyncio.sleep(0.4)
            platform.tell("Scheduled")
            platform.tell("PrimaryUnhealthy")
            await told(tmp_path, lambda found: "detect" in kinds(found))
            platform.tell("FailoverDecided")
            await told(tmp_path, lambda found: "decide" in kinds(found))
            platform.writer, platform.desired = "us-west-2", 6
            await told(tmp_path, lambda found: kinds(found).count("writer") == 2 and kinds(found).count("ready") == 2)
            platform.ready = 6
            platform.tell("CacheWarmed")
            return first, await told(
                tmp_path, lambda found: kinds(found).count("ready") == 3 and "cache" in kinds(found)
            )

    first, found = asyncio.run(drill())
    assert sorted(kinds(first)) == ["ready", "writer"]
    assert kinds(found).count("detect") == 1
    assert ("writer", {"region": "us-west-2", "before": "us-east-1", "source": "rds"}) in found
    assert ("ready", {"ready": 6, "desired": 6, "source": "deployment"}) in found
    detect = next(fields for kind, fields in found if kind == "detect")
    assert detect == {
        "reason": "PrimaryUnhealthy",
        "message": "m",
        "object": "Deployment/orders",
        "source": "kubernetes event",
    }


def test_an_api_that_fails_is_noted_once_and_asked_again(tmp_path, monkeypatch):
    async def drill():
        async with watched(tmp_path, monkeypatch) as platform:
            await told(tmp_path, lambda found: "ready" in kinds(found))
            platform.broken = True
            await told(tmp_path, lambda found: "note" in kinds(found))
            await asyncio.sleep(0.6)
            platform.broken = False
            return await told(tmp_path, lambda found: kinds(found).count("note") == 2)

    notes = [fields["text"] for kind, fields in asyncio.run(drill()) if kind == "note"]
    assert notes[0].startswith("cannot see the deployment: could not read /apis/apps/v1/")
    assert notes[1] == "can see the deployment again"


def test_watching_calls_just_what_it_declares(tmp_path, monkeypatch):
    async def drill():
        async with watched(tmp_path, monkeypatch) as platform:
            await told(tmp_path, lambda found: {"ready", "writer"} <= set(kinds(found)))
            await asyncio.wait_for(platform.heard.wait(), 8)
            return platform.called

    declared = needs(EVIDENCE, "west", "123456789012")
    assert asyncio.run(drill()) == {need.action for need in declared}
    assert "arn:aws:rds::123456789012:global-cluster:shop" in declared[0].resources
    assert needs(Evidence(), "", "") == []


@pytest.mark.parametrize("answer", [{}, {"GlobalClusters": []}, {"GlobalClusters": [{"GlobalClusterMembers": []}]}])
def test_without_a_writer_there_is_no_region(answer):
    assert writer_region(answer) == ""

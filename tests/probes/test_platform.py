"""Against a Kubernetes API over real HTTP."""

import asyncio
import threading

import pytest
import yaml
from aiohttp import web

from blackstart.access import kubernetes_call
from blackstart.errors import ServiceUnreachable
from blackstart.probes import platform

LABEL = "topology.kubernetes.io/zone"


def thing(name, *, zone="", node="", ready=True, **metadata):
    return {
        "metadata": {"name": name, "labels": {LABEL: zone} if zone else {}, **metadata},
        "spec": {"nodeName": node},
        "status": {"conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}]},
    }


NODES = [thing("n1", zone="a"), thing("n2", zone="a"), thing("n3", zone="b"), thing("n4", zone="c", ready=False)]
PODS = [
    thing("p1", node="n1"),
    thing("p2", node="n1"),
    thing("p3", node="n3"),
    thing("p4", node="n3", ready=False),
    thing("p5", node="n2", deletionTimestamp="2026-11-23T00:00:00Z"),
]


SEEN = web.AppKey("seen", list)


async def _list(request: web.Request) -> web.Response:
    request.app[SEEN].append(str(kubernetes_call("east", request.method, request.path)))
    items = NODES if request.path == "/api/v1/nodes" else PODS
    if request.query.get("labelSelector", "app=orders") != "app=orders":
        items = []
    at = int(request.query.get("continue", 0))
    more = {"continue": str(at + 2)} if at + 2 < len(items) else {}
    return web.json_response({"metadata": more, "items": items[at : at + 2]})


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A cluster whose lists come in pages of two."""
    ready, stop = threading.Event(), asyncio.Event()
    found = {}

    async def serve():
        app = web.Application()
        app[SEEN] = found["seen"] = []
        app.router.add_get("/api/v1/nodes", _list)
        app.router.add_get("/api/v1/namespaces/shop/pods", _list)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found.update(loop=asyncio.get_running_loop(), port=runner.addresses[0][1])
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait(10)
    config = {
        "current-context": "east",
        "clusters": [{"name": "east", "cluster": {"server": f"http://127.0.0.1:{found['port']}"}}],
        "contexts": [{"name": "east", "context": {"cluster": "east"}}],
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    yield found["seen"]
    found["loop"].call_soon_threadsafe(stop.set)
    thread.join()


@pytest.mark.usefixtures("cluster")
def test_pods_and_nodes_are_counted_by_zone():
    assert platform.ready_nodes_by_zone() == {"a": 2, "b": 1, "c": 0}
    assert platform.ready_pods_by_zone("shop", "app=orders") == {"a": 2, "b": 1, "c": 0}
    assert (platform.ready_nodes(), platform.ready_nodes(zone="a"), platform.ready_nodes("east", "c")) == (3, 2, 0)
    assert (platform.ready_pods("shop"), platform.ready_pods("shop", zone="b")) == (3, 1)
    assert platform.ready_pods("shop", "app=other") == 0


@pytest.mark.usefixtures("cluster")
def test_an_api_that_does_not_answer_is_no_zero(tmp_path):
    path = tmp_path / "kubeconfig"
    path.write_text(path.read_text().replace("127.0.0.1:", "127.0.0.1:1#"))
    with pytest.raises(ServiceUnreachable):
        platform.ready_nodes()


@pytest.mark.parametrize("name", platform.__all__)
def test_each_probe_calls_just_what_it_declares(cluster, name):
    probe = getattr(platform, name)
    probe("shop") if "pods" in name else probe()
    assert set(cluster) == set(platform.PERMISSIONS[name])

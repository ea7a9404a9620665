"""The server as the lab runs it."""

import asyncio
import socket

import pytest

from blackstart.clock import SystemClock
from blackstart.lab.kube.controllers import manager
from blackstart.lab.kube.server import KubeSpec, build, serve

SPEC = KubeSpec("us-east-1", "shop-us-east-1", "127.0.0.1", 0, 0.3, 1.0)


def test_a_port_that_is_taken_is_an_error_not_a_hang():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        spec = KubeSpec("us-east-1", "shop", "127.0.0.1", taken.getsockname()[1])
        with pytest.raises(OSError, match="address already in use"):
            asyncio.run(asyncio.wait_for(serve(spec), 5))


def test_controllers_act_on_their_own_and_by_the_clock(make_node, pod):
    """A silent node is found with nobody asking, and without a busy loop."""

    async def scenario():
        cluster, controllers = build(SPEC, SystemClock())
        nodes, pods = cluster.registry.named("nodes"), cluster.registry.named("pods")
        rounds = 0

        class Counting:
            def observe(self, event):
                pass

            def step(self):
                nonlocal rounds
                rounds += 1

        task = asyncio.create_task(manager.run(cluster, [*controllers, Counting()]))
        cluster.create(nodes, "", make_node("a"))
        cluster.create(pods, "default", pod("p"))
        await asyncio.sleep(0.15)
        placed = cluster.store.records("pods.")[0].object["spec"]["nodeName"]
        await asyncio.sleep(0.4)
        task.cancel()
        conditions = cluster.store.records("nodes.")[0].object["status"]["conditions"]
        return placed, conditions[0]["status"], rounds

    placed, status, rounds = asyncio.run(scenario())
    assert (placed, status) == ("a", "Unknown")
    assert rounds < 30


def test_more_events_than_history_holds_do_not_confuse_the_controllers(bench, pod, monkeypatch):
    monkeypatch.setattr(bench.cluster.store, "_length", 5)
    bench.add_node("a")
    for number in range(20):
        bench.create("pods", pod(f"p{number}"))
    bench.settle()
    assert all(found["spec"].get("nodeName") == "a" for found in bench.all("pods"))


def test_a_controller_that_fails_does_not_stop_the_others(bench, pod, caplog):
    class Broken:
        def observe(self, event):
            pass

        def step(self):
            raise KeyError("spec")

    worked = []

    class Working(Broken):
        def step(self):
            worked.append(True)

    rounds = manager.Rounds(bench.cluster, [Broken(), Working()])
    assert rounds.round() == 1.0
    assert worked
    assert "Broken stopped half way" in caplog.text


def test_a_lost_node_gives_its_pods_to_another_by_the_wall_clock(hasty, make_node, deployment):
    """Silence, taint, eviction and replacement over HTTP, as the lab sees them."""
    leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
    for name in ("a", "b"):
        hasty.post("/api/v1/nodes", make_node(name, name))
        hasty.post(leases, {"metadata": {"name": name}, "spec": {"renewTime": "2026-01-01T00:00:00.000000Z"}})
    hasty.post("/apis/apps/v1/namespaces/default/deployments", deployment(2))
    merge = "application/merge-patch+json"
    beats = iter(range(10_000))

    def moved(found):
        spec = {"renewTime": f"2026-01-01T00:00:00.{next(beats):06}Z"}
        assert hasty.call("PATCH", f"{leases}/b", {"spec": spec}, merge)[0] == 200
        kept = [pod for pod in found["items"] if "deletionTimestamp" not in pod["metadata"]]
        return [pod["spec"].get("nodeName") for pod in kept] == ["b", "b"]

    hasty.until("/api/v1/namespaces/default/pods", moved, seconds=20)
    node = hasty.get("/api/v1/nodes/a")
    assert {taint["key"] for taint in node["spec"]["taints"]} == {"node.kubernetes.io/unreachable"}
    assert hasty.get("/api/v1/nodes/b")["spec"].get("taints", []) == []

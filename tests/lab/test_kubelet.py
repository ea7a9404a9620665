"""Pods as processes: what the API holds becomes real, on a real API server with real links and processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from region_harness import PART, REGION, Region, alive, node, region, until

Scenario = Callable[[Region], Awaitable[None]]
ZONES = [f"{REGION}{letter}" for letter in "abc"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Scenario], None]:
    (tmp_path / "tiny_part.py").write_text(PART)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)

    def play(scenario: Scenario) -> None:
        async def whole() -> None:
            async with region(tmp_path) as made:
                await scenario(made)

        asyncio.run(whole())

    return play


def zone_of(made: Region, pod: dict) -> str:  # type: ignore[type-arg]
    return made.facts[pod["spec"]["nodeName"]].zone


def test_a_deployment_runs_as_processes_spread_over_the_zones(run: Callable[[Scenario], None]) -> None:
    async def scenario(made: Region) -> None:
        await made.deploy(3)
        ready = await made.until_ready(3)
        assert all(alive(made.pid(pod)) for pod in ready)
        found = made.kubelet.endpoints("shop/orders")
        assert sorted(found) == ZONES
        host, port = found[ZONES[0]][0]
        async with made.session.get(f"http://{host}:{port}/who") as answer:
            name = await answer.text()
        assert zone_of(made, next(pod for pod in ready if pod["metadata"]["name"] == name)) == ZONES[0]

    run(scenario)


def test_a_deleted_pod_is_killed_and_replaced(run: Callable[[Scenario], None]) -> None:
    async def scenario(made: Region) -> None:
        await made.deploy(3)
        victim, *_ = await made.until_ready(3)
        pid, name = made.pid(victim), victim["metadata"]["name"]
        await made.cluster.delete(f"/api/v1/namespaces/shop/pods/{name}")
        await until(lambda: _true(not alive(pid)))

        async def replaced() -> bool:
            return len(await made.ready()) == 3 and name not in {p["metadata"]["name"] for p in await made.pods()}

        await until(replaced)

    run(scenario)


def test_a_pod_whose_process_dies_is_restarted_in_place(run: Callable[[Scenario], None]) -> None:
    async def scenario(made: Region) -> None:
        await made.deploy(1)
        (pod,) = await made.until_ready(1)
        pid = made.pid(pod)
        os.kill(pid, signal.SIGKILL)

        async def restarted() -> bool:
            pods = await made.ready()
            return bool(pods) and pods[0]["status"]["containerStatuses"][0]["restartCount"] == 1

        await until(restarted)
        assert made.pid(pod) != pid

    run(scenario)


def test_a_stopped_instance_takes_its_pods_and_its_node_along(run: Callable[[Scenario], None]) -> None:
    async def scenario(made: Region) -> None:
        await made.deploy(3)
        victim = next(pod for pod in await made.until_ready(3) if zone_of(made, pod) == ZONES[1])
        pid = made.pid(victim)
        made.stop(victim["spec"]["nodeName"])
        assert not alive(pid)

        async def not_ready() -> bool:
            _, seen = await made.cluster.call("GET", f"/api/v1/nodes/{victim['spec']['nodeName']}")
            return {c["type"]: c["status"] for c in seen["status"]["conditions"]}["Ready"] != "True"

        await until(not_ready)

        async def elsewhere() -> bool:
            ready = await made.ready()
            return len(ready) == 3 and all(zone_of(made, pod) != ZONES[1] for pod in ready)

        await until(elsewhere)

    run(scenario)


def test_a_terminated_instance_leaves_no_node(run: Callable[[Scenario], None]) -> None:
    async def scenario(made: Region) -> None:
        await made.deploy(2)
        await made.until_ready(2)
        gone = node(ZONES[0]).name
        del made.facts[gone]
        made.place()

        async def removed() -> bool:
            nodes, _ = await made.cluster.list("/api/v1/nodes")
            return gone not in {one["metadata"]["name"] for one in nodes}

        await until(removed)
        await made.until_ready(2)

    run(scenario)


def test_a_cut_off_zone_goes_on_unheard_and_obeys_again_when_healed(run: Callable[[Scenario], None]) -> None:
    async def scenario(made: Region) -> None:
        await made.deploy(3)
        victim = next(pod for pod in await made.until_ready(3) if zone_of(made, pod) == ZONES[2])
        pid, name = made.pid(victim), victim["metadata"]["name"]
        made.cut_off(ZONES[2])

        async def replaced() -> bool:
            return len([pod for pod in await made.ready() if zone_of(made, pod) != ZONES[2]]) == 3

        await until(replaced)
        assert alive(pid), "a process in a zone without network goes on"
        assert name in {pod["metadata"]["name"] for pod in await made.pods()}, "nobody could confirm its end"
        made.cut_off()
        await until(lambda: _true(not alive(pid)))
        await made.until_ready(3)

    run(scenario)


def test_an_image_that_does_not_exist_never_gets_ready(run: Callable[[Scenario], None]) -> None:
    async def scenario(made: Region) -> None:
        await made.deploy(1, image="shop/missing:2")

        async def told() -> bool:
            pods = await made.pods()
            statuses = pods[0].get("status", {}).get("containerStatuses") if pods else None
            return bool(statuses) and statuses[0]["state"] == {"waiting": {"reason": "ErrImagePull"}}

        await until(told)
        assert await made.ready() == []

    run(scenario)


def test_a_command_in_a_pod_really_signals_its_process(run: Callable[[Scenario], None]) -> None:
    async def scenario(made: Region) -> None:
        await made.deploy(3)
        pod, *_ = await made.until_ready(3)
        name, pid = pod["metadata"]["name"], made.pid(pod)
        before = pod["status"]["containerStatuses"][0]
        assert await made.execute(name, "kill", "-0", "1") == ("", "Success", "")
        said, ended, code = await made.execute(name, "sh", "-c", "true")
        assert ('exec: "sh": executable file not found in $PATH' in said, ended, code) == (True, "Failure", "127")
        assert alive(pid)
        await made.execute(name, "kill", "-KILL", "1")

        async def restarted() -> bool:
            found = await made.container(name)
            return found["restartCount"] == 1 and found["ready"]

        await until(restarted)
        after = await made.container(name)
        assert not alive(pid)
        assert after["containerID"] != before["containerID"]
        assert after["lastState"]["terminated"]["exitCode"] == 137
        made.cut_off(made.facts[pod["spec"]["nodeName"]].zone)
        assert await made.refused(name, "kill", "1") == 500

    run(scenario)


def test_what_pods_use_is_measured(run: Callable[[Scenario], None]) -> None:
    async def scenario(made: Region) -> None:
        await made.deploy(2)
        await made.until_ready(2)
        path = "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods"

        async def measured() -> bool:
            found, _ = await made.cluster.list(path)
            return len(found) == 2

        await until(measured)
        found, _ = await made.cluster.list(path)
        usage = found[0]["containers"][0]["usage"]
        assert usage["cpu"].endswith("n")
        assert int(usage["memory"].removesuffix("Ki")) > 1000

    run(scenario)


def test_a_node_whose_kubelet_is_stopped_is_given_up_but_its_processes_go_on(run: Callable[[Scenario], None]) -> None:
    async def scenario(made: Region) -> None:
        await made.deploy(3)
        victim = next(pod for pod in await made.until_ready(3) if zone_of(made, pod) == ZONES[0])
        pid, name = made.pid(victim), victim["spec"]["nodeName"]
        made.stop_kubelet(name)

        async def given_up() -> bool:
            _, seen = await made.cluster.call("GET", f"/api/v1/nodes/{name}")
            taints = {(taint["key"], taint["effect"]) for taint in seen["spec"].get("taints") or ()}
            return ("node.kubernetes.io/unreachable", "NoExecute") in taints

        await until(given_up)
        assert alive(pid)

        async def elsewhere() -> bool:
            return len([pod for pod in await made.ready() if zone_of(made, pod) != ZONES[0]]) == 3

        await until(elsewhere)
        assert alive(pid), "nobody is there to end what was evicted"
        made.stop_kubelet(name, stopped=False)
        await until(lambda: _true(not alive(pid)))

    run(scenario)


async def _true(value: bool) -> bool:
    return value


def test_a_zone_that_was_cut_off_for_a_moment_has_the_same_pods_ready_again(run: Callable[[Scenario], None]) -> None:
    async def scenario(made: Region) -> None:
        await made.deploy(3)
        before = {pod["metadata"]["name"] for pod in await made.until_ready(3)}
        made.cut_off(*ZONES)
        await made.until_ready(0)
        made.cut_off()
        after = {pod["metadata"]["name"] for pod in await made.until_ready(3)}
        assert after & before, "pods that nobody evicted go on, and are ready again"

    run(scenario)

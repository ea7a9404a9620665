"""The fail-over automation: when it acts, when it must not, and that it does not give up half way."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from blackstart.lab import automation_region

Play = Callable[[Callable[[Any], Any]], None]

STEPS = ["PrimaryUnhealthy", "FailoverDecided"]
DONE = {"DatabasePromoted", "CapacityScaled", "CacheWarmed"}


def in_state(wanted: str) -> Callable[[dict[str, Any]], bool]:
    return lambda found: bool(found["state"] == wanted)


async def told(scene: Any, reasons: set[str], seconds: float = 15.0) -> None:
    """Wait until all of ``reasons`` can be read in the cluster."""
    async with asyncio.timeout(seconds):
        while True:
            if reasons <= set(await scene.reasons()):
                return
            await asyncio.sleep(0.05)


def test_an_unhealthy_home_region_is_replaced_by_the_standby_region(play: Play) -> None:
    async def story(scene: Any) -> None:
        async with scene.running():
            await scene.becomes(in_state("watching"))
            scene.home.healthy = False
            await scene.becomes(in_state("done"))
            await told(scene, DONE)
            assert (await scene.writer(), await scene.cache_primary()) == ("us-west-2", "us-west-2")
            assert await scene.sizes() == {"on-demand": 3, "spot": 2}
            deployment = await scene.kube("GET", scene.spec.deployment_path)
            assert deployment["spec"]["replicas"] == deployment["status"]["readyReplicas"] == 6
            events = await scene.events()
            assert [event["reason"] for event in events[:2]] == STEPS
            assert {event["reason"] for event in events[2:]} == DONE
            assert {event["involvedObject"]["name"] for event in events} == {"orders"}
            assert "HTTP status 503" in events[0]["message"]
            assert set((await scene.state())["steps"].values()) == {"done"}

    play(story)


def test_it_fails_over_once_until_the_writer_is_home_again_and_home_is_healthy(play: Play) -> None:
    async def story(scene: Any) -> None:
        async with scene.running():
            before = await scene.groups()
            scene.home.healthy = False
            await scene.becomes(in_state("done"))
            checks = scene.home.checks
            await asyncio.sleep(0.6)
            assert (await scene.writer(), scene.home.checks) == ("us-west-2", checks)
            await scene.switch_back()
            await asyncio.sleep(0.3)
            assert in_state("done")(await scene.state())
            scene.home.healthy = True
            await scene.becomes(in_state("watching"))
            await told(scene, {"PrimaryRestored", "CapacityReleased"})
            deployment = await scene.kube("GET", scene.spec.deployment_path)
            assert deployment["spec"]["replicas"] == 2
            assert not [name for name in deployment["metadata"]["annotations"] if "before" in name]
            assert await scene.groups() == before
            scene.home.healthy = False
            await scene.becomes(in_state("done"))
            assert await scene.writer() == "us-west-2"
            assert (await scene.reasons()).count("FailoverDecided") == 2

    play(story)


@pytest.mark.sweep
def test_what_is_not_done_yet_when_the_writer_goes_home_is_given_up(play: Play) -> None:
    async def story(scene: Any) -> None:
        scene.standby.healthy = False
        async with scene.running():
            scene.home.healthy = False
            await scene.becomes(lambda found: found["steps"].get("warm") == "done")
            await scene.switch_back()
            scene.home.healthy = True
            await told(scene, {"CapacityReleased"})
            assert "DatabasePromoted" not in await scene.reasons()
            assert await scene.sizes() == {"on-demand": 2, "spot": 0}

    play(story)


@pytest.mark.sweep
def test_what_an_earlier_life_has_grown_is_given_back(play: Play) -> None:
    async def story(scene: Any) -> None:
        async with scene.running():
            scene.home.healthy = False
            await scene.becomes(in_state("done"))
        async with scene.running():
            await scene.becomes(in_state("done"))
            await scene.switch_back()
            scene.home.healthy = True
            await told(scene, {"CapacityReleased"})
            assert await scene.sizes() == {"on-demand": 2, "spot": 0}

    play(story)


def test_a_region_that_is_lost_again_before_the_capacity_is_given_back_keeps_it(play: Play) -> None:
    async def story(scene: Any) -> None:
        scene.spec = replace(scene.spec, release_seconds=2.0)
        async with scene.running():
            scene.home.healthy = False
            await scene.becomes(in_state("done"))
            await scene.switch_back()
            scene.home.healthy = True
            await scene.becomes(in_state("watching"))
            scene.home.healthy = False
            await scene.becomes(in_state("done"))
            await asyncio.sleep(2.2)
            assert "CapacityReleased" not in await scene.reasons()
            assert await scene.sizes() == {"on-demand": 3, "spot": 2}

    play(story)


def test_in_manual_mode_it_tells_what_it_sees_and_leaves_the_decision_to_people(play: Play) -> None:
    async def story(scene: Any) -> None:
        maps = "/api/v1/namespaces/shop/configmaps"
        await scene.kube("POST", maps, {"metadata": {"name": "failover"}, "data": {"mode": "manual"}})
        async with scene.running():
            scene.home.healthy = False
            await scene.becomes(in_state("left to people"))
            await asyncio.sleep(0.3)
            assert await scene.reasons() == ["PrimaryUnhealthy"]
            assert await scene.writer() == "us-east-1"
            scene.home.healthy = True
            await scene.becomes(in_state("watching"))
            await told(scene, {"PrimaryRecovered"})
            scene.home.healthy = False
            await scene.becomes(in_state("left to people"))
            await scene.kube("DELETE", f"{maps}/failover")
            await scene.becomes(in_state("done"))

    play(story)


def test_a_few_failures_are_not_enough(play: Play) -> None:
    async def story(scene: Any) -> None:
        scene.spec = replace(scene.spec, check_interval_seconds=0.3)
        async with scene.running():
            await scene.becomes(in_state("watching"))
            for _ in range(3):
                scene.home.healthy = False
                await scene.becomes(lambda found: found["failures"] in (1, 2, 3))
                scene.home.healthy = True
                await scene.becomes(lambda found: found["failures"] == 0)
            assert await scene.reasons() == []
            assert await scene.writer() == "us-east-1"

    play(story)


def test_a_region_that_recovers_while_it_decides_keeps_its_role(play: Play) -> None:
    async def story(scene: Any) -> None:
        scene.spec = replace(scene.spec, decide_seconds=30.0)
        async with scene.running():
            scene.home.healthy = False
            await scene.becomes(in_state("deciding"))
            scene.home.healthy = True
            await scene.becomes(in_state("watching"))
            await told(scene, {"PrimaryUnhealthy", "PrimaryRecovered"})
            assert await scene.writer() == "us-east-1"

    play(story)


def test_a_home_region_that_hangs_is_unhealthy_too(play: Play) -> None:
    async def story(scene: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/healthz"
            scene.spec = replace(scene.spec, health_url=url, check_timeout_seconds=0.1, decide_seconds=30.0)
            async with scene.running():
                await scene.becomes(in_state("deciding"))
                assert (await scene.state())["problem"] == "no answer in time"

    play(story)


def test_it_does_nothing_while_its_own_apis_are_out_of_reach(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automation_region, "CALL_SECONDS", 0.5)

    async def story(scene: Any) -> None:
        await scene.control_plane(reachable=False)
        async with scene.running():
            scene.home.healthy = False
            await scene.becomes(lambda found: "not failing over" in found["problem"])
            assert in_state("watching")(await scene.state())
            assert await scene.reasons() == []
            assert await scene.writer("us-east-1") == "us-east-1"
            await scene.control_plane(reachable=True)
            await scene.becomes(in_state("done"))

    play(story)


def test_a_step_that_cannot_be_done_yet_is_tried_again_and_the_others_go_on(play: Play) -> None:
    async def story(scene: Any) -> None:
        scene.spec = replace(scene.spec, node_groups=(("on-demand", 3), ("late", 2)))
        async with scene.running():
            scene.home.healthy = False
            await scene.becomes(lambda found: found["steps"].get("promote") == "done")
            await scene.becomes(lambda found: "late" in found["steps"]["scale"])
            assert in_state("failing-over")(await scene.state())
            spot = await scene.node_group("spot")
            called = {"clusterName": scene.spec.cluster, "nodegroupName": "late"}
            kept = {"subnets": spot["subnets"], "nodeRole": spot["nodeRole"]}
            size = {"minSize": 0, "desiredSize": 0, "maxSize": 4}
            await scene.call("eks", "create_nodegroup", scalingConfig=size, **called, **kept)
            await scene.becomes(in_state("done"))
            assert (await scene.sizes())["late"] == 2
            await scene.call("eks", "delete_nodegroup", **called)

    play(story)


def test_the_database_counts_as_promoted_only_when_it_takes_orders(play: Play) -> None:
    async def story(scene: Any) -> None:
        scene.standby.healthy = False
        async with scene.running():
            scene.home.healthy = False
            await scene.becomes(lambda found: found["steps"].get("warm") == "done")
            assert await scene.writer() == "us-west-2"
            assert "DatabasePromoted" not in await scene.reasons()
            scene.standby.healthy = True
            await scene.becomes(in_state("done"))

    play(story)


def test_a_restart_in_the_middle_finishes_the_fail_over_without_deciding_again(play: Play) -> None:
    async def story(scene: Any) -> None:
        scene.standby.healthy = False
        async with scene.running():
            scene.home.healthy = False
            await scene.becomes(in_state("failing-over"))
            async with asyncio.timeout(15):
                while True:
                    if await scene.writer() == "us-west-2":
                        break
                    await asyncio.sleep(0.05)
        scene.standby.healthy = True
        before = await scene.reasons()
        async with scene.running():
            await scene.becomes(in_state("done"))
            await told(scene, DONE)
        assert (await scene.reasons()).count("FailoverDecided") == before.count("FailoverDecided") == 1
        assert await scene.sizes() == {"on-demand": 3, "spot": 2}

    play(story)

"""Health checks of real endpoints."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from blackstart.clock import SystemClock
from blackstart.lab.dns_health import Check, HealthChecks, Tally, from_api
from blackstart.lab.serving import answering

# 100 times faster: a check every 0.1 s
TIME_SCALE = 100.0


class Endpoint:
    """An HTTP endpoint that answers as told. ``hang`` makes it take the request and say nothing."""

    def __init__(self) -> None:
        self.status = 200
        self.body = "fine"
        self.hang = False
        self.port = 0
        self.asked: list[tuple[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, request.host))
        if self.hang:
            await asyncio.sleep(30)
        return web.Response(status=self.status, text=self.body)


@asynccontextmanager
async def endpoint() -> AsyncIterator[Endpoint]:
    told = Endpoint()
    app = web.Application()
    app.router.add_get("/{path:.*}", told.answer)
    async with answering(app, "127.0.0.1", 0) as told.port:
        yield told


@asynccontextmanager
async def checking(*checks: Check) -> AsyncIterator[HealthChecks]:
    health = HealthChecks(SystemClock(), TIME_SCALE)
    health.update(checks)
    try:
        yield health
    finally:
        await health.close()


def check(port: int, **config: Any) -> Check:
    """A check named "hc" of 127.0.0.1:``port``, after two failures or successes."""
    settings = {
        "Type": "HTTP",
        "IPAddress": "127.0.0.1",
        "Port": port,
        "ResourcePath": "/healthz",
        "RequestInterval": 10,
        "FailureThreshold": 2,
    }
    return from_api({"Id": "hc", "HealthCheckConfig": settings | config})


async def becomes(health: HealthChecks, healthy: bool, seconds: float = 4.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if health.healthy("hc") is healthy:
                return
            await asyncio.sleep(0.01)


def test_an_endpoint_changes_its_state_only_after_enough_results_in_a_row() -> None:
    tally = Tally(3)
    assert [tally.note(ok) for ok in (False, False, True, False, False)] == [False] * 5
    assert tally.healthy
    assert tally.note(False)
    assert not tally.healthy
    assert [tally.note(ok) for ok in (True, True, False, True, True)] == [False] * 5
    assert tally.note(True)
    assert tally.healthy


def test_an_endpoint_that_fails_becomes_unhealthy_and_comes_back() -> None:
    async def scenario() -> None:
        async with endpoint() as at, checking(check(at.port, FullyQualifiedDomainName="orders.shop.test")) as health:
            await asyncio.sleep(0.3)
            assert health.healthy("hc")
            assert set(at.asked) == {("/healthz", "orders.shop.test")}
            since = health.report()["hc"]["since"]
            at.status = 503
            await becomes(health, False)
            told = health.report()["hc"]
            assert (told["healthy"], told["effective"], told["reason"]) == (False, False, "HTTP status 503")
            assert str(told["since"]) > str(since)
            at.status = 302
            await becomes(health, True)

    asyncio.run(scenario())


def test_one_failure_is_not_enough() -> None:
    async def scenario() -> None:
        async with endpoint() as at, checking(check(at.port, FailureThreshold=3)) as health:
            at.status = 500
            while len(at.asked) < 2:
                assert health.healthy("hc")
                await asyncio.sleep(0.005)
            at.status = 200
            await asyncio.sleep(0.4)
            assert health.healthy("hc")

    asyncio.run(scenario())


def test_an_endpoint_that_hangs_or_is_gone_is_unhealthy(unused_port: int) -> None:
    async def scenario() -> None:
        async with endpoint() as at, checking(check(at.port)) as health:
            at.hang = True
            await becomes(health, False)
            assert health.report()["hc"]["reason"] == "no answer in time"
        async with checking(check(unused_port)) as health:
            await becomes(health, False)
        async with checking(check(unused_port, Type="TCP")) as health:
            await becomes(health, False)

    asyncio.run(scenario())


def test_a_tcp_check_only_connects() -> None:
    async def scenario() -> None:
        async with endpoint() as at, checking(check(at.port, Type="TCP")) as health:
            await asyncio.sleep(0.3)
            assert health.report()["hc"]["reason"] == "connected"
            assert at.asked == []

    asyncio.run(scenario())


def test_a_string_match_wants_the_string() -> None:
    async def scenario() -> None:
        config = {"Type": "HTTP_STR_MATCH", "SearchString": "all is well"}
        async with endpoint() as at, checking(check(at.port, **config)) as health:
            await becomes(health, False)
            at.body = "x" * 5000 + "all is well"
            await becomes(health, True)
            at.body = "x" * 5120 + "all is well"
            await becomes(health, False)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("inverted", "disabled", "healthy"),
    [(False, False, False), (True, False, True), (False, True, True), (True, True, False)],
)
def test_inverted_and_disabled_turn_what_dns_goes_by_and_not_what_is_seen(
    unused_port: int, inverted: bool, disabled: bool, healthy: bool
) -> None:
    async def scenario() -> None:
        seen = check(unused_port)
        async with checking(seen) as health:
            await becomes(health, False)
            health.update([replace(seen, inverted=inverted, disabled=disabled)])
            assert health.healthy("hc") is healthy
            assert health.report()["hc"]["healthy"] is False

    asyncio.run(scenario())


def test_a_new_endpoint_starts_over_and_a_deleted_check_is_checked_no_more(unused_port: int) -> None:
    async def scenario() -> None:
        async with endpoint() as at, checking(check(unused_port)) as health:
            await becomes(health, False)
            health.update([check(at.port)])
            assert health.healthy("hc")
            await asyncio.sleep(0.2)
            health.update([])
            assert health.healthy("hc")
            await asyncio.sleep(0.1)
            asked = len(at.asked)
            await asyncio.sleep(0.3)
            assert asked > 0
            assert len(at.asked) == asked

    asyncio.run(scenario())


def test_a_calculated_check_counts_its_healthy_children(unused_port: int) -> None:
    def calculated(least: int) -> Check:
        config = {"Type": "CALCULATED", "ChildHealthChecks": ["hc", "absent", "up", "sum"], "HealthThreshold": least}
        return from_api({"Id": "sum", "HealthCheckConfig": config})

    async def scenario() -> None:
        up = replace(check(unused_port, Disabled=True), id="up")
        async with checking(check(unused_port), up, calculated(1)) as health:
            await becomes(health, False)
            assert health.healthy("sum")
            health.update([check(unused_port), up, calculated(2)])
            assert not health.healthy("sum")

    asyncio.run(scenario())


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_check_that_follows_a_routing_control_is_healthy_while_that_is_on() -> None:
    async def scenario() -> None:
        config = {"Type": "RECOVERY_CONTROL", "RoutingControlArn": "arn:east"}
        async with checking(from_api({"Id": "hc", "HealthCheckConfig": config})) as health:
            assert health.follows_controls
            assert health.healthy("hc")  # until the state is known
            health.switch({"arn:east": False})
            assert not health.healthy("hc")
            assert health.report()["hc"]["reason"] == "its routing control is Off"
            health.switch({"arn:east": True})
            assert health.healthy("hc")

    asyncio.run(scenario())

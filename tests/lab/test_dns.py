"""The DNS server beside a real moto and the lab's router, asked by a real resolver library."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import boto3
import dns.asyncquery
import dns.message
import pytest
from aiohttp import web
from botocore.config import Config

from blackstart.lab import dns as server
from blackstart.lab.aws import router
from blackstart.lab.dns import DnsSpec
from blackstart.lab.serving import answering

HOME, STANDBY = "127.0.0.11", "127.0.0.12"
HOST = "orders.shop.test"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


MOTO = "import asyncio, sys; from blackstart.lab.aws.moto_app import MotoSpec, serve; \
asyncio.run(serve(MotoSpec('127.0.0.1', int(sys.argv[1]))))"


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", MOTO, str(port)])
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


def aws_client(url: str, service: Any, region: str) -> Any:
    keys = {"aws_access_key_id": "123456789012", "aws_secret_access_key": "lab"}
    config = Config(retries={"total_max_attempts": 1}, read_timeout=5)
    return boto3.client(service, endpoint_url=url, region_name=region, config=config, **keys)


def route53(url: str) -> Any:
    return aws_client(url, "route53", "us-east-1")


class Platform:
    """A zone with a failover record: the gateway of the home region (checked) and that of the standby region."""

    def __init__(self, spec: DnsSpec, session: aiohttp.ClientSession) -> None:
        self.spec = spec
        self.session = session
        self.home_status = 200
        self.route53 = route53(spec.aws_url)

    async def home(self, _: web.Request) -> web.Response:
        return web.Response(status=self.home_status)

    async def aws(self, operation: str, **arguments: Any) -> Any:
        return await asyncio.to_thread(getattr(self.route53, operation), **arguments)

    async def create(self, home_port: int) -> None:
        zone = await self.aws("create_hosted_zone", Name="shop.test", CallerReference=str(free_port()))
        self.zone_id = zone["HostedZone"]["Id"]
        config = {"Type": "HTTP", "IPAddress": "127.0.0.1", "Port": home_port, "ResourcePath": "/healthz"}
        config |= {"RequestInterval": 10, "FailureThreshold": 3}
        made = await self.aws("create_health_check", CallerReference=str(free_port()), HealthCheckConfig=config)
        self.check_id = made["HealthCheck"]["Id"]
        primary = self.record(HOST, HOME, SetIdentifier="home", Failover="PRIMARY", HealthCheckId=self.check_id)
        secondary = self.record(HOST, STANDBY, SetIdentifier="standby", Failover="SECONDARY")
        await self.change("CREATE", primary, secondary)

    def record(self, name: str, address: str, **more: str) -> dict[str, Any]:
        return {"Name": name, "Type": "A", "TTL": 2, "ResourceRecords": [{"Value": address}], **more}

    async def change(self, action: str, *records: dict[str, Any]) -> None:
        changes = [{"Action": action, "ResourceRecordSet": record} for record in records]
        await self.aws("change_resource_record_sets", HostedZoneId=self.zone_id, ChangeBatch={"Changes": changes})

    async def remove(self) -> None:
        """Leave nothing to the next test."""
        sets = (await self.aws("list_resource_record_sets", HostedZoneId=self.zone_id))["ResourceRecordSets"]
        await self.change("DELETE", *(found for found in sets if found["Type"] == "A"))
        await self.aws("delete_hosted_zone", Id=self.zone_id)
        await self.aws("delete_health_check", HealthCheckId=self.check_id)

    async def resolve(self, name: str = HOST, *, tcp: bool = False) -> list[str]:
        ask = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
        reply = await ask(dns.message.make_query(name, "A"), self.spec.host, timeout=2, port=self.spec.port)
        return [str(value) for found in reply.answer for value in found]

    async def answers(self, address: str, name: str = HOST, seconds: float = 8.0) -> None:
        async with asyncio.timeout(seconds):
            while True:
                if await self.resolve(name) == [address]:
                    return
                await asyncio.sleep(0.02)

    async def told(self, path: str) -> Any:
        async with self.session.get(f"http://{self.spec.host}:{self.spec.admin_port}{path}") as answer:
            return await answer.json()

    async def control_plane(self, *, reachable: bool) -> None:
        body = {"region": "us-east-1", "reachable": reachable}
        async with self.session.post(f"{self.spec.router_admin_url}/control-planes", json=body) as answer:
            assert answer.status == 200


@dataclass
class Tasks:
    running: list[asyncio.Task[None]]

    async def stop(self) -> None:
        for task in self.running:
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)


@asynccontextmanager
async def platform(moto_url: str, *, with_router: bool = True) -> AsyncIterator[Platform]:
    port, admin_port = free_port(), free_port()
    routed = router.RouterSpec("127.0.0.1", port, admin_port, moto_url, "http://127.0.0.1:9", "")
    spec = DnsSpec(
        host="127.0.0.1",
        port=free_port(),
        admin_port=free_port(),
        aws_url=f"http://127.0.0.1:{port}" if with_router else moto_url,
        router_admin_url=f"http://127.0.0.1:{admin_port}" if with_router else "",
        zone="shop.test",
    )
    tasks = Tasks([asyncio.create_task(router.serve(routed)), asyncio.create_task(server.serve(spec))])
    async with aiohttp.ClientSession() as session:
        made = Platform(spec, session)
        gateway = web.Application()
        gateway.router.add_get("/healthz", made.home)
        async with answering(gateway, "127.0.0.1", 0) as home_port:
            await _up(session, moto_url)
            await _up(session, f"http://127.0.0.1:{spec.admin_port}")
            await _up(session, f"http://127.0.0.1:{admin_port}")
            await made.create(home_port)
            try:
                await made.answers(HOME)
                yield made
            finally:
                await made.remove()
                await tasks.stop()


async def _up(session: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                async with session.get(f"{url}/healthz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)


def play(moto_url: str, scene: Callable[[Platform], Any], **options: bool) -> None:
    async def scenario() -> None:
        async with platform(moto_url, **options) as made:
            await scene(made)

    asyncio.run(scenario())


def test_a_failing_gateway_moves_the_name_to_the_standby_region_and_back(moto_url: str) -> None:
    async def scene(made: Platform) -> None:
        loop = asyncio.get_running_loop()
        made.home_status = 503
        began = loop.time()
        await made.answers(STANDBY)
        # three checks, one a second
        assert 1.5 < loop.time() - began < 5.0
        (health,) = (await made.told("/health")).values()
        assert (health["healthy"], health["reason"]) == (False, "HTTP status 503")
        made.home_status = 200
        await made.answers(HOME)

    play(moto_url, scene)


def test_an_inverted_health_check_moves_the_name_within_a_second(moto_url: str) -> None:
    async def scene(made: Platform) -> None:
        await made.aws("update_health_check", HealthCheckId=made.check_id, Inverted=True)
        await made.answers(STANDBY, seconds=1.5)
        await made.aws("update_health_check", HealthCheckId=made.check_id, Inverted=False)
        await made.answers(HOME, seconds=1.5)

    play(moto_url, scene)


def test_answers_follow_changed_records_over_udp_and_tcp(moto_url: str) -> None:
    async def scene(made: Platform) -> None:
        assert await made.resolve("www.shop.test") == []
        await made.change("CREATE", made.record("www.shop.test", "127.0.0.10"))
        await made.answers("127.0.0.10", "www.shop.test", seconds=1.5)
        assert await made.resolve("WWW.shop.test", tcp=True) == ["127.0.0.10"]
        served = await made.told("/records")
        assert (served["zone"], served["stale"]) == ("shop.test.", False)
        assert "www.shop.test." in {record["name"] for record in served["records"]}

    play(moto_url, scene)


def test_without_a_control_plane_the_data_plane_lives_on(moto_url: str) -> None:
    async def scene(made: Platform) -> None:
        await made.control_plane(reachable=False)
        # A change behind the unreachable API's back makes the server ask, in vain.
        made.route53 = route53(made.spec.router_admin_url)
        await made.change("CREATE", made.record("late.shop.test", "127.0.0.10"))
        async with asyncio.timeout(5):
            while True:
                if (await made.told("/records"))["stale"]:
                    break
                await asyncio.sleep(0.05)
        assert await made.resolve() == [HOME]
        made.home_status = 503
        await made.answers(STANDBY)
        assert await made.resolve("late.shop.test") == []
        await made.control_plane(reachable=True)
        await made.answers("127.0.0.10", "late.shop.test", seconds=5.0)

    play(moto_url, scene)


def test_without_a_router_the_api_is_read_every_two_seconds(moto_url: str) -> None:
    async def scene(made: Platform) -> None:
        await made.change("CREATE", made.record("late.shop.test", "127.0.0.10"))
        await made.answers("127.0.0.10", "late.shop.test", seconds=4.0)

    play(moto_url, scene, with_router=False)


def routing_control(url: str) -> str:
    """The ARN of a new one, which is Off."""
    config = aws_client(url, "route53-recovery-control-config", "us-west-2")
    cluster = config.create_cluster(ClusterName="shop")["Cluster"]["ClusterArn"]
    panel = config.create_control_panel(ClusterArn=cluster, ControlPanelName="shop")["ControlPanel"]["ControlPanelArn"]
    asked = {"ClusterArn": cluster, "ControlPanelArn": panel, "RoutingControlName": "home"}
    return str(config.create_routing_control(**asked)["RoutingControl"]["RoutingControlArn"])


def test_routing_controls_decide_about_names_without_any_control_plane(moto_url: str) -> None:
    async def scene(made: Platform) -> None:
        control = await asyncio.to_thread(routing_control, made.spec.aws_url)
        check = {"Type": "RECOVERY_CONTROL", "RoutingControlArn": control}
        followed = await made.aws("create_health_check", CallerReference=control, HealthCheckConfig=check)
        primary = {"SetIdentifier": "home", "Failover": "PRIMARY", "HealthCheckId": followed["HealthCheck"]["Id"]}
        secondary = made.record("routed.shop.test", STANDBY, SetIdentifier="standby", Failover="SECONDARY")
        await made.change("CREATE", made.record("routed.shop.test", HOME, **primary), secondary)
        await made.answers(STANDBY, "routed.shop.test", seconds=3.0)
        await made.control_plane(reachable=False)
        elsewhere = aws_client(made.spec.aws_url, "route53-recovery-cluster", "eu-west-1")
        switch = {"RoutingControlArn": control, "RoutingControlState": "On"}
        await asyncio.to_thread(elsewhere.update_routing_control_state, **switch)
        await made.answers(HOME, "routed.shop.test", seconds=1.5)
        await made.control_plane(reachable=True)
        await made.aws("delete_health_check", HealthCheckId=followed["HealthCheck"]["Id"])

    play(moto_url, scene)

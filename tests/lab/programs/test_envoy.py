"""Real Envoys in front of real servers: where requests go, and what clients see when a pod or a region fails."""

import asyncio
import socket
import subprocess
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import dnslib
import pytest
from aiohttp import web

from blackstart.lab import envoy
from blackstart.lab.binaries import envoy as envoy_program
from blackstart.lab.serving import answering

HEADERS = ("x-region", "x-zone", "x-pod", "x-cache")


class Pod:
    """A server whose answers can be changed while it runs."""

    def __init__(self, name, zone):
        self.name, self.zone = name, zone
        self.status, self.ready, self.hangs = 200, True, False
        self.served = []
        self.address = ("", 0)

    async def answer(self, request):
        if self.hangs:
            await asyncio.sleep(60)
        if request.path == envoy.READY_PATH:
            return web.Response(status=200 if self.ready else 503)
        self.served.append(await request.text())
        values = ("us-east-1", self.zone, self.name, "hit")
        return web.Response(status=self.status, headers=dict(zip(HEADERS, values, strict=True)))


@asynccontextmanager
async def pods(*places):
    async with AsyncExitStack() as stack:
        made = [Pod(f"pod-{number}", zone) for number, zone in enumerate(places)]
        for pod in made:
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", pod.answer)
            pod.address = ("127.0.0.1", await stack.enter_async_context(answering(app, "127.0.0.1", 0)))
        yield made


def by_zone(made):
    return {zone: [pod.address for pod in made if pod.zone == zone] for zone in {pod.zone for pod in made}}


class Front:
    """A running Envoy, as its clients see it."""

    def __init__(self, session, listen, admin):
        self.session, self.listen, self.admin = session, listen, admin

    async def ask(self, path="/products/1", **more):
        method = more.pop("method", "GET")
        async with self.session.request(method, url(self.listen) + path, **more) as answer:
            await answer.read()
            return answer

    async def answers(self, number, **more):
        """How often each pod answered, and the statuses seen."""
        seen = [await self.ask(**more) for _ in range(number)]
        return {answer.headers.get("x-pod") for answer in seen}, {answer.status for answer in seen}

    async def fault(self, **settings):
        async with self.session.post(url(self.admin) + "/runtime_modify", params=settings) as answer:
            assert answer.status == 200


def url(address):
    return "http://{}:{}".format(*address)


@asynccontextmanager
async def running(spawn, folder, write, port):
    """Start the Envoy that ``write`` configures."""
    listen, admin = ("127.0.0.1", port()), ("127.0.0.1", port())
    config = write(listen=listen, admin=admin)
    process = spawn(config.parent.name, envoy.command(envoy_program(), config), cwd=folder)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        front = Front(session, listen, admin)

        async def is_ready():
            assert process.alive()
            try:
                async with session.get(url(admin) + "/ready") as answer:
                    return answer.status == 200
            except aiohttp.ClientConnectionError:
                return False

        await until(is_ready, 20)
        yield front


@pytest.fixture
def gateway(spawn, folder, port):
    """A gateway in front of some pods: ``async with gateway(*pods) as front``."""

    @asynccontextmanager
    async def made(some, name="gateway-us-east-1"):
        place = folder / name
        write = lambda **addresses: envoy.gateway(place, name=name, **addresses)  # noqa: E731
        async with running(spawn, folder, write, port) as front:
            envoy.write_endpoints(place, by_zone(some))
            front.endpoints = lambda zones, draining=(): envoy.write_endpoints(place, zones, draining)
            await until(lambda: reaches(front, {pod.name for pod in some}))
            yield front

    return made


async def reaches(front, names):
    return (await front.answers(4 * len(names) + 4))[0] == names


async def until(holds, seconds=10.0):
    async with asyncio.timeout(seconds):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.05)


def test_envoy_accepts_both_configurations(folder, port):
    listen, admin = ("127.0.0.1", port()), ("127.0.0.1", port())
    configs = [
        envoy.gateway(folder / "gateway", name="gateway", listen=listen, admin=admin),
        envoy.edge(
            folder / "edge", name="edge", listen=listen, admin=admin, origin=("a.test", 80), resolver=("127.0.0.1", 53)
        ),
    ]
    for config in configs:
        argv = [*envoy.command(envoy_program(), config), "--mode", "validate"]
        assert subprocess.run(argv, capture_output=True, check=False).returncode == 0


def test_requests_reach_all_pods_and_their_headers_pass_through(gateway):
    async def story():
        async with pods("us-east-1a", "us-east-1b") as (one, two), gateway((one, two)) as front:
            answer = await front.ask()
            assert answer.headers["x-zone"] in ("us-east-1a", "us-east-1b")
            assert all(header in answer.headers for header in HEADERS)
            front.endpoints({"us-east-1b": [two.address]})
            await until(lambda: reaches(front, {two.name}))
            front.endpoints(by_zone((one, two)), draining={"us-east-1b"})
            await until(lambda: reaches(front, {one.name}))

    asyncio.run(story())


def test_clients_do_not_notice_pods_that_hang_or_fail(gateway):
    async def story():
        async with pods("us-east-1a", "us-east-1a", "us-east-1b") as some, gateway(some) as front:
            hanging, failing, good = some
            hanging.hangs, failing.status = True, 503
            order = {"method": "POST", "path": "/orders", "data": "order-1"}
            assert (await front.answers(12, **order)) == ({good.name}, {200})
            assert "order-1" in failing.served

    asyncio.run(story())


def test_when_no_pod_is_ready_nobody_is_asked(gateway):
    async def story():
        async with pods("us-east-1a") as (only,), gateway((only,)) as front:
            only.ready = False
            await until(lambda: refused(front))
            only.served.clear()
            assert (await front.answers(5)) == ({None}, {503})
            assert only.served == []
            only.ready = True
            await until(lambda: reaches(front, {only.name}))

    async def refused(front):
        return (await front.answers(3))[1] == {503}

    asyncio.run(story())


def test_the_health_of_the_service_is_told_by_one_pod_and_not_glossed_over(gateway):
    async def story():
        async with pods("us-east-1a", "us-east-1b") as some, gateway(some) as front:
            for pod in some:
                pod.status = 503
                pod.served.clear()
            assert (await front.ask("/healthz")).status == 503
            assert sum(len(pod.served) for pod in some) == 1

    asyncio.run(story())


def test_faults_can_be_turned_up_and_down_while_it_runs(gateway):
    async def story():
        async with pods("us-east-1a") as some, gateway(some) as front:
            await front.fault(**{"fault.http.abort.abort_percent": "100", "fault.http.abort.http_status": "500"})
            assert (await front.answers(5))[1] == {500}
            await front.fault(**{"fault.http.abort.abort_percent": "0"})
            await front.fault(
                **{"fault.http.delay.fixed_delay_percent": "100", "fault.http.delay.fixed_duration_ms": "300"}
            )
            before = asyncio.get_running_loop().time()
            assert (await front.ask()).status == 200
            assert asyncio.get_running_loop().time() - before >= 0.29  # its clock and ours are not one

    asyncio.run(story())


class Names(asyncio.DatagramProtocol):
    """A DNS server with one name; ``address`` can be changed."""

    ttl = 1

    def __init__(self, address):
        self.address = address
        self.asked = 0

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, sender):
        self.asked += 1
        reply = dnslib.DNSRecord.parse(data).reply()
        if reply.q.qtype == dnslib.QTYPE.A:
            reply.add_answer(dnslib.RR(reply.q.qname, rdata=dnslib.A(self.address), ttl=self.ttl))
        self.transport.sendto(reply.pack(), sender)


def test_the_edge_follows_the_name_of_its_origin(spawn, folder, port):
    async def story():
        async with AsyncExitStack() as stack:
            shared = port()
            for host in ("127.0.0.11", "127.0.0.12"):
                app = web.Application()
                app.router.add_route("*", "/{path:.*}", Pod(host, "us-east-1a").answer)
                await stack.enter_async_context(answering(app, host, shared))
            transport, names = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: Names("127.0.0.11"), ("127.0.0.1", 0)
            )
            stack.callback(transport.close)

            def write(**addresses):
                origin, resolver = ("orders.shop.test", shared), transport.get_extra_info("sockname")
                return envoy.edge(folder / "edge", name="edge", origin=origin, resolver=resolver, **addresses)

            front = await stack.enter_async_context(running(spawn, folder, write, port))
            answer = await front.ask("/")
            assert (answer.status, answer.headers["x-pod"], answer.headers["x-edge"]) == (200, "127.0.0.11", "edge")
            names.address = "127.0.0.12"

            async def moved():
                return (await front.ask("/")).headers["x-pod"] == "127.0.0.12"

            await until(moved, 4 * names.ttl)

    asyncio.run(story())


def test_the_file_of_endpoints_is_replaced_whole(folder):
    envoy.write_endpoints(folder, {"us-east-1a": [("127.0.0.1", 80)]})
    assert [path.name for path in folder.iterdir()] == [envoy.ENDPOINTS]
    with socket.socket() as unused, pytest.raises(TypeError):
        envoy.write_endpoints(folder, {"us-east-1a": [("127.0.0.1", unused)]})
    assert '"port_value": 80' in (folder / envoy.ENDPOINTS).read_text()

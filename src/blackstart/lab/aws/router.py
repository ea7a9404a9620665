"""The one AWS endpoint of the lab: a proxy that picks who answers by the signature's service and region."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

import aiohttp
from aiohttp import web

from blackstart.clock import Clock, SystemClock, iso
from blackstart.errors import ServiceUnreachable
from blackstart.lab.aws import proxy, signature, verbs
from blackstart.lab.aws.moto_app import FAILURE_HEADER
from blackstart.lab.aws.operations import Operations
from blackstart.lab.aws.restores import FROM_SNAPSHOT, TO_POINT_IN_TIME, Restores
from blackstart.lab.aws.traffic import GLOBAL_REGION, Call, ControlPlanes, Traffic, home_of

logger = logging.getLogger("blackstart.lab.router")

MINISTACK_SERVICES = frozenset({"rds", "s3", "sqs", "sns", "kms"})
STREAMING_SERVICES = frozenset({"s3"})

_IN_MEMORY_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class RouterSpec:
    """Where the router listens, and whom it asks.

    ``admin_port`` speaks JSON about the router itself; every other path there is the AWS API without control-plane
    faults and without a log of calls, for the lab's own use. ``dns_admin_url`` tells how Route 53's health checks are.
    """

    host: str
    port: int
    admin_port: int
    moto_url: str
    ministack_url: str
    dns_admin_url: str = ""


@dataclass(frozen=True)
class Asked:
    """A request of an AWS client, as far as the router understands it. ``body`` is None while it streams."""

    service: str
    region: str
    operation: str
    body: bytes | None


def meant(operation: str, body: bytes) -> str:
    """The operation that a call amounts to: a global fail-over that may lose nothing is a switch-over. Pure."""
    if operation == "FailoverGlobalCluster" and b"AllowDataLoss=true" not in body:
        return "SwitchoverGlobalCluster"
    return operation


class Router:
    """The request handlers of one router."""

    def __init__(self, spec: RouterSpec, client: aiohttp.ClientSession, clock: Clock) -> None:
        self.spec = spec
        self.traffic = Traffic()
        self.planes = ControlPlanes()
        self.restores = Restores()
        self._client = client
        self._clock = clock
        self._operations = Operations()

    async def public(self, request: web.Request) -> web.StreamResponse:
        """The AWS API as clients see it: logged, and silent for regions whose control plane is unreachable."""
        arrived, began = iso(self._clock.now()), self._clock.monotonic()
        asked = await self._understand(request)
        answer: proxy.Answer | None = None
        held = True
        try:
            if not await self._was_away(asked):
                answer = await self._answer(request, asked)
                held = await self._was_away(asked)
        finally:
            status = answer.status if answer and not held else 0
            agent = request.headers.get("User-Agent", "")
            took = round(self._clock.monotonic() - began, 6)
            self.traffic.log(Call(arrived, asked.service, asked.region, asked.operation, status, agent, held, took))
            if held and answer:
                answer.close()
        if answer and not held:
            return await answer.send(request)
        if request.transport is not None:
            request.transport.close()
        return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE)  # which nobody hears any more

    async def private(self, request: web.Request) -> web.StreamResponse:
        """The AWS API for the lab itself: never held, not logged."""
        return await (await self._answer(request, await self._understand(request))).send(request)

    async def _understand(self, request: web.Request) -> Asked:
        path, _, query = request.raw_path.partition("?")
        scope = signature.scope_of(request.headers.get("Authorization", ""), query)
        service, region = (scope.service, scope.region) if scope else ("s3", GLOBAL_REGION)
        body = None if service in STREAMING_SERVICES else await request.read()
        operation = signature.operation_in(request.headers, query, body or b"")
        operation = operation or self._operations.rest_name(service, request.method, path, query)
        return Asked(service, region, operation, body)

    async def _answer(self, request: web.Request, asked: Asked) -> proxy.Answer:
        """What the lab says; a mutation that passed is told to those who wait for changes."""
        try:
            answer = await self._ask(request, asked)
        except ServiceUnreachable as error:
            logger.info("%s %s: %s", asked.service, asked.operation, error)
            return self._refuse(request, asked, HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable", str(error))
        if isinstance(answer, proxy.Whole) and FAILURE_HEADER in answer.headers:
            message = f"{asked.service} {asked.operation}: {answer.body.decode()}"
            return self._refuse(request, asked, answer.status, answer.headers[FAILURE_HEADER], message)
        if answer.status < 300 and self._operations.mutates(asked.service, asked.operation):
            self.traffic.change(asked.service, asked.region, meant(asked.operation, asked.body or b""))
        return answer

    async def _ask(self, request: web.Request, asked: Asked) -> proxy.Answer:
        base = self.spec.ministack_url if asked.service in MINISTACK_SERVICES else self.spec.moto_url
        # Emulators build queue URLs from the host they were called by: it has to be the public one.
        host = f"{self.spec.host}:{self.spec.port}"
        if asked.service == "rds" and asked.operation in (FROM_SNAPSHOT, TO_POINT_IN_TIME):
            ask = partial(proxy.forward, self._client, base, host, request)
            return await self.restores.restore(asked.operation, asked.region, asked.body or b"", ask)
        answer = await proxy.forward(self._client, base, host, request, asked.body)
        if asked.service == "rds" and asked.operation.startswith("Describe"):
            return self.restores.corrected(asked.region, answer)
        if (asked.service, asked.operation) == verbs.HEALTH_CHECK_STATUS and self.spec.dns_admin_url:
            return await verbs.health_check_status(self._client, self.spec.dns_admin_url, request.path, answer)
        return answer

    def _refuse(self, request: web.Request, asked: Asked, status: int, code: str, message: str) -> proxy.Answer:
        json_protocol = self._operations.speaks_json(asked.service, request.headers.get("Content-Type", ""))
        return proxy.refusal(status, code, message, json_protocol=json_protocol)

    async def _was_away(self, asked: Asked) -> bool:
        """Whether the control plane behind the call was unreachable; returns when it no longer is."""
        back = self.planes.back(home_of(asked.service, asked.region))
        if back is None:
            return False
        await back.wait()
        return True


def admin_routes(router: Router) -> web.Application:
    """JSON about the router, and the AWS API for the lab itself on every other path."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"part": "router"})

    async def changes(request: web.Request) -> web.Response:
        seq, found = await router.traffic.changes(
            int(request.query.get("since", "0")), float(request.query.get("wait", "0"))
        )
        return web.json_response({"seq": seq, "services": found})

    async def tell_change(request: web.Request) -> web.Response:
        told = await request.json()
        router.traffic.change(str(told["service"]), str(told["region"]), str(told["operation"]))
        return web.json_response({})

    async def calls(request: web.Request) -> web.Response:
        return web.json_response({"calls": router.traffic.calls(int(request.query.get("since", "0")))})

    async def planes(_request: web.Request) -> web.Response:
        return web.json_response({"unreachable": router.planes.unreachable()})

    async def set_plane(request: web.Request) -> web.Response:
        wanted = await request.json()
        router.planes.set(str(wanted["region"]), bool(wanted["reachable"]))
        return web.json_response({"unreachable": router.planes.unreachable()})

    app = web.Application(client_max_size=_IN_MEMORY_BYTES)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/changes", changes)
    app.router.add_post("/changes", tell_change)
    app.router.add_get("/calls", calls)
    app.router.add_routes(router.restores.routes())
    app.router.add_get("/control-planes", planes)
    app.router.add_post("/control-planes", set_plane)
    app.router.add_route("*", "/{path:.*}", router.private)
    return app


async def serve(spec: RouterSpec, clock: Clock | None = None) -> None:
    """Serve until cancelled. GET /healthz on the admin port answers 200 as soon as both ports are open."""
    async with proxy.session() as client:
        router = Router(spec, client, clock or SystemClock())
        api = web.Application(client_max_size=_IN_MEMORY_BYTES)
        api.router.add_route("*", "/{path:.*}", router.public)
        runners = [
            web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.5)
            for app in (api, admin_routes(router))
        ]
        try:
            for runner, port in zip(runners, (spec.port, spec.admin_port), strict=True):
                await runner.setup()
                await web.TCPSite(runner, spec.host, port, backlog=1024).start()
            logger.info("AWS API on %s:%d, admin on port %d", spec.host, spec.port, spec.admin_port)
            await asyncio.Event().wait()
        finally:
            for runner in runners:
                await runner.cleanup()

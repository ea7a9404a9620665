"""moto, as one part of the lab: EC2, Auto Scaling, EKS, Route 53 and whatever ministack does not serve better."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
from aiohttp import web

from blackstart.clock import SystemClock
from blackstart.errors import LabError
from blackstart.lab.aws import wsgi
from blackstart.lab.aws.signature import ACCOUNT

# On answers to calls that moto cannot handle, whose bodies are plain sentences: the error code for the client.
FAILURE_HEADER = "X-Blackstart-Failure"
EXPERIMENT_STEP_SECONDS = 0.25

logger = logging.getLogger("blackstart.lab.moto")


@dataclass(frozen=True)
class _Warm:
    """One cheap call, so that the first real one need not load the service."""

    service: Any  # one of moto's literals
    method: str
    path: str
    form: str


_WARM_CALLS = (
    _Warm("ec2", "POST", "/", "Action=DescribeVpcs&Version=2016-11-15"),
    _Warm("autoscaling", "POST", "/", "Action=DescribeAutoScalingGroups&Version=2011-01-01"),
    _Warm("elasticache", "POST", "/", "Action=DescribeReplicationGroups&Version=2015-02-02"),
    _Warm("sts", "POST", "/", "Action=GetCallerIdentity&Version=2011-06-15"),
    _Warm("eks", "GET", "/clusters", ""),
    _Warm("route53", "GET", "/2013-04-01/hostedzone", ""),
)


@dataclass(frozen=True)
class MotoSpec:
    """Where moto listens, the regions whose instance offerings it loads, and how often Auto Scaling looks at health.

    ``router_admin_url`` is told when instances come or go without a call, and is an AWS endpoint through which the
    ``interruption_queue`` (a name) of each region hears of Spot instances; "" tells nobody. Experiments of FIS run
    ``time_scale`` times faster than they say.
    """

    host: str
    port: int
    regions: tuple[str, ...] = ("us-east-1", "us-west-2")
    health_check_seconds: float = 2.0
    router_admin_url: str = ""
    interruption_queue: str = ""
    time_scale: float = 1.0


async def serve(spec: MotoSpec) -> None:
    """Serve until cancelled. GET /healthz answers 200 once a first call is as quick as the rest."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="moto") as executor:
        loop = asyncio.get_running_loop()
        application = await loop.run_in_executor(executor, load, spec.regions)
        answer = wsgi.handler(application, executor)

        async def route(request: web.BaseRequest) -> web.StreamResponse:
            if request.path == "/healthz":
                return web.json_response({"part": "moto"})
            try:
                response: web.StreamResponse = await answer(request)
            except LabError as error:
                headers = {FAILURE_HEADER: "NotImplemented"}
                return web.Response(status=HTTPStatus.NOT_IMPLEMENTED, text=str(error), headers=headers)
            return response

        runner = web.ServerRunner(web.Server(route))
        await runner.setup()
        try:
            await web.TCPSite(runner, spec.host, spec.port).start()
            logger.info("moto listens on %s:%d", spec.host, spec.port)
            async with asyncio.TaskGroup() as work:
                work.create_task(_keep_settling(spec, executor))
                work.create_task(_keep_experimenting(spec, executor))
        finally:
            await runner.cleanup()


async def _keep_settling(spec: MotoSpec, executor: Executor) -> None:
    from blackstart.lab.aws import moto_scaling  # imports moto, which only ``load`` makes quick

    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1.0)) as client:
        while True:
            await asyncio.sleep(spec.health_check_seconds)
            for region in await loop.run_in_executor(executor, moto_scaling.settle_all, spec.regions):
                logger.info("Auto Scaling replaced instances in %s", region)
                await _tell(client, spec, "autoscaling", region, "HealthCheck")


async def _keep_experimenting(spec: MotoSpec, executor: Executor) -> None:
    loop, clock = asyncio.get_running_loop(), SystemClock()
    fis = await loop.run_in_executor(executor, _installed_fis)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1.0)) as client:
        while True:
            await asyncio.sleep(EXPERIMENT_STEP_SECONDS)
            said, changed = await loop.run_in_executor(executor, fis.go_on, spec.regions, clock, spec.time_scale)
            for region in changed:
                logger.info("FIS interrupted instances in %s", region)
                await _tell(client, spec, "ec2", region, "TerminateInstances")
            if said and spec.interruption_queue and spec.router_admin_url:
                await asyncio.to_thread(_announce, said, spec)


async def _tell(client: aiohttp.ClientSession, spec: MotoSpec, service: str, region: str, operation: str) -> None:
    """Tell the router of a change that no call has made."""
    if spec.router_admin_url:
        change = {"service": service, "region": region, "operation": operation}
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            await client.post(f"{spec.router_admin_url}/changes", json=change)


def _installed_fis() -> Any:
    from blackstart.lab.aws import moto_fis  # nobody waits for it while the lab starts

    moto_fis.install()
    return moto_fis


def _announce(said: Iterable[Any], spec: MotoSpec) -> None:
    from blackstart.lab.aws import announcements, clients  # take a while to load, and most labs never need them

    with contextlib.closing(clients.Clients(spec.router_admin_url)) as of_lab:
        announcements.announce(said, spec.interruption_queue, of_lab)


def load(regions: tuple[str, ...]) -> wsgi.Application:
    """Import moto with only what ``regions`` need, and an empty account."""
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # 1,300 images that nobody here starts
    with _shared_service_models(), _no_foreign_offerings(regions):
        from moto import backends
        from moto.core.base_backend import BackendDict
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        from blackstart.lab.aws import moto_arc, moto_routing, moto_scaling, moto_verbs

        BackendDict.reset()
        moto_scaling.install()
        moto_verbs.install()

        def create(service: Any) -> Any:
            if service is None:
                raise LabError("answer for this service", "the lab has no such service")
            if service == "ssm":
                from blackstart.lab.aws import moto_ssm  # takes a while to load, and nobody waits for it

                moto_ssm.install()
            if service == "fis":
                _installed_fis()
            app = create_backend_app(service)
            app.register_error_handler(Exception, _failed)
            return app

        application = DomainDispatcherApplication(create)
        for warm in _WARM_CALLS:
            backends.get_backend(warm.service)
            _warm(application, warm, regions[0])
    return moto_arc.ZonalShifts(moto_routing.RoutingControls(application), SystemClock().now)


def _failed(error: Exception) -> Any:
    from werkzeug.exceptions import HTTPException

    if isinstance(error, HTTPException):
        return error
    if isinstance(error, NotImplementedError):
        return str(error), HTTPStatus.NOT_IMPLEMENTED, {FAILURE_HEADER: "NotImplemented"}
    logger.error("moto failed", exc_info=error)
    return repr(error), HTTPStatus.INTERNAL_SERVER_ERROR, {FAILURE_HEADER: "InternalFailure"}


def _warm(application: wsgi.Application, warm: _Warm, region: str) -> None:
    scope = f"{ACCOUNT}/20260101/{region}/{warm.service}/aws4_request"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host"}
    if warm.form:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    status, _, body = wsgi.call(application, wsgi.environ_of(warm.method, warm.path, headers, warm.form.encode()))
    if status != HTTPStatus.OK:
        raise LabError(f"start moto's {warm.service}", f"its first call answered {status}: {body[:200]!r}")


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    original = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)


@contextmanager
def _shared_service_models() -> Iterator[None]:
    # While it is imported, moto makes botocore sessions to look up regions, and each parses the same megabytes of JSON
    # anew: two thirds of the import. Botocore shares what it loaded only within one session.
    from botocore import loaders, session

    load_file = loaders.JSONFileLoader.load_file
    first = loaders.JSONFileLoader()
    shared = functools.cache(lambda path: load_file(first, path))
    loader = loaders.create_loader()
    with (
        _replaced(loaders.JSONFileLoader, "load_file", lambda _loader, path: shared(path)),
        _replaced(session, "create_loader", lambda _search_paths=None: loader),
    ):
        yield


def _no_foreign_offerings(regions: tuple[str, ...]) -> AbstractContextManager[None]:
    # Which instance types each of some thirty regions offers: a quarter of the rest of the import, and 70 MB.
    from moto.utilities import utils

    load_resource = utils.load_resource

    def only_ours(resource: str) -> Any:
        foreign = "instance_type_offerings" in resource and not any(region in resource for region in regions)
        return [] if foreign else load_resource(resource)

    return _replaced(utils, "load_resource", only_ours)

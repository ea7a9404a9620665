"""One pod as a process: started with a link in front of it, probed, restarted when it dies, and reported."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from blackstart.clock import Clock, iso
from blackstart.errors import ServiceUnreachable
from blackstart.lab.cluster import Cluster
from blackstart.lab.linking import Linking
from blackstart.lab.manifests import NodeFacts
from blackstart.lab.parts import Address
from blackstart.lab.podreport import Container, Ended, PodReport
from blackstart.lab.ports import Ports
from blackstart.lab.processes import Processes, Started
from blackstart.lab.waiting import listens

_log = logging.getLogger("blackstart.lab.kubelet")
START_SECONDS, PROBE_SECONDS, FAILURES = 0.05, 1.0, 3
BACK_OFF_SECONDS, LONGEST_BACK_OFF_SECONDS = 0.5, 30.0
# a container that ran for so long starts again without having to wait for what was before
WELL_SECONDS = 60.0


@dataclass(frozen=True)
class Place:
    """What a build is told of the pod that it is for."""

    pod: str
    node: str
    region: str
    zone: str
    address: Address


Build = Callable[[Place], tuple[str, Any]]
"""Gives the module and the spec to run in a pod."""


@dataclass(frozen=True)
class Surroundings:
    """What kubelets work with. ``builds`` say by image what to run."""

    processes: Processes
    linking: Linking
    ports: Ports
    clock: Clock
    session: aiohttp.ClientSession
    builds: Mapping[str, Build]


@dataclass(frozen=True)
class Teller:
    """What a pod's kubelet does for it: ``works`` says whether there is one, ``speaks`` whether it reaches the API.

    ``changed`` is called after news.
    """

    cluster: Cluster
    works: Callable[[], bool]
    speaks: Callable[[], bool]
    changed: Callable[[], None]


@dataclass(eq=False)
class PodRun:
    """One pod of ours, from its start to its end. ``ingress`` is the way in for others, once it is laid."""

    uid: str
    namespace: str
    name: str
    node: NodeFacts
    container: dict[str, Any]
    process: Started | None = None
    ingress: Address | None = None
    ready: bool = False
    restarts: int = 0
    task: asyncio.Task[None] | None = field(default=None, repr=False)
    running: Container | None = None
    ended: Ended | None = None
    _told: tuple[bool, int, str] | None = None
    _born: str = ""
    _began: float = 0.0
    _hurries: int = 0
    _address: Address = ("127.0.0.1", 0)

    @property
    def link_name(self) -> str:
        return f"pod-{self.name}-{self.uid[:8]}"

    def seen(self, said_ready: bool) -> None:
        """The API says so of this pod; if that is not what we told, somebody else wrote it, and we tell again."""
        if self._told is not None and self._told[0] != said_ready:
            self._told = None

    async def live(self, around: Surroundings, build: Build | None, teller: Teller) -> None:
        """Run until cancelled; without a build the image cannot be pulled."""
        self._born = iso(around.clock.now())
        if build is None:
            await self._tell_until_heard(around, teller, "ErrImagePull")
            return
        self._address = ("127.0.0.1", around.ports.take())
        place = Place(self.name, self.node.name, self.node.region, self.node.zone, self._address)
        self._launch(around, build, place)
        self.ingress = await self._lay(around)
        failures, pause = 0, START_SECONDS
        while True:
            if self.process is not None and not self.process.alive() and teller.works():
                await self._restart(around, build, place, teller)
                failures, pause = 0, START_SECONDS
            answers = await self._probe(around)
            failures = 0 if answers else failures + 1
            self.ready = answers or (self.ready and failures < FAILURES)
            if self.ready:
                pause = PROBE_SECONDS
            await self._tell(around, teller, "")
            await around.clock.pause(pause)

    def _launch(self, around: Surroundings, build: Build, place: Place) -> None:
        module, spec = build(place)
        self.process = around.processes.part(f"pod-{self.name}", module, spec)
        self.running = Container(self.uid, self.restarts, iso(around.clock.now()))
        self._began = around.clock.monotonic()

    async def _restart(self, around: Surroundings, build: Build, place: Place, teller: Teller) -> None:
        code = self.process.code if self.process else None
        _log.info("pod %s ended with code %s; restarting", self.name, code)
        self.ready = False
        if self.running:
            self.ended = Ended(self.running, code or 0, iso(around.clock.now()))
        self.running = None
        if around.clock.monotonic() - self._began >= WELL_SECONDS:
            self._hurries = 0
        back_off = min(BACK_OFF_SECONDS * 2**self._hurries, LONGEST_BACK_OFF_SECONDS)
        self._hurries += 1
        await self._tell(around, teller, "CrashLoopBackOff")
        await around.clock.pause(back_off)
        self.restarts += 1
        self._launch(around, build, place)

    async def _lay(self, around: Surroundings) -> Address:
        while True:
            try:
                return await around.linking.open(self.link_name, self._address, ((self.node.zone,),))
            except ServiceUnreachable as error:
                _log.warning("pod %s has no way in yet: %s", self.name, error)
                await around.clock.pause(PROBE_SECONDS)

    async def _probe(self, around: Surroundings) -> bool:
        if not listens(self._address):
            return False
        url = f"http://{self._address[0]}:{self._address[1]}/readyz"
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with around.session.get(url, timeout=aiohttp.ClientTimeout(total=PROBE_SECONDS)) as answer:
                return answer.status == 200
        return False

    async def _tell_until_heard(self, around: Surroundings, teller: Teller, waiting: str) -> None:
        while not await self._tell(around, teller, waiting):
            await around.clock.pause(PROBE_SECONDS)

    async def _tell(self, around: Surroundings, teller: Teller, waiting: str) -> bool:
        """Report to the API if there is news; whether news was taken."""
        news = (self.ready, self.restarts, waiting)
        if news == self._told or not teller.speaks():
            return False
        address = self.ingress or self._address
        report = PodReport(
            self._born, address, self.container, self.ready, self.restarts, waiting, self.running, self.ended
        )
        path = f"/api/v1/namespaces/{self.namespace}/pods/{self.name}/status"
        try:
            await teller.cluster.merge(path, report.patch(self.uid, iso(around.clock.now())))
        except ServiceUnreachable as error:
            _log.info("pod %s: %s", self.name, error)
            return False
        self._told = news
        teller.changed()
        return True

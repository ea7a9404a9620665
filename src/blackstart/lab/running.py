"""A lab that runs: what follows the APIs, what it tells of itself, and the lab-only faults."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from blackstart.clock import iso
from blackstart.errors import ServiceUnreachable
from blackstart.lab import kubelet_api, monitoring
from blackstart.lab import status as labs
from blackstart.lab.aws.clients import Clients
from blackstart.lab.aws.seed import Seeded
from blackstart.lab.backups import Backups
from blackstart.lab.base import Base
from blackstart.lab.builds import ORDERS_IMAGE, WORKER_IMAGE, builds
from blackstart.lab.catalog import Catalog, memory
from blackstart.lab.client import CONTROL_PLANE, DATA_STORES
from blackstart.lab.cluster import Cluster
from blackstart.lab.datastores import DataStores
from blackstart.lab.emulators import Emulators
from blackstart.lab.files import endpoints, kubeconfig, settings
from blackstart.lab.gateways import Gateways
from blackstart.lab.interruptions import TerminationHandler
from blackstart.lab.kubelet import Kubelet
from blackstart.lab.linking import Linking
from blackstart.lab.nodes import Nodes
from blackstart.lab.podrun import Surroundings
from blackstart.lab.reading import AwsReader, seed_plan
from blackstart.lab.reconcile import Actors, Reconciler
from blackstart.lab.startup import Starter
from blackstart.lab.status import Part, Status
from blackstart.lab.topology import LOOPBACK, RegionParts, Topology, url
from blackstart.lab.velero import Velero
from blackstart.lab.waiting import answers, until


class Running:
    """One lab. ``start`` once, then ask."""

    def __init__(self, base: Base, laid: Topology, emulators: Emulators) -> None:
        self._base = base
        self._laid = laid
        self._emulators = emulators
        self._plan = seed_plan(laid)
        self._catalog = Catalog(base.processes)
        self._starter = Starter(laid, base.folder, base.processes, self._catalog, base.session, base.clock)
        self._stores = DataStores(laid, base, self._catalog)
        self._gateways = Gateways(laid, base, self._catalog)
        self._clients = Clients(url(laid.aws_admin))
        every = laid.config.backups.every_seconds
        self._backups = Backups(laid, base, self._clients)
        self._velero = Velero(Cluster(base.session, url(laid.home.kube_listener)), base.clock, every)
        self._kubelets: dict[str, Kubelet] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._pending: dict[str, bool] = {}
        self._cluster_ids: dict[str, str] = {}
        self._broken: dict[str, set[str]] = {CONTROL_PLANE: set(), DATA_STORES: set()}
        self._reconciler: Reconciler | None = None
        self._telemetry: monitoring.Telemetry | None = None
        self._started = iso(base.clock.now())
        self._start_seconds = 0.0

    async def start(self, progress: Callable[[str], None]) -> None:
        """Bring everything up; returns when orders are taken at home and the standby is ready."""
        base = self._base
        async with asyncio.TaskGroup() as group:

            def step(name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
                return group.create_task(self._step(name, work, progress))

            preloaded = asyncio.ensure_future(base.processes.ready())
            links = step("links", _after(preloaded, self._starter.links))
            seeded = step("AWS", self._starter.aws(self._plan, self._emulators, asyncio.shield(preloaded)))
            kubes = [
                step(f"Kubernetes of {parts.region}", _after(preloaded, partial(self._starter.kubernetes, parts)))
                for parts in self._laid.regions()
            ]
            step("Velero", _after(kubes[0], self._velero.install))
            step("data stores", self._stores.start(links))
            step("gateways", self._gateways.start())
            step("DNS", _after(preloaded, self._starter.dns))
            step("pods", self._pods(links, seeded, kubes))
        self._pending.clear()
        await self._serving(progress)

    async def _step(self, name: str, work: Coroutine[Any, Any, Any], progress: Callable[[str], None]) -> Any:
        self._pending[name] = True
        done = await work
        del self._pending[name]
        progress(f"starting; waiting for {', '.join(self._pending) or 'traffic'}")
        return done

    def waiting_for(self) -> str:
        """What has not started yet, in words."""
        return ", ".join(self._pending) or "traffic"

    async def _pods(self, links: Awaitable[Linking], seeded: Awaitable[Seeded], kubes: list[asyncio.Task[Any]]) -> None:
        linking, account = await links, await seeded
        uids = await asyncio.gather(*kubes)
        self._cluster_ids = {parts.cluster: uid for parts, uid in zip(self._laid.regions(), uids, strict=True)}
        placed = {parts.region: self._region(parts, linking, account) for parts in self._laid.regions()}
        reader = AwsReader(self._clients, self._plan)
        actors = Actors(linking, placed, self._stores.databases, self._stores.caches, self._gateways)
        base = self._base
        self._reconciler = Reconciler(reader, actors, base.session, url(self._laid.aws_admin), base.clock)
        self._run(self._reconciler.run())
        await asyncio.gather(*(self._workloads(parts, placed[parts.region][1]) for parts in self._laid.regions()))
        await until(self._all_ready, base.clock)

    async def _workloads(self, parts: RegionParts, nodes: Nodes) -> None:
        async def registered() -> bool:
            return nodes.registered()

        await until(registered, self._base.clock)
        await self._starter.workloads(parts)

    def _region(self, parts: RegionParts, linking: Linking, account: Seeded) -> tuple[Kubelet, Nodes]:
        base = self._base
        images = builds(parts, account.queue_urls[parts.region], account.buckets[parts.region])
        around = Surroundings(base.processes, linking, base.ports, base.clock, base.session, images)
        cluster = Cluster(base.session, url(parts.kube))
        kubelet = Kubelet(parts.region, cluster, around, lambda: self._route(parts.region))
        address = (LOOPBACK, base.ports.take())
        nodes = Nodes(cluster, base.clock, address[1])
        self._kubelets[parts.region] = kubelet
        self._run(kubelet_api.serve(kubelet, address, base.clock))
        self._run(kubelet.run())
        self._run(nodes.run())
        queue = self._plan.interruption_queue
        self._run(TerminationHandler(parts.region, queue, self._clients, cluster, base.clock).run())
        return kubelet, nodes

    def _route(self, region: str) -> None:
        self._gateways.route(region, self._kubelets[region].endpoints(ORDERS_IMAGE))

    async def _all_ready(self) -> bool:
        for parts in self._laid.regions():
            kubelet = self._kubelets[parts.region]
            for image, wanted in ((ORDERS_IMAGE, parts.size.replicas), (WORKER_IMAGE, 1)):
                if sum(map(len, kubelet.endpoints(image).values())) < wanted:
                    return False
        return True

    async def _serving(self, progress: Callable[[str], None]) -> None:
        """Wait until users are served at home; then let the automation watch."""
        base, home = self._base, self._laid.home
        self._run(self._stores.run())
        self._monitored()
        await until(lambda: answers(base.session, f"{url(home.gateway)}/healthz"), base.clock)
        if self._laid.config.failover.enabled:
            await self._starter.automation(self._plan)
        await until(lambda: self._gateways.resolved(home.addresses[0]), base.clock)
        if self._laid.config.backups.every_seconds:
            self._run(self._backups.run())
            self._run(self._velero.run())

    def _monitored(self) -> None:
        """Let monitoring come up while the rest does; nobody waits for it."""
        found = monitoring.programs() if self._laid.config.monitoring == "auto" else None
        if found:
            watched = [at for name, at in self._gateways.admins.items() if name != "edge"]
            self._telemetry = monitoring.start(found, self._base, self._catalog, watched)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A follower never ends by itself; if it fails, the lab is no longer what it says it is."""
        self._background.discard(task)
        if not task.cancelled():
            self._base.fail(f"what follows the APIs has ended ({task.exception()!r})")

    async def close(self) -> None:
        """Stop following."""
        running = list(self._background)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._clients.close()

    def came_up(self, seconds: float) -> Status:
        """Note that the lab took ``seconds`` to start, and write its files."""
        self._start_seconds = seconds
        folder, laid = self._base.folder, self._laid
        (folder / labs.KUBECONFIG).write_text(kubeconfig(laid.regions()), encoding="utf-8")
        (folder / labs.SETTINGS).write_text(self._settings(), encoding="utf-8")
        found = self.status()
        labs.write(folder, found)
        return found

    def _settings(self) -> str:
        table = self._telemetry.settings() if self._telemetry else None
        return settings(self._laid, self._base.folder, self._cluster_ids, table)

    def status(self) -> Status:
        base = self._base
        pids = (os.getpid(), *base.processes.nurseries())
        resident, proportional = memory(pids)
        return Status(
            name=base.name,
            folder=str(base.folder),
            state="up" if self._start_seconds else "starting",
            pid=os.getpid(),
            started=self._started,
            start_seconds=self._start_seconds,
            home_region=self._laid.home.region,
            endpoints=endpoints(self._laid, base.folder),
            parts=(*self._stores.told(self._catalog.parts()), *self._pods_told()),
            resident_bytes=resident,
            proportional_bytes=proportional,
        )

    def _pods_told(self) -> list[Part]:
        found = []
        for region, kubelet in self._kubelets.items():
            for run in kubelet.runs():
                where = f"{run.ingress[0]}:{run.ingress[1]}" if run.ingress else ""
                pid = run.process.pid if run.process else 0
                state = "ready" if run.ready else "running"
                found.append(Part(run.name, run.container["name"], region, run.node.zone, pid, where, state))
        return found

    def stop(self) -> None:
        self._base.stop()

    def faults(self) -> Mapping[str, Mapping[str, bool]]:
        return {
            parts.region: {member: parts.region not in broken for member, broken in self._broken.items()}
            for parts in self._laid.regions()
        }

    async def set_faults(self, region: str, control_plane: bool | None, data_stores: bool | None) -> None:
        self._laid.region(region)
        if control_plane is not None:
            _mark(self._broken[CONTROL_PLANE], region, control_plane)
            await self._reach(region, control_plane)
        if data_stores is not None:
            _mark(self._broken[DATA_STORES], region, data_stores)
            await self._stores.lose(frozenset(self._broken[DATA_STORES]))

    async def _reach(self, region: str, reachable: bool) -> None:
        router = f"{url(self._laid.aws_admin)}/control-planes"
        async with self._base.session.post(router, json={"region": region, "reachable": reachable}) as answer:
            if answer.status >= 300:
                raise ServiceUnreachable(f"set the control plane of {region}", router, f"answered {answer.status}")
        if self._reconciler:
            await self._reconciler.cut_control_planes(frozenset(self._broken[CONTROL_PLANE]))


def _mark(broken: set[str], region: str, works: bool) -> None:
    (broken.discard if works else broken.add)(region)


async def _after(first: Awaitable[None], then: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    await asyncio.shield(first)
    return await then()

"""One cluster: its API on HTTP and its controllers, in one asyncio loop."""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass

from aiohttp import web

from blackstart.clock import Clock, SystemClock
from blackstart.lab.kube import metrics
from blackstart.lab.kube.cluster import Cluster
from blackstart.lab.kube.controllers import manager
from blackstart.lab.kube.controllers.autoscaler import Autoscaler
from blackstart.lab.kube.controllers.budgets import Budgets
from blackstart.lab.kube.controllers.containers import Definitions, Namespaces
from blackstart.lab.kube.controllers.deployments import Deployments
from blackstart.lab.kube.controllers.expiry import Expiry
from blackstart.lab.kube.controllers.garbage import Garbage
from blackstart.lab.kube.controllers.nodes import Nodes
from blackstart.lab.kube.controllers.placement import Placement
from blackstart.lab.kube.controllers.replicasets import ReplicaSets
from blackstart.lab.kube.controllers.scheduler import Scheduler
from blackstart.lab.kube.controllers.statefulsets import StatefulSets
from blackstart.lab.kube.handlers import Handlers
from blackstart.lab.kube.resources import Registry, builtin
from blackstart.lab.kube.store import Store

_log = logging.getLogger("blackstart.lab.kube")
_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_SHUTDOWN_SECONDS = 0.2


@dataclass(frozen=True)
class KubeSpec:
    """Where one cluster listens and how patient it is, in seconds.

    ``node_grace_seconds``: silence after which a node is NotReady. ``eviction_seconds``: how long its pods stay after
    that, unless they tolerate it for longer; rounded up to whole seconds.
    """

    region: str
    cluster: str
    host: str
    port: int
    node_grace_seconds: float = 3.0
    eviction_seconds: float = 5.0


def build(spec: KubeSpec, clock: Clock) -> tuple[Cluster, list[manager.Controller]]:
    """A cluster with nothing but its namespaces, and the controllers that are to run on it, in this order."""
    store = Store(clock.monotonic)
    cluster = Cluster(store, Registry(builtin()), clock, random.Random(), spec.eviction_seconds)
    namespaces = cluster.registry.named("namespaces")
    for name in _NAMESPACES:
        cluster.create(namespaces, "", {"metadata": {"name": name}})
    # a real server cannot tell of its own beginning either
    store.forget()
    placement = Placement()
    controllers: list[manager.Controller] = [
        placement,
        Definitions(cluster),
        Namespaces(cluster),
        Garbage(cluster),
        Nodes(cluster, clock, placement, spec.node_grace_seconds),
        Autoscaler(cluster, clock),
        Deployments(cluster, clock),
        ReplicaSets(cluster, clock),
        StatefulSets(cluster, clock),
        Scheduler(cluster, clock, placement),
        Budgets(cluster, clock),
        Expiry(cluster, clock),
    ]
    return cluster, controllers


async def serve(spec: KubeSpec) -> None:
    """Serve until cancelled; OSError if ``host:port`` cannot be bound."""
    clock = SystemClock()
    cluster, controllers = build(spec, clock)
    server = web.Server(Handlers(cluster), access_log=None)
    runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, spec.host, spec.port, backlog=1024).start()
        _log.info("cluster %s serves on http://%s:%s", spec.cluster, spec.host, spec.port)
        async with asyncio.TaskGroup() as group:
            group.create_task(manager.run(cluster, controllers))
            group.create_task(metrics.run(cluster, clock))
    finally:
        await runner.cleanup()

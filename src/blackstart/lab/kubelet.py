"""The kubelets of one region: pods that the API binds to our nodes become processes, and what becomes of them is told.

Level-triggered: the pods as last seen, the nodes and the zones that are cut together say what should run; ``_settle``
makes it so. A node whose zone is cut, or whose kubelet is stopped, neither obeys nor speaks, but its processes go on; a
node whose instance does not run has no processes. The processes themselves are watched by ``podrun``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from blackstart.errors import ServiceUnreachable
from blackstart.lab import manifests
from blackstart.lab.cluster import Cluster
from blackstart.lab.manifests import NodeFacts, Object
from blackstart.lab.parts import Address
from blackstart.lab.podrun import PodRun, Surroundings, Teller

_log = logging.getLogger("blackstart.lab.kubelet")
RETRY_SECONDS = 0.5
Endpoints = dict[str, list[Address]]


class Kubelet:
    """All nodes of one region."""

    def __init__(self, region: str, cluster: Cluster, around: Surroundings, changed: Callable[[], None]) -> None:
        self.region = region
        self._cluster = cluster
        self._around = around
        self._changed = changed
        self._pods: dict[str, Object] = {}
        self._runs: dict[str, PodRun] = {}
        self._nodes: dict[str, NodeFacts] = {}
        self._cut: frozenset[str] = frozenset()
        self._listed = False
        self._leaving: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def place(self, nodes: Mapping[str, NodeFacts], cut: frozenset[str]) -> None:
        """The nodes of this region, and the zones that are cut, from now on."""
        self._nodes, self._cut = dict(nodes), cut
        self._settle()

    def endpoints(self, image: str) -> Endpoints:
        """Where the ready pods of ``image`` take connections, by zone, as the API tells it."""
        found: Endpoints = {}
        for uid, pod in self._pods.items():
            run = self._runs.get(uid)
            if run and run.ingress and manifests.image(pod) == image and manifests.ready(pod):
                found.setdefault(run.node.zone, []).append(run.ingress)
        return found

    def runs(self) -> list[PodRun]:
        """Every pod that has a process, for the status."""
        return list(self._runs.values())

    async def run(self) -> None:
        """Follow the API until cancelled."""
        try:
            while True:
                try:
                    await self._follow()
                except ServiceUnreachable as error:
                    _log.info("kubelets of %s: %s", self.region, error)
                    await self._around.clock.pause(RETRY_SECONDS)
        finally:
            for task in (*self._tasks, *(run.task for run in self._runs.values() if run.task)):
                task.cancel()

    async def _follow(self) -> None:
        pods, version = await self._cluster.list(manifests.PODS)
        self._pods = {pod["metadata"]["uid"]: pod for pod in pods}
        self._listed = True
        self._settle()
        async for kind, pod in self._cluster.watch(manifests.PODS, version):
            if kind == "DELETED":
                self._pods.pop(pod["metadata"]["uid"], None)
            else:
                self._pods[pod["metadata"]["uid"]] = pod
            self._settle()

    def _obeys(self, node: NodeFacts | None) -> bool:
        return _works(node) and node is not None and node.zone not in self._cut

    def _settle(self) -> None:
        """Start and end processes until they are what they should be."""
        if not self._listed:
            return
        doomed = [run for run in self._runs.values() if self._is_over(run)]
        if doomed:
            self._around.processes.kill([run.process for run in doomed if run.process])
            for run in doomed:
                self._forget(run)
        for uid, pod in self._pods.items():
            node = self._nodes.get(pod["spec"].get("nodeName", ""))
            if node is None or not self._obeys(node):
                continue
            if pod["metadata"].get("deletionTimestamp"):
                self._leave(uid, pod)
            elif uid in self._runs:
                self._runs[uid].seen(manifests.ready(pod))
            elif pod.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
                self._start(uid, pod, node)
        self._changed()

    def _is_over(self, run: PodRun) -> bool:
        node = self._nodes.get(run.node.name)
        if node is None or not node.running:
            return True
        pod = self._pods.get(run.uid)
        return self._obeys(node) and (pod is None or bool(pod["metadata"].get("deletionTimestamp")))

    def _forget(self, run: PodRun) -> None:
        del self._runs[run.uid]
        if run.task:
            run.task.cancel()
        self._background(self._around.linking.close(run.link_name))

    def _start(self, uid: str, pod: Object, node: NodeFacts) -> None:
        meta = pod["metadata"]
        run = PodRun(uid, meta["namespace"], meta["name"], node, pod["spec"]["containers"][0])
        build = self._around.builds.get(manifests.image(pod))
        self._runs[uid] = run
        run.task = asyncio.create_task(run.live(self._around, build, self._teller(node.name)))
        run.task.add_done_callback(partial(self._ended, run))

    def _ended(self, run: PodRun, task: asyncio.Task[None]) -> None:
        """A pod that nobody watches any more is started anew, unless its end was meant or it has nothing to run."""
        if task.cancelled() or task.exception() is None:
            return
        _log.error("pod %s: %r", run.name, task.exception())
        if self._runs.get(run.uid) is run:
            self._around.processes.kill([run.process] if run.process else [])
            self._forget(run)

    def _teller(self, node: str) -> Teller:
        return Teller(self._cluster, lambda: _works(self._nodes.get(node)), lambda: self.speaks(node), self._changed)

    def speaks(self, node: str) -> bool:
        """Whether the kubelet of ``node`` works and reaches the API, and is reached."""
        return self._obeys(self._nodes.get(node))

    def _leave(self, uid: str, pod: Object) -> None:
        """Tell the API that a pod which it wants gone is gone."""
        if uid in self._leaving:
            return
        self._leaving.add(uid)
        self._background(self._confirm(uid, pod["metadata"]["namespace"], pod["metadata"]["name"], pod))

    async def _confirm(self, uid: str, namespace: str, name: str, pod: Object) -> None:
        body: dict[str, Any] = {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}}
        try:
            while uid in self._pods and self.speaks(pod["spec"]["nodeName"]):
                try:
                    await self._cluster.delete(f"/api/v1/namespaces/{namespace}/pods/{name}", body)
                    return
                except ServiceUnreachable as error:
                    _log.info("pod %s: %s", name, error)
                    await self._around.clock.pause(RETRY_SECONDS)
        finally:
            self._leaving.discard(uid)

    def _background(self, work: Any) -> None:
        task = asyncio.ensure_future(_quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _works(node: NodeFacts | None) -> bool:
    return node is not None and node.running and node.kubelet


async def _quietly(work: Any) -> None:
    try:
        await work
    except ServiceUnreachable as error:
        _log.warning("%s", error)

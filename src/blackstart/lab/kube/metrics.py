"""What pods use, as a metrics server tells it: kubelets are asked again and again, and two answers give a rate.

``metrics.k8s.io/v1beta1``: one PodMetrics for each pod that was told of twice; none for a pod whose kubelet is silent,
and none for a while after its container began anew.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import aiohttp

from blackstart.clock import Clock
from blackstart.errors import ServiceUnreachable
from blackstart.lab.kube import kubelets
from blackstart.lab.kube.cluster import Cluster
from blackstart.lab.kube.objects import Object, key_of, labels_of, parse_timestamp, timestamp
from blackstart.lab.kube.resources import METRICS as GROUP
from blackstart.lab.kube.store import Key

_log = logging.getLogger("blackstart.lab.kube")
METRICS = f"pods.{GROUP}"
# a tenth of what a metrics server takes
EVERY_SECONDS = 1.5
_SHORTEST_SECONDS = 0.5  # between two samples, for a rate to mean anything


class _Sample(NamedTuple):
    """``used`` in nanoseconds of one core since ``began``."""

    pod: str
    began: str
    moment: datetime
    used: int


class Metrics:
    """Keeps the PodMetrics of ``cluster``."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._last: dict[tuple[Key, str], _Sample] = {}

    def take(self, summaries: Iterable[Object]) -> None:
        """What the kubelets that answered have said; what they no longer tell of is forgotten."""
        told = {_key(pod): pod for summary in summaries for pod in summary.get("pods") or ()}
        for record in self._cluster.store.records(METRICS):
            if key_of(record.object) not in told:
                self._cluster.store.remove(METRICS, key_of(record.object))
        self._last = {place: sample for place, sample in self._last.items() if place[0] in told}
        for key, pod in told.items():
            self._note(key, pod)

    def _note(self, key: Key, told: Object) -> None:
        pod = self._cluster.store.get("pods.", key)
        if pod is None or pod.object["metadata"]["uid"] != told["podRef"]["uid"]:
            return
        containers, moments, windows = [], [], []
        for container in told["containers"]:
            place = (key, container["name"])
            now = _sample(told, container)
            before = self._last.get(place)
            seconds = (now.moment - before.moment).total_seconds() if before else 0.0
            same = before is not None and (before.pod, before.began) == (now.pod, now.began)
            if before is None or not same or seconds >= _SHORTEST_SECONDS:
                self._last[place] = now
            if before is None or not same or seconds < _SHORTEST_SECONDS:
                return
            cores = max(0, now.used - before.used) / seconds
            usage = {"cpu": f"{round(cores)}n", "memory": f"{container['memory']['workingSetBytes'] // 1024}Ki"}
            containers.append({"name": container["name"], "usage": usage})
            moments.append(now.moment)
            windows.append(seconds)
        moment = timestamp(max(moments))
        metadata: Object = {"name": key.name, "namespace": key.namespace, "uid": told["podRef"]["uid"]}
        metadata |= {"creationTimestamp": moment, "labels": dict(labels_of(pod.object))}
        found: Object = {"kind": "PodMetrics", "apiVersion": "metrics.k8s.io/v1beta1", "metadata": metadata}
        found |= {"timestamp": moment, "window": f"{math.ceil(max(windows))}s", "containers": containers}
        self._cluster.store.put(METRICS, key, found)


async def run(cluster: Cluster, clock: Clock) -> None:
    """Ask all kubelets until cancelled."""
    metrics = Metrics(cluster)
    async with aiohttp.ClientSession() as session:
        while True:
            found = await asyncio.gather(*(_summary(session, url) for url in kubelets.addresses(cluster.store)))
            metrics.take(found)
            await clock.pause(EVERY_SECONDS)


async def _summary(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    try:
        code, body = await kubelets.ask(session, "GET", f"{url}/stats/summary", [])
    except ServiceUnreachable as error:
        _log.info("no metrics: %s", error)
        return {}
    return body if code == 200 else {}


def _key(pod: Object) -> Key:
    return Key(pod["podRef"]["namespace"], pod["podRef"]["name"])


def _sample(pod: Object, container: Object) -> _Sample:
    cpu = container["cpu"]
    moment = parse_timestamp(cpu["time"])
    return _Sample(pod["podRef"]["uid"], container["startTime"], moment, cpu["usageCoreNanoSeconds"])

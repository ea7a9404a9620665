"""What the kubelets of one region answer on HTTP, as the API server asks them; all nodes share one address.

``POST /exec/NAMESPACE/POD/CONTAINER?command=…``: ``{"code", "output", "errors"}`` once the command has ended. 404: no
such container runs; 504: its node cannot be reached. ``GET /stats/summary``: what the pods of the nodes that can be
reached use, in the words of a kubelet's Summary.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

import psutil
from aiohttp import web

from blackstart.clock import Clock, iso
from blackstart.lab.kubelet import Kubelet
from blackstart.lab.parts import Address
from blackstart.lab.podexec import execute, signalling
from blackstart.lab.podrun import PodRun
from blackstart.lab.serving import answering

NANO = 1_000_000_000


async def serve(kubelet: Kubelet, address: Address, clock: Clock) -> None:
    """Answer for ``kubelet`` until cancelled. OSError if ``address`` is taken."""
    async with answering(application(kubelet, clock), *address):
        await asyncio.Event().wait()


def application(kubelet: Kubelet, clock: Clock) -> web.Application:
    """The answers, without a port."""

    async def run(request: web.Request) -> web.Response:
        wanted = tuple(request.match_info[part] for part in ("namespace", "pod", "container"))
        found = next((r for r in kubelet.runs() if (r.namespace, r.name, r.container["name"]) == wanted), None)
        if found is None or found.process is None or not found.process.alive():
            return web.json_response({"error": f'container not found ("{wanted[2]}")'}, status=404)
        if not kubelet.speaks(found.node.name):
            return web.json_response({"error": f"{found.node.name} cannot be reached"}, status=504)
        done = execute(request.query.getall("command", []), signalling(found.process.pid))
        return web.json_response(asdict(done))

    async def summary(_: web.Request) -> web.Response:
        runs = [found for found in kubelet.runs() if kubelet.speaks(found.node.name)]
        return web.json_response({"pods": list(_used(runs, clock.now()))})

    app = web.Application()
    app.add_routes([web.post("/exec/{namespace}/{pod}/{container}", run), web.get("/stats/summary", summary)])
    return app


def _used(runs: list[PodRun], now: datetime) -> Iterator[dict[str, Any]]:
    """Times in nanoseconds of one core, since the container began; memory in bytes. What has ended is left out."""
    for run in runs:
        if run.process is None or run.running is None:
            continue
        try:
            process = psutil.Process(run.process.pid)
            times, memory = process.cpu_times(), process.memory_info().rss
        except psutil.Error:
            continue
        container = {
            "name": run.container["name"],
            "startTime": run.running.started,
            "cpu": {"time": iso(now), "usageCoreNanoSeconds": round((times.user + times.system) * NANO)},
            "memory": {"time": iso(now), "workingSetBytes": memory},
        }
        reference = {"name": run.name, "namespace": run.namespace, "uid": run.uid}
        yield {"podRef": reference, "containers": [container]}

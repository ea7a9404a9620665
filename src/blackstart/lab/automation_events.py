"""What the fail-over automation tells the world: Kubernetes Events of the Deployment it fails over, in order."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from blackstart.clock import Clock
from blackstart.errors import ServiceUnreachable
from blackstart.lab.cluster import Cluster

COMPONENT = "failover-automation"
RETRY_SECONDS = 0.5


class Events:
    """Told things are written in the background, again and again until they are: a fail-over never waits for them."""

    def __init__(self, cluster: Cluster, namespace: str, deployment: str, clock: Clock) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._deployment = deployment
        self._clock = clock
        self._run = f"{clock.now():%Y%m%dt%H%M%S%f}"
        self._told = 0
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Have an Event written that says when this was told."""
        self._told += 1
        name = f"{self._deployment}.{COMPONENT}.{self._run}.{self._told}"
        self._waiting.put_nowait(self._event(name, reason, message, "Warning" if warning else "Normal"))

    async def write_forever(self) -> None:
        """Write what is told, oldest first."""
        while True:
            event = await self._waiting.get()
            while True:
                if await self._written(event):
                    break
                await asyncio.sleep(RETRY_SECONDS)

    async def _written(self, event: dict[str, Any]) -> bool:
        try:
            # The name makes it once even if the answer to an earlier try was lost.
            await self._cluster.create(f"/api/v1/namespaces/{self._namespace}/events", event)
        except ServiceUnreachable:
            return False
        return True

    def _event(self, name: str, reason: str, message: str, kind: str) -> dict[str, Any]:
        now = self._clock.now()
        seconds = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        about = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": self._namespace, "name": self._deployment}
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": self._namespace},
            "involvedObject": about,
            "reason": reason,
            "message": message,
            "type": kind,
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": COMPONENT,
            "action": reason,
            "eventTime": micro_time(now),
            "firstTimestamp": seconds,
            "lastTimestamp": seconds,
            "count": 1,
        }


def micro_time(moment: datetime) -> str:
    """``moment`` as Kubernetes' MicroTime: UTC with microseconds."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"

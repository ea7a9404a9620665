"""Kubernetes Events are forgotten after an hour."""

from __future__ import annotations

from collections import deque

from blackstart.clock import Clock
from blackstart.lab.kube.cluster import Cluster
from blackstart.lab.kube.store import Event, Key

KEPT_SECONDS = 3600.0


class Expiry:
    """Deletes Events that were last written ``KEPT_SECONDS`` ago."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._events = cluster.registry.named("events")
        self._written: deque[tuple[float, Key, int]] = deque()

    def observe(self, event: Event) -> None:
        if event.resource == "events." and event.type != "DELETED":
            self._written.append((self._clock.monotonic(), event.key, event.record.version))

    def step(self) -> float | None:
        now = self._clock.monotonic()
        while self._written and now - self._written[0][0] >= KEPT_SECONDS:
            _, key, version = self._written.popleft()
            record = self._cluster.store.get("events.", key)
            if record is not None and record.version == version:
                self._cluster.delete(self._events, key)
        return self._written[0][0] + KEPT_SECONDS - now if self._written else None

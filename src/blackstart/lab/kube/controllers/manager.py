"""One loop that tells every controller what happened and lets it act.

Controllers are synchronous: what happened since the last round is observed first, then each takes a step. A step may
cause more events, which make the next round.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from blackstart.lab.kube.cluster import Cluster
from blackstart.lab.kube.controllers.queue import CANNOT_WORK, shortest
from blackstart.lab.kube.objects import key_of
from blackstart.lab.kube.status import ApiError
from blackstart.lab.kube.store import Event

_log = logging.getLogger("blackstart.lab.kube")
_RETRY_SECONDS = 1.0
_SHORTEST_WAIT = 0.01  # seconds; so that a rounded timer does not spin
_LONGEST_PAUSE = 0.2  # seconds between two rounds


class Controller(Protocol):
    """What the loop drives."""

    def observe(self, event: Event) -> None:
        """Note what an event makes necessary; changes nothing in the store."""
        ...

    def step(self) -> float | None:
        """Do what is necessary now; seconds until there is more to do without a further event, None for never."""
        ...


class Rounds:
    """What ``controllers`` have observed of ``cluster`` so far. They observe and step in the order given."""

    def __init__(self, cluster: Cluster, controllers: Sequence[Controller]) -> None:
        self._cluster = cluster
        self._controllers = controllers
        self._seen = cluster.store.version
        self._tell(_everything(cluster))

    @property
    def behind(self) -> bool:
        """Whether something happened that was not observed yet."""
        return self._cluster.store.version != self._seen

    def round(self) -> float | None:
        """Observe what is new and let everybody step; seconds until a step is due without a further event."""
        self._tell(self._news())
        return shortest([self._step(controller) for controller in self._controllers])

    def _step(self, controller: Controller) -> float | None:
        try:
            return controller.step()
        except CANNOT_WORK:
            # whatever a client stored: the other controllers, and the API, go on
            _log.exception("%s stopped half way", type(controller).__name__)
            return _RETRY_SECONDS

    def _news(self) -> list[Event]:
        seen, self._seen = self._seen, self._cluster.store.version
        try:
            return self._cluster.store.since(seen)
        except ApiError:
            # more happened in one step than history holds
            return _everything(self._cluster)

    def _tell(self, events: list[Event]) -> None:
        for event in events:
            for controller in self._controllers:
                controller.observe(event)


async def run(cluster: Cluster, controllers: Sequence[Controller]) -> None:
    """Drive ``controllers`` until cancelled."""
    rounds = Rounds(cluster, controllers)
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        wait = rounds.round()
        # requests get at least as much time as controllers; with many pods, many events then share one round
        await asyncio.sleep(min(_LONGEST_PAUSE, loop.time() - began))
        if not rounds.behind:
            await cluster.store.wait(cluster.store.version, None if wait is None else max(_SHORTEST_WAIT, wait))


def _everything(cluster: Cluster) -> list[Event]:
    """The whole state, as if it had just been added."""
    return [
        Event("ADDED", resource.store_key, key_of(record.object), record, None, 0.0)
        for resource in cluster.registry.stored()
        for record in cluster.store.records(resource.store_key)
    ]

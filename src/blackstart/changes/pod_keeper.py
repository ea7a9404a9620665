"""Keeping pods away: follows the pods that match, and takes those that come back as soon as they appear."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Any

from blackstart.access import Need, in_namespace
from blackstart.changes.clients import Clients
from blackstart.changes.model import Change
from blackstart.changes.pod_slots import Slots
from blackstart.changes.pods import Chosen, Pods, Where, find_places, is_live, listing, query, read
from blackstart.clock import Clock
from blackstart.errors import BlackstartError
from blackstart.kube.client import Kube

LOOK_SECONDS = 0.25
"""How soon it is noticed that the keeping is over."""
PACE_SECONDS = 0.2
"""The least time between two rounds. Controllers replace a pod at once: without it, each pod that is kept away would be
killed as often as the API can answer, and each time be in the undo log."""

Plan = Callable[[Pods, Sequence[Chosen]], Sequence[Change]]
Event = tuple[str, Any]


class PodKeeper:
    """A ``keeping.Keeper``: takes the pods that match ``where`` and have a slot, by ``plan``.

    No round comes before there is something to take; what came while one was under way is in the next.
    """

    def __init__(self, clients: Clients, slots: Slots, where: Where, plan: Plan, clock: Clock) -> None:
        self._clients = clients
        self._slots = slots
        self._where = where
        self._plan = plan
        self._clock = clock
        self._places = {pod.node: (pod.zone, pod.region) for pod in slots.found.pods if pod.node and pod.zone}

    def needs(self) -> Sequence[Need]:
        """The permissions that following takes, beside those of its changes. Pure."""
        names = ("kubernetes:list pods", "kubernetes:watch pods", "kubernetes:list nodes")
        return in_namespace(names, self._slots.found.cluster, self._slots.found.namespace)

    def rounds(self, ended: threading.Event) -> Iterator[Sequence[Change]]:
        kube, over = self._clients.kube(self._slots.found.context), threading.Event()
        events: SimpleQueue[Event | BlackstartError] = SimpleQueue()
        reader = threading.Thread(target=self._follow, args=(kube, over, events), name="blackstart-pods", daemon=True)
        reader.start()
        next_round = self._clock.monotonic()
        try:
            while not ended.is_set() and (reader.is_alive() or not events.empty()):
                if not self._heard(kube, events):
                    continue
                if ended.wait(max(0.0, next_round - self._clock.monotonic())):
                    return
                self._heard(kube, events, wait=False)
                chosen = self._slots.due()
                if chosen:
                    next_round = self._clock.monotonic() + PACE_SECONDS
                    yield self._plan(self._slots.found, chosen)
        finally:
            over.set()

    def _follow(self, kube: Kube, over: threading.Event, events: SimpleQueue[Event | BlackstartError]) -> None:
        """A thread of its own, so that what comes while a round is under way is known when it is over."""
        found = self._slots.found
        try:
            for event in kube.follow(listing(found.namespace), over, **query(found.selector)):
                events.put(event)
        except BlackstartError as error:
            events.put(error)

    def _heard(self, kube: Kube, events: SimpleQueue[Event | BlackstartError], wait: bool = True) -> bool:
        """Take in all that has been heard; waiting a little for the first. Whether there was anything."""
        heard = False
        try:
            while True:
                event = events.get(wait and not heard, LOOK_SECONDS)
                if isinstance(event, BlackstartError):
                    raise event
                heard = True
                self._take_in(kube, *event)
        except Empty:
            return heard

    def _take_in(self, kube: Kube, kind: str, item: Any) -> None:
        uid = item["metadata"]["uid"]
        if kind == "DELETED" or not is_live(item):
            self._slots.went(uid)
        elif not self._slots.known(uid):
            self._place(kube, item["spec"].get("nodeName", ""))
            pod = read(item, self._places, self._slots.found.region)
            owner = self._slots.found.owner
            as_asked = owner is None or owner.owns(pod.owner, pod.labels)
            if as_asked and self._where.holds(pod, self._clock.now().timestamp()):
                self._slots.appeared(pod)
            else:
                self._slots.went(uid)

    def _place(self, kube: Kube, node: str) -> None:
        """Find out where a new node is, if that matters; one that does not say yet is asked again."""
        if self._where.zone and node and node not in self._places:
            found = find_places(kube, node).get(node, ("", ""))
            if found[0]:
                self._places[node] = found

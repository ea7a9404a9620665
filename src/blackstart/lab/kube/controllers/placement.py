"""Which pods are on which node, kept up to date event by event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from blackstart.lab.kube.objects import Object, controller_of, is_active, labels_of
from blackstart.lab.kube.quantities import Amounts, requested
from blackstart.lab.kube.store import Event, Key

ZONE = "topology.kubernetes.io/zone"


@dataclass(frozen=True)
class _Place:
    node: str
    group: str
    active: bool
    requests: Amounts


class Placement:
    """Pods by node, counted in groups: pods of one controller, or pods of no controller in one namespace."""

    def __init__(self) -> None:
        self._places: dict[Key, _Place] = {}
        self._on_node: dict[str, set[Key]] = {}
        self._grouped: dict[str, Counter[str]] = {}
        self._used: dict[str, Amounts] = {}

    def observe(self, event: Event) -> None:
        if event.resource != "pods.":
            return
        self._forget(event.key)
        if event.type != "DELETED":
            self.note(event.key, event.record.object)

    def note(self, key: Key, pod: Object) -> None:
        """Count ``pod``, ahead of the event that will tell of it."""
        node = pod["spec"].get("nodeName")
        if not node:
            return
        self._forget(key)
        place = _Place(node, group_of(pod), is_active(pod), requested(pod["spec"]))
        self._places[key] = place
        self._on_node.setdefault(node, set()).add(key)
        self._used[node] = self._used.get(node, Amounts()) + place.requests
        if place.active:
            self._grouped.setdefault(place.group, Counter())[node] += 1

    def step(self) -> None:
        """Nothing to do: this only keeps count."""

    def pods_on(self, node: str) -> list[Key]:
        return sorted(self._on_node.get(node, ()))

    def used(self, node: str) -> Amounts:
        """What the pods on ``node`` request together."""
        return self._used.get(node, Amounts())

    def of_group(self, group: str) -> Mapping[str, int]:
        """How many running pods of ``group`` each node has."""
        return self._grouped.get(group) or Counter()

    def _forget(self, key: Key) -> None:
        place = self._places.pop(key, None)
        if place is None:
            return
        self._on_node[place.node].discard(key)
        self._used[place.node] -= place.requests
        if place.active:
            grouped = self._grouped[place.group]
            grouped[place.node] -= 1
            if not grouped[place.node]:
                del grouped[place.node]
            if not grouped:
                del self._grouped[place.group]


def group_of(pod: Object) -> str:
    """What a pod is spread together with."""
    owner = controller_of(pod)
    return owner["uid"] if owner else f"namespace/{pod['metadata']['namespace']}"


def zone_of(node: Object) -> str:
    return labels_of(node).get(ZONE, "")

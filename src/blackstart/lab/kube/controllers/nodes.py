"""Node lifecycle: a node that is silent becomes NotReady and tainted, and loses its pods after a while.

A node is heard when its Lease is renewed or its status carries a new heartbeat. Silence is counted from when the
change was seen here, so the clocks of nodes do not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blackstart.clock import Clock
from blackstart.lab.kube.cluster import Cluster
from blackstart.lab.kube.controllers.placement import Placement
from blackstart.lab.kube.controllers.queue import shortest
from blackstart.lab.kube.objects import Object, condition, is_active, tolerates, with_condition
from blackstart.lab.kube.states import AT_ONCE
from blackstart.lab.kube.store import Event, Key

_LEASES = "leases.coordination.k8s.io"
_PREFIX = "node.kubernetes.io/"
_MANAGED = tuple(f"{_PREFIX}{word}" for word in ("not-ready", "unreachable", "unschedulable"))
_SILENT = {
    "type": "Ready",
    "status": "Unknown",
    "reason": "NodeStatusUnknown",
    "message": "Kubelet stopped posting node status.",
}
_HEARD = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
_NAME = "node-controller"


class Nodes:
    """``grace_seconds``: silence after which a node is NotReady."""

    def __init__(self, cluster: Cluster, clock: Clock, placement: Placement, grace_seconds: float) -> None:
        self._cluster = cluster
        self._clock = clock
        self._placement = placement
        self._grace = grace_seconds
        self._nodes = cluster.registry.named("nodes")
        self._pods = cluster.registry.named("pods")
        self._heard: dict[str, float] = {}
        self._tainted: dict[tuple[str, str], float] = {}
        self._gone: set[str] = set()

    def observe(self, event: Event) -> None:
        if event.resource == _LEASES and event.key.namespace == "kube-node-lease":
            if event.type != "DELETED" and _renewed(event):
                self._heard[event.key.name] = self._clock.monotonic()
        elif event.resource == "nodes.":
            name = event.key.name
            if event.type == "DELETED":
                self._gone.add(name)
                self._heard.pop(name, None)
            elif _spoke(event):
                self._heard[name] = self._clock.monotonic()

    def step(self) -> float | None:
        for name in sorted(self._gone):
            self._remove_pods(name)
        self._gone.clear()
        now = self._clock.monotonic()
        names = [record.object["metadata"]["name"] for record in self._cluster.store.records("nodes.")]
        waits = [self._judge(name, now) for name in names]
        # a cluster in which every node is silent has most likely lost its own network, so nothing is evicted
        dark = all(_ready(self._node(name)) != "True" for name in names)
        for name in names:
            self._taint(name, evict=not dark)
        waits += [self._evict(self._node(name), now) for name in names]
        return shortest(waits)

    def _node(self, name: str) -> Object:
        return self._cluster.get(self._nodes, Key("", name)).object

    def _judge(self, name: str, now: float) -> float | None:
        """Set Ready by what was heard; seconds until silence would count, None if it counts already."""
        silent = now - self._heard.setdefault(name, now)
        node = self._node(name)
        if silent <= self._grace:
            if condition(node, "Ready").get("reason") == _SILENT["reason"]:
                self._set_ready(name, _HEARD)
                self._cluster.event(self._node(name), "Normal", "NodeReady", f"Node {name} is ready", _NAME)
            # just after the last moment of grace, not on it
            return self._grace - silent + 0.001
        if _ready(node) != "Unknown":
            self._set_ready(name, _SILENT)
            self._cluster.event(self._node(name), "Normal", "NodeNotReady", f"Node {name} is not ready", _NAME)
            for key in self._placement.pods_on(name):
                self._mark_not_ready(key)
        return None

    def _set_ready(self, name: str, new: Mapping[str, Any]) -> None:
        now = self._cluster.timestamp()

        def edit(obj: Object) -> None:
            obj["status"]["conditions"] = with_condition(obj["status"].get("conditions"), new, now)

        self._cluster.change(self._nodes, Key("", name), edit, "status")

    def _mark_not_ready(self, key: Key) -> None:
        record = self._cluster.store.get("pods.", key)
        if record is None or condition(record.object, "Ready").get("status") != "True":
            return
        now = self._cluster.timestamp()
        new = {"type": "Ready", "status": "False", "reason": "NodeNotReady"}

        def edit(obj: Object) -> None:
            obj["status"]["conditions"] = with_condition(obj["status"].get("conditions"), new, now)

        self._cluster.change(self._pods, key, edit, "status")

    def _taint(self, name: str, *, evict: bool) -> None:
        """Keep the taints that follow from the node's state; those of others stay."""
        node = self._node(name)
        held = node["spec"].get("taints") or []
        wanted = _wanted_taints(node, evict=evict)
        kept = [taint for taint in held if taint["key"] not in _MANAGED or _name(taint) in wanted]
        missing = wanted - {_name(taint) for taint in kept}
        now = self._cluster.timestamp()
        new = [*kept, *({"key": key, "effect": effect, "timeAdded": now} for key, effect in sorted(missing))]
        if new != held:
            self._cluster.change(self._nodes, Key("", name), lambda obj: obj["spec"].update(taints=new))

    def _evict(self, node: Object, now: float) -> float | None:
        """Delete the pods whose time on a tainted node is over; seconds until the next one is due."""
        name = node["metadata"]["name"]
        taints = [taint for taint in node["spec"].get("taints") or () if taint["effect"] == "NoExecute"]
        present = {(name, taint["key"]) for taint in taints}
        for held in [held for held in self._tainted if held[0] == name and held not in present]:
            del self._tainted[held]
        waits = []
        for key in self._placement.pods_on(name) if taints else ():
            record = self._cluster.store.get("pods.", key)
            if record is None or not is_active(record.object):
                continue
            left = shortest(self._time_left(record.object, name, taint, now) for taint in taints)
            if left is not None and left <= 0:
                message = f"Deleting pod {key.namespace}/{key.name} from node {name}"
                self._cluster.event(record.object, "Normal", "TaintManagerEviction", message, "taint-eviction")
                self._cluster.delete(self._pods, key)
            elif left is not None:
                waits.append(left)
        return shortest(waits)

    def _time_left(self, pod: Object, node: str, taint: Mapping[str, Any], now: float) -> float | None:
        since = self._tainted.setdefault((node, taint["key"]), now)
        toleration = tolerates(pod["spec"].get("tolerations"), taint)
        if toleration is None:
            return 0.0
        seconds = toleration.get("tolerationSeconds")
        return None if seconds is None else since + float(seconds) - now

    def _remove_pods(self, node: str) -> None:
        """The pods of a node that no longer exists are gone: nobody is left to report their end."""
        if self._cluster.store.get("nodes.", Key("", node)):
            return
        for key in self._placement.pods_on(node):
            if self._cluster.store.get("pods.", key):
                self._cluster.delete(self._pods, key, AT_ONCE)


def _renewed(event: Event) -> bool:
    before = event.previous.object.get("spec") or {} if event.previous else {}
    return (event.record.object.get("spec") or {}).get("renewTime") != before.get("renewTime")


def _spoke(event: Event) -> bool:
    """Whether a change of a node is its kubelet's doing: a new Ready condition that is not this controller's."""
    before = condition(event.previous.object, "Ready") if event.previous else {}
    after = condition(event.record.object, "Ready")
    return event.previous is None or (after != before and after.get("reason") != _SILENT["reason"])


def _ready(node: Object) -> str:
    return str(condition(node, "Ready").get("status", "Unknown"))


def _name(taint: Mapping[str, Any]) -> tuple[str, str]:
    return taint["key"], taint["effect"]


def _wanted_taints(node: Object, *, evict: bool) -> set[tuple[str, str]]:
    wanted = set()
    if node["spec"].get("unschedulable"):
        wanted.add((f"{_PREFIX}unschedulable", "NoSchedule"))
    state = condition(node, "Ready").get("status")
    if state != "True":
        word = "unreachable" if state == "Unknown" else "not-ready"
        wanted.add((f"{_PREFIX}{word}", "NoSchedule"))
        if evict and state is not None:
            wanted.add((f"{_PREFIX}{word}", "NoExecute"))
    return wanted

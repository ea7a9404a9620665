"""How much room a cluster has, and how much workloads need. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blackstart.errors import ConfigInvalid, NotMeasured
from blackstart.probes import _cluster, _selectors
from blackstart.probes._cluster import Object

SUFFIXES = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50,
}  # fmt: skip
OVER = ("Succeeded", "Failed")
CLOSED = ("NoSchedule", "NoExecute")


@dataclass(frozen=True)
class Room:
    """Cores, bytes and pods."""

    cpu: float = 0.0
    memory: float = 0.0
    pods: float = 0.0

    def __add__(self, other: Room) -> Room:
        return Room(self.cpu + other.cpu, self.memory + other.memory, self.pods + other.pods)

    def __sub__(self, other: Room) -> Room:
        return Room(self.cpu - other.cpu, self.memory - other.memory, self.pods - other.pods)

    def times(self, count: float) -> Room:
        return Room(self.cpu * count, self.memory * count, self.pods * count)


@dataclass(frozen=True)
class Check:
    """One thing that the standby needs. ``share``: how much of it is there, 1.0 or more if enough; ``problem`` says
    what is missing, as a sentence without its full stop."""

    name: str
    share: float
    problem: str = ""


def quantity(text: str | float) -> float:
    """The number behind 250m or 1Gi; NotMeasured if it is none."""
    said = str(text)
    digits = said.rstrip("numkMGTPi")
    try:
        return float(digits) * (SUFFIXES[said[len(digits) :]] if said != digits else 1.0)
    except (KeyError, ValueError) as error:
        raise NotMeasured("the room in a cluster", f"{said!r} is no quantity") from error


def room(amounts: Mapping[str, Any]) -> Room:
    """Of what a node calls allocatable."""
    return Room(*(quantity(amounts.get(name, 0)) for name in ("cpu", "memory", "pods")))


def requested(spec: Mapping[str, Any]) -> Room:
    """What the scheduler keeps for a pod: the sum of its containers, or its largest init container if that is more."""
    containers = [_asked(container) for container in spec.get("containers") or ()]
    first = [_asked(container) for container in spec.get("initContainers") or ()]
    cpu = max([sum(each.cpu for each in containers), *(each.cpu for each in first)])
    memory = max([sum(each.memory for each in containers), *(each.memory for each in first)])
    return Room(cpu, memory, 1.0)


def _asked(container: Mapping[str, Any]) -> Room:
    resources = container.get("resources") or {}
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return Room(quantity(asked.get("cpu", 0)), quantity(asked.get("memory", 0)))


def needed(workloads: Iterable[Object]) -> Room:
    """What all replicas of ``workloads`` ask for together."""
    total = Room()
    for each in workloads:
        total += requested(each["spec"]["template"]["spec"]).times(replicas(each))
    return total


def replicas(workload: Object) -> int:
    return int(workload["spec"].get("replicas", 1))


def free(nodes: Sequence[Object], pods: Iterable[Object], coming: Sequence[Object]) -> Room:
    """What the ready nodes that all that is ``coming`` may be placed on have left beside the pods that are on them;
    the pods of these workloads do not count, because they are part of what is needed."""
    open_ = {
        node["metadata"]["name"]: node
        for node in nodes
        if _cluster.ready(node) and all(_may_go(workload, node.get("spec") or {}) for workload in coming)
    }
    total = Room()
    for node in open_.values():
        total += room(node["status"].get("allocatable") or {})
    for pod in pods:
        there = _cluster.node_of(pod) in open_ and (pod.get("status") or {}).get("phase") not in OVER
        if there and not any(_of(pod, workload) for workload in coming):
            total -= requested(pod["spec"])
    return total


def _may_go(workload: Object, node: Mapping[str, Any]) -> bool:
    """Whether a node lets the pods of ``workload`` be placed on it, as far as it is closed to some."""
    bearable = workload["spec"]["template"]["spec"].get("tolerations") or ()
    closed = [taint for taint in node.get("taints") or () if taint.get("effect") in CLOSED]
    return not node.get("unschedulable") and all(any(_bears(each, taint) for each in bearable) for taint in closed)


def _bears(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint.get("key"))
    same = (toleration.get("key"), toleration.get("value") or "")
    return same == (taint.get("key"), taint.get("value") or "")


def _of(pod: Object, workload: Object) -> bool:
    here = pod["metadata"].get("namespace") == workload["metadata"].get("namespace")
    return here and _selectors.matches(workload["spec"].get("selector"), _cluster.labels(pod))


def smallest(nodes: Iterable[Object]) -> Room:
    """A node as small as the smallest in each respect; NotMeasured without a node."""
    sizes = [room(node["status"].get("allocatable") or {}) for node in nodes]
    if not sizes:
        raise NotMeasured("the room in the standby cluster", "it has no node whose size could be known")
    return Room(*(min(getattr(size, name) for size in sizes) for name in ("cpu", "memory", "pods")))


def nodes_to_add(need: Room, have: Room, each: Room) -> int:
    """How many nodes like ``each`` it takes until ``have`` is ``need``; what a node has none of cannot be added."""
    counts = [0.0]
    for name in ("cpu", "memory", "pods"):
        lack, size = getattr(need, name) - getattr(have, name), getattr(each, name)
        if lack > 0:
            counts.append(math.inf if size <= 0 else lack / size)
    most = max(counts)
    if math.isinf(most):
        raise NotMeasured("the room in the standby cluster", "its nodes do not say how much they hold")
    return math.ceil(most - 1e-9)


def share(have: float, need: float) -> float:
    """``have`` of ``need``; 1.0 where nothing is needed."""
    return max(0.0, have) / need if need > 0 else 1.0


def instance_size(name: str) -> float:
    """How large an instance class is, against others of its family: db.r7g.2xlarge → 8; ConfigInvalid for none."""
    size = name.rpartition(".")[2]
    known = {"micro": 0.25, "small": 0.5, "medium": 1.0, "large": 2.0, "xlarge": 4.0}
    if size in known:
        return known[size]
    count = size.removesuffix("xlarge")
    if count.isdigit() and size.endswith("xlarge"):
        return 4.0 * int(count)
    raise ConfigInvalid("the instance class", name, "its size cannot be told")

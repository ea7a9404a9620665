"""Scheduler: gives every pending pod a node, spread over zones first and nodes second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from blackstart.clock import Clock
from blackstart.lab.kube.cluster import Cluster
from blackstart.lab.kube.controllers.placement import Placement, group_of, zone_of
from blackstart.lab.kube.controllers.queue import WorkQueue
from blackstart.lab.kube.objects import Object, condition, is_active, is_ready, labels_of, tolerates, with_condition
from blackstart.lab.kube.quantities import lacking, requested
from blackstart.lab.kube.selectors import expressed
from blackstart.lab.kube.store import Event, Key

_NAME = "default-scheduler"


class Scheduler:
    """``placement`` must observe events before this controller steps."""

    def __init__(self, cluster: Cluster, clock: Clock, placement: Placement) -> None:
        self._cluster = cluster
        self._placement = placement
        self._pods = cluster.registry.named("pods")
        self._queue = WorkQueue(clock.monotonic)
        self._unplaced: set[Key] = set()

    def observe(self, event: Event) -> None:
        if event.resource == "nodes.":
            self._retry()
        elif event.resource == "pods.":
            pod = event.record.object
            pending = event.type != "DELETED" and not pod["spec"].get("nodeName") and is_active(pod)
            if pending and pod["spec"].get("schedulerName") == _NAME and not pod["spec"].get("schedulingGates"):
                if event.key not in self._unplaced:
                    self._queue.add(event.key)
            else:
                self._unplaced.discard(event.key)
                if event.type == "DELETED":
                    self._retry()

    def step(self) -> float | None:
        return self._queue.work(self._place)

    def _retry(self) -> None:
        for key in self._unplaced:
            self._queue.add(key)
        self._unplaced.clear()

    def _place(self, key: Key) -> None:
        record = self._cluster.store.get("pods.", key)
        if record is None or record.object["spec"].get("nodeName") or not is_active(record.object):
            return
        pod = record.object
        refusals: Counter[str] = Counter()
        fitting = []
        for node in (record.object for record in self._cluster.store.records("nodes.")):
            objections = self._objections(pod, node)
            refusals.update(objections)
            if not objections:
                fitting.append(node)
        if not fitting:
            self._unplaced.add(key)
            self._report(key, pod, refusals)
            return
        name = self._best(pod, fitting)["metadata"]["name"]
        # so that the next pod of this step is spread with this one in mind
        self._placement.note(key, self._cluster.bind(key, name).object)
        message = f"Successfully assigned {key.namespace}/{key.name} to {name}"
        self._cluster.event(pod, "Normal", "Scheduled", message, _NAME)

    def _objections(self, pod: Object, node: Object) -> list[str]:
        """Why ``pod`` cannot go to ``node``, in the scheduler's words."""
        spec, labels = pod["spec"], labels_of(node)
        if not all(labels.get(key) == value for key, value in (spec.get("nodeSelector") or {}).items()):
            return ["node(s) didn't match Pod's node affinity/selector"]
        if not _affine(spec, labels, node["metadata"]["name"]):
            return ["node(s) didn't match Pod's node affinity/selector"]
        for taint in node["spec"].get("taints") or ():
            if taint["effect"] != "PreferNoSchedule" and tolerates(spec.get("tolerations"), taint) is None:
                return [f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value') or ''}}}"]
        if node["spec"].get("unschedulable"):
            return ["node(s) were unschedulable"]
        if not is_ready(node) or "deletionTimestamp" in node["metadata"]:
            return ["node(s) were not ready"]
        name = node["metadata"]["name"]
        return lacking(node["status"].get("allocatable") or {}, self._placement.used(name), requested(spec))

    def _best(self, pod: Object, nodes: list[Object]) -> Object:
        here = Counter(self._placement.of_group(group_of(pod)))
        zones: Counter[str] = Counter()
        for record in self._cluster.store.records("nodes."):
            zones[zone_of(record.object)] += here[record.object["metadata"]["name"]]

        def cost(node: Object) -> tuple[int, int, int, str]:
            name = node["metadata"]["name"]
            return (zones[zone_of(node)], here[name], self._placement.used(name).pods, name)

        return min(nodes, key=cost)

    def _report(self, key: Key, pod: Object, refusals: Counter[str]) -> None:
        total = len(self._cluster.store.records("nodes."))
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(refusals.items()))
        message = f"0/{total} nodes are available: {reasons}." if total else "no nodes available to schedule pods"
        found = condition(pod, "PodScheduled")
        if found.get("message") == message:
            return
        now = self._cluster.timestamp()
        new = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}

        def note(obj: Object) -> None:
            obj["status"]["conditions"] = with_condition(obj["status"].get("conditions"), new, now)

        self._cluster.change(self._pods, key, note, "status")
        self._cluster.event(pod, "Warning", "FailedScheduling", message, _NAME)


def _affine(spec: Mapping[str, Any], labels: Mapping[str, str], name: str) -> bool:
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    if not affinity:
        return True
    for term in affinity.get("nodeSelectorTerms") or ():
        by_label = all(expressed(wanted)(labels) for wanted in term.get("matchExpressions") or ())
        by_field = all(expressed(wanted)({"metadata.name": name}) for wanted in term.get("matchFields") or ())
        if by_label and by_field and term:
            return True
    return False

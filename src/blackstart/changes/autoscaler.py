"""An autoscaler at its ceiling: a HorizontalPodAutoscaler whose most pods are as few as it has, or fewer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from blackstart.access import Need, in_namespace
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen, Wanted
from blackstart.changes.model import Change, new_id
from blackstart.changes.versions import patch_as_seen, version_of
from blackstart.changes.workloads import AT_ONCE, AUTOSCALERS, Workload, find_workload
from blackstart.errors import Refused
from blackstart.scope import Target

MOST, LEAST = "maxReplicas", "minReplicas"


@dataclass(frozen=True)
class Ceiling:
    """One HorizontalPodAutoscaler, and the ``workload`` that it scales, as found."""

    name: str
    uid: str
    labels: Mapping[str, str]
    least: int
    most: int
    workload: Workload

    def __str__(self) -> str:
        return f"HorizontalPodAutoscaler {self.workload.namespace}/{self.name}"


def find_ceiling(clients: Clients, context: str, namespace: str, name: str) -> Ceiling:
    """The autoscaler called ``name``; Refused if there is none. Read-only."""
    kube = clients.kube(context)
    found = kube.find(f"{AUTOSCALERS.format(namespace)}/{name}")
    if found is None:
        problem = f"{kube.cluster} has no such HorizontalPodAutoscaler"
        raise Refused(f"touching HorizontalPodAutoscaler {namespace}/{name}", problem)
    spec, meta = found["spec"], found["metadata"]
    aim = spec["scaleTargetRef"]
    workload = find_workload(clients, context, aim["kind"], namespace, aim["name"])
    return Ceiling(name, meta["uid"], meta.get("labels", {}), spec.get(LEAST, 1), spec[MOST], workload)


def plan_ceiling(
    found: Ceiling, most: int = 0, share: float = 1.0, new_change: Callable[[], str] = new_id
) -> list[Change]:
    """``most`` pods and no more; 0: this ``share`` of those that there are now, rounded up. Pure.

    Refused if it may not have more than that already. Where ``most`` is less than its least, that sinks as well. The
    share that it takes counts one pod at least, also where all may stay.
    """
    workload = found.workload
    most = most or max(1, math.ceil(share * workload.replicas))
    subject = f"pinning {found} at {most}"
    if most < 1 or most >= found.most:
        raise Refused(subject, f"it may have {found.most} pods, so that would be no limit")
    after = {MOST: most} if found.least <= most else {MOST: most, LEAST: most}
    low = f", and {found.least} → {most} at least" if LEAST in after else ""
    return [
        Change(
            id=new_change(),
            kind=AutoscalerCeiling.name,
            target=Target(
                "horizontalpodautoscaler",
                found.name,
                region=workload.region,
                cluster=workload.cluster,
                namespace=workload.namespace,
                tags=dict(found.labels),
            ),
            before={"context": workload.context, "uid": found.uid, MOST: found.most, LEAST: found.least},
            after=after,
            summary=f"{found}: {found.most} → {most} pods at most{low} ({workload.replicas} now)",
            undo_summary=f"letting it have {found.most} pods again",
            calls=("kubernetes:patch horizontalpodautoscalers",),
            share=workload.share(max(1, workload.replicas - most)),
        )
    ]


class AutoscalerCeiling(CompareAndRestore):
    """How many pods an autoscaler may give its workload."""

    name: ClassVar[str] = "kubernetes.autoscaler_ceiling"
    permissions: ClassVar[tuple[str, ...]] = (
        "kubernetes:get horizontalpodautoscalers",
        "kubernetes:patch horizontalpodautoscalers",
    )
    at_once: ClassVar[int] = AT_ONCE

    def needs(self, change: Change) -> Sequence[Need]:
        return in_namespace(self.permissions, change.target.cluster, change.target.namespace)

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        return {change.id: _seen(change, clients) for change in changes}

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        for item in wanted:
            patch_as_seen(item, _path(item.change), {"spec": dict(item.fields)}, clients)


def _seen(change: Change, clients: Clients) -> Seen:
    item: Any = clients.kube(change.before["context"]).find(_path(change))
    if item is None or item["metadata"]["uid"] != change.before["uid"]:
        return None
    return {MOST: item["spec"][MOST], LEAST: item["spec"].get(LEAST, 1), **version_of(item)}


def _path(change: Change) -> str:
    return f"{AUTOSCALERS.format(change.target.namespace)}/{change.target.id}"

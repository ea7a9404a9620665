"""Scaling a Deployment or StatefulSet, and back: down to a service that has no pods to serve with, or up to one that
has enough for everybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from blackstart.access import Need, in_namespace
from blackstart.changes.clients import Clients
from blackstart.changes.compare import Wanted
from blackstart.changes.model import TAKES_NOTHING, Change, Json, Share, new_id
from blackstart.changes.versions import patch_as_seen
from blackstart.changes.workloads import PLURALS, OfWorkload, Workload, path_of, replicas_of
from blackstart.errors import Refused

REPLICAS = "replicas"


def plan_scale(
    found: Workload, replicas: int = 0, *, even_unready: bool = False, new_change: Callable[[], str] = new_id
) -> list[Change]:
    """``found`` with so many ``replicas``, fewer than it has. Pure.

    Refused if it has no more than that, or was not well to begin with, unless that does not matter (``even_unready``).
    """
    subject = f"scaling {found} to {replicas}"
    if not 0 <= replicas < found.replicas:
        raise Refused(subject, f"it is at {found.replicas}, so that would take no pods away")
    if found.unready and not even_unready:
        raise Refused(subject, f"it is not well to begin with: {found.unready}")
    return [_scaled(found, replicas, found.share(found.replicas - replicas), new_change())]


def plan_growth(found: Workload, replicas: int, new_change: Callable[[], str] = new_id) -> list[Change]:
    """``found`` with at least so many ``replicas``; empty if it has as many already. Pure.

    Refused if an autoscaler decides that.
    """
    if found.replicas >= replicas:
        return []
    if found.autoscaler:
        problem = f"HorizontalPodAutoscaler {found.autoscaler.name} decides how many it has; let that grow"
        raise Refused(f"scaling {found} to {replicas}", problem)
    return [_scaled(found, replicas, TAKES_NOTHING, new_change())]


def _scaled(found: Workload, replicas: int, share: Share, id: str) -> Change:
    goal = found.autoscaler
    return Change(
        id=id,
        kind=Replicas.name,
        target=found.target,
        before={
            **found.identity,
            "workload": found.kind,
            REPLICAS: found.replicas,
            "autoscaler": [goal.least, goal.most] if goal else None,
        },
        after={REPLICAS: replicas},
        summary=f"{found}: {found.replicas} → {replicas} replicas",
        undo_summary=f"giving it {found.replicas} replicas again{_noted(found, replicas)}",
        calls=(f"kubernetes:patch {PLURALS[found.kind]}/scale",),
        share=share,
    )


def _noted(found: Workload, replicas: int) -> str:
    if found.autoscaler is None:
        return ""
    name = f"HorizontalPodAutoscaler {found.autoscaler.name}"
    meanwhile = "stands still at 0" if replicas == 0 else "may give it more meanwhile"
    return f", which {name} may change again ({name} {meanwhile})"


class Replicas(OfWorkload):
    """How many pods a workload should have."""

    name: ClassVar[str] = "kubernetes.replicas"
    permissions: ClassVar[tuple[str, ...]] = (
        "kubernetes:get deployments",
        "kubernetes:get statefulsets",
        "kubernetes:patch deployments/scale",
        "kubernetes:patch statefulsets/scale",
    )

    def needs(self, change: Change) -> Sequence[Need]:
        plural = PLURALS[change.before["workload"]]
        names = (f"kubernetes:get {plural}", f"kubernetes:patch {plural}/scale")
        return in_namespace(names, change.target.cluster, change.target.namespace)

    def state(self, change: Change, item: Mapping[str, Any]) -> Mapping[str, Json]:
        replicas = replicas_of(item)
        # What its autoscaler has chosen is as good as before: it would choose so again.
        least, most = change.before["autoscaler"] or (1, 0)
        chosen = least <= replicas <= most and replicas != change.after[REPLICAS]
        return {REPLICAS: change.before[REPLICAS] if chosen else replicas}

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        for item in wanted:
            patch_as_seen(item, f"{path_of(item.change)}/scale", {"spec": dict(item.fields)}, clients)

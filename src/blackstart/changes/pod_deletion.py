"""Deleting pods. What deletes is we; what heals is the controller that owns them.

A pod that nothing would bring back is refused: one without a controller, or whose controller is not known to replace
pods. Undo waits until the controller has as many ready pods as it wants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from blackstart.access import Need, in_namespace
from blackstart.changes import pod_healing
from blackstart.changes.budgets import Budget, within
from blackstart.changes.clients import Clients
from blackstart.changes.healed import Healed
from blackstart.changes.kind import Outcome
from blackstart.changes.model import Change, Json, new_id
from blackstart.changes.pods import Chosen, Pod, Pods, api_path, require_back
from blackstart.kube.client import KubeRefused

DELETE = "kubernetes:delete pods"
GONE = (404, 409)
"""404: it is deleted. 409: it is, and another one with its name has come."""
AT_ONCE = 64


def plan_deletion(
    found: Pods,
    pods: Sequence[Pod],
    grace_seconds: int = 0,
    *,
    budgets: Sequence[Budget] = (),
    new_change: Callable[[], str] = new_id,
) -> list[Change]:
    """``pods`` deleted; with 0 seconds of grace they are killed at once, with fewer than 0 they get their own. Pure.

    Those beyond what ``budgets`` let go are marked. Refused if one of them would not come back.
    """
    return deletions(found, within(budgets, pods), grace_seconds, new_change=new_change)


def deletions(
    found: Pods, chosen: Sequence[Chosen], grace_seconds: int = 0, *, new_change: Callable[[], str] = new_id
) -> list[Change]:
    """As ``plan_deletion``, of pods of which it is known what they count as. Pure."""
    after, calls = {"deleted": True, "grace_seconds": grace_seconds}, (DELETE,)
    return [
        removal(found, each, kind=PodDeletion.name, after=after, calls=calls, verb="delet", change_id=new_change())
        for each in chosen
    ]


def removal(
    found: Pods, chosen: Chosen, *, kind: str, after: Json, calls: tuple[str, ...], verb: str, change_id: str
) -> Change:
    """The change that takes one pod away. ``verb``: the stem of what is done to it. Pure."""
    pod = chosen.pod
    owner = require_back(f"{verb}ing", pod)
    return Change(
        id=change_id,
        kind=kind,
        target=found.target(pod),
        before={"context": found.context, **pod_healing.healer_of(pod, owner)},
        after=after,
        summary=f"{pod}" + (f" ({pod.zone})" if pod.zone else "") + f": {verb}ed",
        undo_summary=f"{owner[0]} {owner[1]}, which starts another one",
        calls=calls,
        share=found.share(pod, chosen.member),
        past_budget=chosen.past_budget,
    )


def options(change: Change) -> dict[str, Json]:
    """DeleteOptions: this very pod, and not a namesake that has come since."""
    grace: int = change.after["grace_seconds"]
    given = {"preconditions": {"uid": change.before["uid"]}}
    # compared as told: what is no number is for the API to refuse
    return given if isinstance(grace, int) and grace < 0 else {"gracePeriodSeconds": grace, **given}


def delete(change: Change, clients: Clients) -> None:
    """Delete the pod of ``change``, if it is still there."""
    try:
        clients.kube(change.before["context"]).delete(api_path(change), options(change))
    except KubeRefused as error:
        if error.status not in GONE:
            raise


class PodDeletion(Healed):
    """One pod is deleted, for good; its controller heals."""

    name: ClassVar[str] = "kubernetes.pod_deletion"
    at_once: ClassVar[int] = AT_ONCE
    permissions: ClassVar[tuple[str, ...]] = (DELETE, *pod_healing.READS)

    def needs(self, change: Change) -> Sequence[Need]:
        return in_namespace((DELETE, *pod_healing.reads(change)), change.target.cluster, change.target.namespace)

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        for change in changes:
            delete(change, clients)

    def look(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        return pod_healing.look(changes, clients)

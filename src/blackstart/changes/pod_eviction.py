"""Evicting pods: deleting them, if their disruption budget lets them go. What heals is the controller that owns them.

The budgets are asked by the API itself, at the moment of each eviction, so none is gone past, however many pods are
under way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from blackstart.access import Need, in_namespace
from blackstart.changes import pod_healing
from blackstart.changes.budgets import Budget, covering
from blackstart.changes.clients import Clients
from blackstart.changes.healed import Healed
from blackstart.changes.kind import Outcome
from blackstart.changes.model import Change, Json, new_id
from blackstart.changes.pod_deletion import AT_ONCE, DELETE, GONE, delete, options, removal
from blackstart.changes.pods import Chosen, Pod, Pods, api_path
from blackstart.errors import NotYet, Refused
from blackstart.kube.client import KubeRefused

EVICT = "kubernetes:create pods/eviction"
PATIENCE_SECONDS = 60.0
TOO_MANY, SERVER_ERROR = 429, 500
BUDGET_SAYS_NO = "disruption budget"
SEVERAL_BUDGETS = "more than one PodDisruptionBudget"
NAMED = re.compile(r"The disruption budget (\S+) ")


def plan_eviction(
    found: Pods,
    pods: Sequence[Pod],
    grace_seconds: int = 0,
    patience_seconds: float = PATIENCE_SECONDS,
    *,
    budgets: Sequence[Budget] = (),
    past_budgets: bool = False,
    new_change: Callable[[], str] = new_id,
) -> list[Change]:
    """``pods`` evicted; each is asked for again for ``patience_seconds`` while its budget refuses. Pure.

    ``grace_seconds`` below 0: the pods' own. ``past_budgets``: those whose budget refuses are deleted instead.
    Refused if one would not come back, or has several budgets, which the API cannot weigh.
    """
    chosen = [Chosen(pod, pod.name, _past(budgets, pod) if past_budgets else "") for pod in pods]
    return evictions(found, chosen, grace_seconds, patience_seconds, budgets=budgets, new_change=new_change)


def evictions(
    found: Pods,
    chosen: Sequence[Chosen],
    grace_seconds: int = 0,
    patience_seconds: float = PATIENCE_SECONDS,
    *,
    budgets: Sequence[Budget] = (),
    new_change: Callable[[], str] = new_id,
) -> list[Change]:
    """As ``plan_eviction``, of pods of which it is known what they count as. Pure."""
    how = {"evicted": True, "grace_seconds": grace_seconds, "patience_seconds": patience_seconds}
    return [_eviction(found, each, how, budgets, new_change()) for each in chosen]


def _past(budgets: Sequence[Budget], pod: Pod) -> str:
    return next(map(str, covering(budgets, pod)), "")


def _eviction(
    found: Pods, chosen: Chosen, how: Mapping[str, Json], budgets: Sequence[Budget], change_id: str
) -> Change:
    asked = [str(budget) for budget in covering(budgets, chosen.pod)]
    if len(asked) > 1 and not chosen.past_budget:
        raise Refused(f"evicting {chosen.pod}", _several(" and ".join(asked)))
    after = {**how, "budget": chosen.past_budget or "".join(asked)}
    calls = (EVICT, DELETE) if chosen.past_budget else (EVICT,)
    return removal(found, chosen, kind=PodEviction.name, after=after, calls=calls, verb="evict", change_id=change_id)


def _several(who: str) -> str:
    return f"{who} cover it, and the eviction API takes a pod with one budget at most; delete it, or part them"


class PodEviction(Healed):
    """One pod is evicted, for good; its controller heals."""

    name: ClassVar[str] = "kubernetes.pod_eviction"
    at_once: ClassVar[int] = AT_ONCE
    permissions: ClassVar[tuple[str, ...]] = (EVICT, DELETE, *pod_healing.READS)

    def needs(self, change: Change) -> Sequence[Need]:
        writes = (EVICT, DELETE) if change.past_budget else (EVICT,)
        return in_namespace((*writes, *pod_healing.reads(change)), change.target.cluster, change.target.namespace)

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        for change in changes:
            _evict(change, clients)

    def look(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        return pod_healing.look(changes, clients)


def _evict(change: Change, clients: Clients) -> None:
    pod = {"name": change.target.id, "namespace": change.target.namespace}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": pod, "deleteOptions": options(change)}
    try:
        clients.kube(change.before["context"]).post(f"{api_path(change)}/eviction", body)
    except KubeRefused as error:
        if error.status in GONE:
            return
        several = error.status == SERVER_ERROR and SEVERAL_BUDGETS in error.problem
        if not several and not (error.status == TOO_MANY and BUDGET_SAYS_NO in error.problem):
            raise
        if change.past_budget:
            delete(change, clients)
            return
        who = f"pod {pod['namespace']}/{pod['name']}"
        if several:
            raise Refused(f"evicting {who}", _several("several disruption budgets")) from error
        raise NotYet(who, f"protected by {_budget(change, error)}", change.after["patience_seconds"]) from error


def _budget(change: Change, error: KubeRefused) -> str:
    """Which budget refused: as the API says, else the one that covered the pod when that was looked up."""
    named = NAMED.search(error.problem)
    if named:
        return f"budget {change.target.namespace}/{named[1]}"
    return change.after["budget"] or "a disruption budget"

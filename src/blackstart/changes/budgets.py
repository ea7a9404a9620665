"""PodDisruptionBudgets: which pods they cover, and how many of those they let go just now.

Evictions ask them; deletions do not, so what a deletion would take beyond them is marked, for the guard to see.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from blackstart.changes.clients import Clients
from blackstart.changes.model import Json
from blackstart.changes.pods import Chosen, Pod

PERMISSIONS = ("kubernetes:list poddisruptionbudgets",)


class Budget(NamedTuple):
    """One budget. ``selector``: a LabelSelector; None selects nothing. ``allowed``: how many pods may go now."""

    namespace: str
    name: str
    selector: Mapping[str, Any] | None
    allowed: int

    def covers(self, pod: Pod) -> bool:
        return pod.namespace == self.namespace and selects(self.selector, pod.labels)

    def __str__(self) -> str:
        return f"budget {self.namespace}/{self.name}"


def find_budgets(clients: Clients, context: str, namespace: str) -> tuple[Budget, ...]:
    """The budgets of ``namespace`` ("": of all). Read-only."""
    at = f"/apis/policy/v1/namespaces/{namespace}" if namespace else "/apis/policy/v1"
    return tuple(map(read_budget, clients.kube(context).items(f"{at}/poddisruptionbudgets")))


def read_budget(item: Json) -> Budget:
    """A budget of the API. One whose status tells of an older spec, or of none, lets nothing go. Pure."""
    metadata, status = item["metadata"], item.get("status") or {}
    current = status.get("observedGeneration", 0) >= metadata.get("generation", 1)
    allowed = int(status.get("disruptionsAllowed", 0)) if current else 0
    return Budget(metadata["namespace"], metadata["name"], item["spec"].get("selector"), allowed)


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector as policy/v1 has it selects ``labels``: an empty one does, none does not. Pure."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_holds(rule, labels) for rule in selector.get("matchExpressions") or ())


def _holds(rule: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = rule["key"], rule.get("values") or ()
    match rule["operator"]:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return True  # an operator of a later Kubernetes: rather one budget too many than one gone past


def covering(budgets: Iterable[Budget], pod: Pod) -> list[Budget]:
    """The budgets that ``pod`` counts for. Pure."""
    return [budget for budget in budgets if budget.covers(pod)]


def within(budgets: Sequence[Budget], pods: Sequence[Pod]) -> list[Chosen]:
    """``pods`` as they would be taken away together: those beyond what a budget lets go, in this order, are marked.

    Every pod counts, ready or not: one that is not ready yet is one that the budget waits for. Pure.
    """
    left = {str(budget): budget.allowed for budget in budgets}
    chosen = []
    for pod in pods:
        names = [str(budget) for budget in covering(budgets, pod)]
        over = next((name for name in names if left[name] <= 0), "")
        if not over:
            left |= {name: left[name] - 1 for name in names}
        chosen.append(Chosen(pod, pod.name, over))
    return chosen

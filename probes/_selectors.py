"""Which labels a selector matches, as the Kubernetes API defines it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Labels = Mapping[str, str]


def text(selector: Mapping[str, Any]) -> str:
    """A LabelSelector as the API takes it in a query."""
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for each in selector.get("matchExpressions") or ():
        key, values = each["key"], ",".join(each.get("values") or ())
        how = each["operator"]
        parts.append({"Exists": key, "DoesNotExist": f"!{key}"}.get(how, f"{key} {how.lower()} ({values})"))
    return ",".join(parts)


def matches(selector: Mapping[str, Any] | None, labels: Labels) -> bool:
    """Whether a LabelSelector matches; none matches nothing, an empty one everything."""
    if selector is None:
        return False
    wanted = (selector.get("matchLabels") or {}).items()
    return wanted <= labels.items() and all_match(selector.get("matchExpressions") or (), labels)


def all_match(expressions: Sequence[Mapping[str, Any]], labels: Labels) -> bool:
    """Whether the expressions of a label selector or of a node selector's term hold."""
    return all(_holds(each["operator"], labels.get(each["key"]), each.get("values") or ()) for each in expressions)


def _holds(operator: str, value: str | None, values: Sequence[str]) -> bool:
    if operator == "Exists":
        return value is not None
    if operator == "DoesNotExist":
        return value is None
    if operator == "NotIn":
        return value is None or value not in values
    if value is None:
        return False
    if operator == "In":
        return value in values
    try:
        return int(value) > int(values[0]) if operator == "Gt" else int(value) < int(values[0])
    except (ValueError, IndexError):
        return False


def admits(spec: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    """Whether the node selector and the required node affinity of a pod's ``spec`` allow ``node``."""
    labels: Labels = node["metadata"].get("labels") or {}
    if not (spec.get("nodeSelector") or {}).items() <= labels.items():
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return any(
        all_match(term.get("matchExpressions") or (), labels)
        and all_match(term.get("matchFields") or (), {"metadata.name": node["metadata"]["name"]})
        for term in required["nodeSelectorTerms"]
        if term.get("matchExpressions") or term.get("matchFields")
    )


def tolerated(spec: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    """Whether a pod's ``spec`` tolerates every taint of ``node`` that keeps pods away."""
    taints = (node.get("spec") or {}).get("taints") or ()
    keeping = [taint for taint in taints if taint.get("effect") in ("NoSchedule", "NoExecute")]
    return all(any(_tolerates(each, taint) for each in spec.get("tolerations") or ()) for taint in keeping)


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return not toleration.get("key") or toleration["key"] == taint["key"]
    return toleration.get("key") == taint["key"] and (toleration.get("value") or "") == (taint.get("value") or "")

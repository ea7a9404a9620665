"""How a workload's pods are spread over zones, and whether that is what it asks for. Read from the Kubernetes API."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, List

from blackstart.errors import NotMeasured
from blackstart.kube.reading import Kube
from blackstart.probes import _cluster, _selectors

__all__ = ["spread_violations", "zone_spread"]

PERMISSIONS = {
    "spread_violations": ("kubernetes:list nodes", "kubernetes:list pods", *_cluster.READ_WORKLOAD),
    "zone_spread": ("kubernetes:list nodes", "kubernetes:list pods"),
}
"""What each probe needs, in its ``namespace`` of the cluster of its ``context``."""

HARD = "DoNotSchedule"
OVER = ("Succeeded", "Failed")


def zone_spread(namespace: str, selector: str = "", context: str = "") -> int:
    """How many more ready pods the fullest zone has than the emptiest, of zones with a node that takes pods.

    NotMeasured without such a zone, or without a ready pod.
    """

    async def look(kube: Kube) -> int:
        pods, nodes = await _cluster.pods(kube, namespace, selector), await _cluster.nodes(kube)
        zones = {str(node["metadata"]["name"]): _cluster.zone(node) for node in nodes}
        taking = {_cluster.zone(node) for node in nodes if _takes_pods(node)} - {""}
        ready = Counter(zones.get(_cluster.node_of(pod), "") for pod in pods if _cluster.ready(pod))
        if not taking or not ready:
            raise NotMeasured("the spread over zones", "no pod is ready" if taking else "no zone has a node that works")
        counts = [ready[zone] for zone in taking]
        return max(counts) - min(counts)

    return _cluster.ask(context, look)


def spread_violations(namespace: str, workload: str, context: str = "", also_soft: bool = False) -> List[str]:
    """Which of the workload's ("Deployment/orders") topologySpreadConstraints its pods violate, a sentence each.

    Judged as the scheduler does: pods that have a node and are not on their way out, over the nodes that the pods may
    be on, with minDomains and the two node policies. ``also_soft``: constraints with ScheduleAnyway, too, which
    the scheduler may break. NotMeasured when the workload asks for no spread, or has no pod.
    """

    async def look(kube: Kube) -> List[str]:
        owner = await kube.get(_cluster.workload_path(namespace, workload))
        spec = owner["spec"]["template"]["spec"]
        asked = [each for each in spec.get("topologySpreadConstraints") or () if also_soft or _hard(each)]
        if not asked:
            raise NotMeasured(
                f"the spread of {workload}", f"it has no constraint{'' if also_soft else ' that must hold'}"
            )
        listed = await _cluster.pods(kube, namespace)
        nodes = await _cluster.nodes(kube)
        pods = [pod for pod in listed if _placed(pod)]
        own = [pod for pod in pods if _selectors.matches(owner["spec"]["selector"], _cluster.labels(pod))]
        if not own:
            raise NotMeasured(f"the spread of {workload}", "no pod of it is on a node")
        return [said for each in asked for said in _violations(each, spec, own, pods, nodes)]

    return _cluster.ask(context, look)


def _hard(constraint: Mapping[str, Any]) -> bool:
    return str(constraint.get("whenUnsatisfiable", HARD)) == HARD


def _placed(pod: Mapping[str, Any]) -> bool:
    over = (pod.get("status") or {}).get("phase") in OVER
    return bool(_cluster.node_of(pod)) and not over and not _cluster.leaving(pod)


def _takes_pods(node: Mapping[str, Any]) -> bool:
    blocked = (node.get("spec") or {}).get("unschedulable") or not _selectors.tolerated({}, node)
    return _cluster.ready(node) and not blocked


def _violations(
    constraint: Mapping[str, Any],
    spec: Mapping[str, Any],
    own: Sequence[Mapping[str, Any]],
    pods: Sequence[Mapping[str, Any]],
    nodes: Sequence[Mapping[str, Any]],
) -> Iterator[str]:
    """Of one constraint: one for each set of ``own`` pods that it holds apart (matchLabelKeys)."""
    key = constraint["topologyKey"]
    eligible = [node for node in nodes if key in _cluster.labels(node) and _eligible(constraint, spec, node)]
    domain = {str(node["metadata"]["name"]): _cluster.labels(node)[key] for node in eligible}
    apart = constraint.get("matchLabelKeys") or ()
    for values in sorted({tuple(_cluster.labels(pod).get(each, "") for each in apart) for pod in own}):
        same = {each: value for each, value in zip(apart, values, strict=True) if value}
        counts = dict.fromkeys(domain.values(), 0)
        for pod in pods:
            labels = _cluster.labels(pod)
            counted = _selectors.matches(constraint.get("labelSelector"), labels) and same.items() <= labels.items()
            if counted and _cluster.node_of(pod) in domain:
                counts[domain[_cluster.node_of(pod)]] += 1
        yield from _skewed(constraint, counts)


def _eligible(constraint: Mapping[str, Any], spec: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    affine = constraint.get("nodeAffinityPolicy", "Honor") != "Honor" or _selectors.admits(spec, node)
    return affine and (constraint.get("nodeTaintsPolicy", "Ignore") != "Honor" or _selectors.tolerated(spec, node))


def _skewed(constraint: Mapping[str, Any], counts: Mapping[str, int]) -> Iterator[str]:
    key, most = constraint["topologyKey"], int(constraint["maxSkew"])
    enough = len(counts) >= int(constraint.get("minDomains") or 1)
    least = min(counts.values(), default=0) if enough else 0
    fullest = max(counts, key=lambda each: (counts[each], each), default="")
    skew = counts.get(fullest, 0) - least
    if skew > most:
        against = f"the emptiest {least}" if enough else f"0 for want of {constraint['minDomains']} domains"
        yield f"{key} {fullest} has {counts[fullest]} pods and {against}, so {skew} more; {most} are allowed"

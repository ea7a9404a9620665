"""Whether the standby region could take over: what it has against what the home region's workloads need.

It is asked before the region is lost, when home can still say what it needs. Asked again in the same drill after the
fault, it tells what it told before. Room is added up over all nodes, so that pods which fit nowhere alone go unseen.
"""

from dataclasses import dataclass
from typing import Any, Dict, List

from blackstart.clock import SystemClock
from blackstart.errors import NotMeasured
from blackstart.kube.reading import Kube
from blackstart.observer import events
from blackstart.probes import _capacity, _cluster, _restored, _standby
from blackstart.probes._capacity import Check, Room
from blackstart.probes._cluster import Object
from blackstart.probes._watched import JOURNAL_KEY

__all__ = ["standby_capacity", "standby_share"]

NEEDS = (
    "kubernetes:list deployments",
    "kubernetes:list horizontalpodautoscalers",
    "kubernetes:list nodes",
    "kubernetes:list pods",
    "kubernetes:list resourcequotas",
    "ec2:DescribeInstances",
    "eks:DescribeNodegroup",
    "eks:ListNodegroups",
    "rds:DescribeDBClusters",
    "rds:DescribeDBInstances",
    "servicequotas:GetServiceQuota",
)
PERMISSIONS = {"standby_capacity": NEEDS, "standby_share": NEEDS}
"""What the probes need: of AWS in ``region``, of Kubernetes in both clusters."""
EVENT = "standby"


def standby_capacity(
    home_context: str,
    context: str,
    namespace: str,
    region: str = "",
    cluster: str = "",
    home_region: str = "",
    home_database: str = "",
    database: str = "",
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Whether the cluster of ``context`` could run what the deployments of ``namespace`` ask for in ``home_context``.

    Looked at are: that each deployment is there and may have as many replicas (autoscaler, resource quotas); the nodes
    that are ready, and how many more the node groups of EKS ``cluster`` in ``region`` may have ("": none); if nodes
    would have to be added, the account's quota of vCPUs; and, if both are named, that ``database`` has an instance no
    smaller than the one of ``home_database`` in ``home_region``. Gives ``enough``, what is ``missing``, the smallest
    ``share`` of anything needed (1.0: just enough), and ``nodes_to_add``. NotMeasured if something does not answer.
    """
    told = _told_before(configuration)
    if told is not None:
        return told
    need, there = _asked(home_context, context, namespace)
    checks, adding = _rooms(need, there, region, cluster)
    checks += _workloads(need, there)
    if database and home_database:
        found = (_standby.Database.found(home_region, home_database), _standby.Database.found(region, database))
        checks += _standby.databases(*found)
    answer = _answer(checks, adding)
    _remember(configuration, answer)
    return answer


def standby_share(
    home_context: str,
    context: str,
    namespace: str,
    region: str = "",
    cluster: str = "",
    home_region: str = "",
    home_database: str = "",
    database: str = "",
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> float:
    """The ``share`` of `standby_capacity`: 1.0 or more if all that is needed is there."""
    found = standby_capacity(
        home_context, context, namespace, region, cluster, home_region, home_database, database, configuration
    )
    return float(found["share"])


def _asked(home_context: str, context: str, namespace: str) -> tuple[List[Object], "_Standby"]:
    """Home's deployments, and the standby's cluster."""
    need = _cluster.ask(home_context, lambda kube: _deployments(kube, namespace))
    if not need:
        raise NotMeasured("the standby's capacity", f"{home_context} has no deployment in {namespace}")
    return need, _cluster.ask(context, lambda kube: _look(kube, namespace))


def _answer(checks: List[Check], adding: int) -> Dict[str, Any]:
    missing = [check.problem for check in checks if check.share < 1.0]
    share = min(check.share for check in checks)
    return {"enough": not missing, "missing": missing, "share": share, "nodes_to_add": adding}


def _told_before(configuration: Dict[str, Any] | None) -> Dict[str, Any] | None:
    """What was found in this drill before its fault, once that has begun."""
    if not (configuration or {}).get(JOURNAL_KEY):
        return None
    folder = _restored.folder_of(configuration)
    fault = events.fault_at(folder)
    if fault is None:
        return None
    told = [each for each in events.read(folder) if each.kind == EVENT and each.at <= fault]
    return dict(told[-1].fields["found"]) if told else None


def _remember(configuration: Dict[str, Any] | None, answer: Dict[str, Any]) -> None:
    if (configuration or {}).get(JOURNAL_KEY):
        folder = _restored.folder_of(configuration)
        events.EventLog(folder, SystemClock(), events.origin(folder)).add(EVENT, found=answer)


@dataclass(frozen=True)
class _Standby:
    """What the standby's cluster says of itself; deployments by name, autoscalers by the name of what they scale."""

    nodes: List[Object]
    pods: List[Object]
    deployments: Dict[str, Object]
    scalers: Dict[str, Object]
    quotas: List[Object]


async def _look(kube: Kube, namespace: str) -> _Standby:
    inside = f"namespaces/{namespace}"
    deployments = await _deployments(kube, namespace)
    scalers = await kube.items(f"/apis/autoscaling/v2/{inside}/horizontalpodautoscalers")
    return _Standby(
        nodes=list(await _cluster.nodes(kube)),
        pods=list(await kube.items("/api/v1/pods")),
        deployments={each["metadata"]["name"]: each for each in deployments},
        scalers={each["spec"]["scaleTargetRef"]["name"]: each for each in scalers},
        quotas=list(await kube.items(f"/api/v1/{inside}/resourcequotas")),
    )


async def _deployments(kube: Kube, namespace: str) -> List[Object]:
    return list(await kube.items(f"/apis/apps/v1/namespaces/{namespace}/deployments"))


def _rooms(need: List[Object], there: _Standby, region: str, cluster: str) -> tuple[List[Check], int]:
    """Room on nodes, and how many nodes have to be added for it."""
    wanted = _capacity.needed(need)
    have = _capacity.free(there.nodes, there.pods, need)
    each = _capacity.smallest(there.nodes)
    adding = _capacity.nodes_to_add(wanted, have, each)
    checks: List[Check] = []
    if adding and cluster:
        grows = _standby.growth(region, cluster)
        have = have + each.times(min(grows.nodes, adding))
        checks.append(_standby.vcpus(region, adding * each.cpu))
    return [*checks, *_compared(wanted, have, adding)], adding


def _compared(need: Room, have: Room, adding: int) -> List[Check]:
    grown = ", with all the nodes that it may add" if adding else ""
    checks = []
    for name, word in (("cpu", "cores"), ("memory", "bytes of memory"), ("pods", "pods")):
        wanted, left = getattr(need, name), max(0.0, getattr(have, name))
        told = f"the standby's nodes have room for {left:g} of {wanted:g} {word}{grown}"
        checks.append(Check(name, _capacity.share(left, wanted), told))
    return checks


def _workloads(need: List[Object], there: _Standby) -> List[Check]:
    checks = []
    for each in need:
        name, count = each["metadata"]["name"], _capacity.replicas(each)
        if name not in there.deployments:
            checks.append(Check(name, 0.0, f"the standby has no deployment {name}"))
        elif name in there.scalers:
            most = int(there.scalers[name]["spec"]["maxReplicas"])
            told = f"autoscaler {there.scalers[name]['metadata']['name']} allows {most} of {count} replicas"
            checks.append(Check(name, _capacity.share(most, count), told))
    return [*checks, *_quotas(_capacity.needed(need), there)]


def _quotas(need: Room, there: _Standby) -> List[Check]:
    """Against what a quota allows in all: what the standby runs of it now is part of the need."""
    names = {"pods": "pods", "count/pods": "pods", "cpu": "cpu", "requests.cpu": "cpu", "requests.memory": "memory"}
    checks = []
    for quota in there.quotas:
        for name, limit in ((quota.get("spec") or {}).get("hard") or {}).items():
            if name in names:
                allowed, wanted = _capacity.quantity(limit), getattr(need, names[name])
                told = f"resource quota {quota['metadata']['name']} allows {limit} of {wanted:g} {name}"
                checks.append(Check(name, _capacity.share(allowed, wanted), told))
    return checks

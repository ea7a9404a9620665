"""Calls of the AWS and Kubernetes APIs, and the permission that each needs. Pure.

A call is named as its permission: ``ec2:DescribeSubnets``, ``kubernetes:list pods``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

KUBERNETES = "kubernetes:"
READS = ("Describe", "Get", "List", "Head")
"""How the names of AWS operations begin that change nothing."""
KUBERNETES_READS = ("get", "list", "watch")
GROUPS = {
    "backups": "velero.io",
    "daemonsets": "apps",
    "deployments": "apps",
    "horizontalpodautoscalers": "autoscaling",
    "jobs": "batch",
    "networkpolicies": "networking.k8s.io",
    "nodeclaims": "karpenter.sh",
    "nodepools": "karpenter.sh",
    "poddisruptionbudgets": "policy",
    "replicasets": "apps",
    "restores": "velero.io",
    "statefulsets": "apps",
}
"""The API group of resources that are not in the core group; their names alone are in permissions."""
CLUSTER_WIDE = frozenset({"namespaces", "nodeclaims", "nodepools", "nodes"})
"""Resources that are in no namespace."""
PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
IAM_PREFIXES = {"elbv2": "elasticloadbalancing"}
"""How IAM calls a service, where boto3 calls it something else."""
OF_NAMESPACES = ("status", "finalize")
"""Subresources of a namespace itself: paths that look like a resource in it."""
OF_CONNECTIONS = ("exec", "attach", "portforward", "proxy")
"""Subresources that are reached by GET, and change whatever they like."""
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True)
class Call:
    """One call. For AWS: ``region``, and what was asked as ``arguments``. For Kubernetes: ``cluster`` and ``namespace``
    ("": outside of all), and the object's ``name`` ("": many)."""

    action: str
    region: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict, compare=False)
    cluster: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        what = self.action.partition(":")[2]
        if self.action.startswith(KUBERNETES):
            verb, _, resource = what.partition(" ")
            return verb in KUBERNETES_READS and resource.partition("/")[2] not in OF_CONNECTIONS
        return what.startswith(READS)

    def __str__(self) -> str:
        return self.action


def kubernetes_call(cluster: str, method: str, path: str, watch: bool = False) -> Call:
    """The call that an HTTP request to a Kubernetes API is."""
    parts = path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:] if parts[0] == "apis" else []
    if not rest:  # about the server itself: its version, its health, what it serves
        return Call(f"{KUBERNETES}{method.lower()} /{path.strip('/')}", cluster=cluster)
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in OF_NAMESPACES:
        namespace, rest = rest[1], rest[2:]
    resource, name, *subresource = [*rest, "", ""][: max(2, len(rest))]
    if method == "GET":
        verb = "get" if name else "watch" if watch else "list"
    elif method == "DELETE":
        verb = "delete" if name else "deletecollection"
    else:
        verb = _VERBS[method]
    action = f"{KUBERNETES}{verb} {'/'.join((resource, *filter(None, subresource)))}"
    return Call(action, cluster=cluster, namespace=namespace, name=name)


@dataclass(frozen=True)
class Aws:
    """One IAM action on ``resources`` (ARNs, or "*" where AWS takes nothing less).

    ``when``: a condition as operator, key and value. ``implied_by``: no call of this name is made, but AWS asks for
    this permission, too, when that other action is called.
    """

    action: str
    resources: tuple[str, ...] = ("*",)
    when: tuple[str, str, str] | None = None
    implied_by: str = ""


@dataclass(frozen=True)
class Kubernetes:
    """One verb on one resource of ``cluster``: in ``namespace``, or "" for all of it; only the objects ``names``."""

    action: str
    cluster: str
    namespace: str = ""
    names: tuple[str, ...] = ()

    @property
    def verb(self) -> str:
        return self.action.removeprefix(KUBERNETES).partition(" ")[0]

    @property
    def resource(self) -> str:
        return self.action.partition(" ")[2]

    @property
    def group(self) -> str:
        return GROUPS.get(self.resource.partition("/")[0], "")


Need = Aws | Kubernetes


def arn(service: str, region: str, account: str, resource: str) -> str:
    """``arn:aws:ec2:us-east-1:123456789012:subnet/subnet-1``, in the partition of ``region``."""
    partition = next((name for prefix, name in PARTITIONS.items() if region.startswith(prefix)), "aws")
    return f"arn:{partition}:{service}:{region}:{account}:{resource}"


def within(region: str) -> tuple[str, str, str] | None:
    """The condition that a call goes to ``region``; None for services without regions."""
    return ("StringEquals", "aws:RequestedRegion", region) if region else None


def everything(permissions: Iterable[str], region: str, but: Collection[Need] = ()) -> tuple[Need, ...]:
    """``but``, and each AWS permission that it does not name on everything in ``region``."""
    named = {need.action for need in but}
    rest = (name for name in permissions if name not in named)
    return (*but, *(Aws(name, when=within(region)) for name in rest))


def in_namespace(permissions: Iterable[str], cluster: str, namespace: str) -> tuple[Need, ...]:
    """Each Kubernetes permission in one namespace; on all of the cluster, if its resource is in none."""
    needs = (Kubernetes(name, cluster, namespace) for name in permissions)
    return tuple(replace(need, namespace="") if need.resource in CLUSTER_WIDE else need for need in needs)

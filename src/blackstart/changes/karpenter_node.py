"""Terminating the instance of a node that Karpenter launched, for good; its NodePool heals.

Karpenter brings what pods need, which may be less than there was, or one large node for two small ones. So it has
healed once the lost node is cleared away and its NodePool has as many ready NodeClaims as before, or nothing to do.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from blackstart.access import Kubernetes, Need
from blackstart.changes.clients import Clients
from blackstart.changes.healed import Healed
from blackstart.changes.instance_power import IDS, gone, instance_needs, on_all
from blackstart.changes.karpenter import POOLS, NodeClaim, claims_of
from blackstart.changes.kind import Ending, Outcome
from blackstart.changes.kube_nodes import NODES
from blackstart.changes.model import Change
from blackstart.kube.client import Kube

CLUSTER_READS = (
    "kubernetes:list nodeclaims",
    "kubernetes:get nodepools",
    "kubernetes:get nodes",
    "kubernetes:list pods",
)


class KarpenterNode(Healed):
    """An instance that only Karpenter can replace. Reached by its account as well as through its cluster."""

    name: ClassVar[str] = "karpenter.node"
    permissions: ClassVar[tuple[str, ...]] = ("ec2:DescribeInstances", "ec2:TerminateInstances", *CLUSTER_READS)
    batch_size: ClassVar[int] = IDS
    joined: ClassVar[bool] = True

    def needs(self, change: Change) -> Sequence[Need]:
        reads = (Kubernetes(name, change.target.cluster) for name in CLUSTER_READS)
        return (*instance_needs(self.permissions[:2], change, "ec2:TerminateInstances"), *reads)

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        on_all(changes, "terminate_instances", clients)

    def look(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        ids = gone(changes, clients)
        lost = [change for change in changes if change.target.id in ids]
        outcomes = {change.id: Outcome(Ending.UNTOUCHED) for change in changes if change not in lost}
        for context in sorted({change.before["context"] for change in lost}):
            kube = clients.kube(context)
            cluster = _Cluster(kube, claims_of(kube))
            outcomes |= {change.id: cluster.outcome(change) for change in lost if change.before["context"] == context}
        return outcomes


@dataclass
class _Cluster:
    """What one look knows of a cluster; what only some changes need is read once, when the first does."""

    kube: Kube
    claims: Collection[NodeClaim]

    def __post_init__(self) -> None:
        self._stranded: int | None = None
        self._pools: dict[str, bool] = {}

    def outcome(self, change: Change) -> Outcome:
        before = change.before
        if any(claim.uid == before["claim_uid"] for claim in self.claims):
            return Outcome(Ending.WAITING, f"Karpenter has not missed {change.target} yet")
        if not self._pool(before["pool"]):
            return Outcome(Ending.CONFLICT, f"NodePool {before['pool']}, which would replace it, no longer exists")
        same = [claim for claim in self.claims if claim.pool == before["pool"]]
        ready = sum(claim.ready for claim in same)
        if ready >= before["ready"]:
            return Outcome(Ending.RESTORED)
        seen = f"NodePool {before['pool']} has {ready} of {before['ready']} NodeClaims ready"
        if ready < len(same) or self.kube.find(f"{NODES}/{before['node']}"):
            return Outcome(Ending.WAITING, seen)
        stranded = self._waiting()
        return Outcome(Ending.WAITING, f"{seen}, and {stranded} pods have no node") if stranded else RESTORED

    def _pool(self, name: str) -> bool:
        if name not in self._pools:
            self._pools[name] = self.kube.find(f"{POOLS}/{name}") is not None
        return self._pools[name]

    def _waiting(self) -> int:
        if self._stranded is None:
            pods = self.kube.items("/api/v1/pods", fieldSelector="status.phase=Pending")
            self._stranded = sum(not pod["spec"].get("nodeName") for pod in pods)
        return self._stranded


RESTORED = Outcome(Ending.RESTORED)

"""Karpenter's NodePools and NodeClaims: which there are, and a pool that may launch nothing while the fault lasts."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from blackstart.access import Kubernetes, Need
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen, Wanted
from blackstart.changes.model import Change, Json, new_id
from blackstart.changes.versions import patch_as_seen, version_of
from blackstart.errors import Refused
from blackstart.kube.client import Kube, KubeRefused
from blackstart.scope import Target

API = "/apis/karpenter.sh/v1"
POOLS, CLAIMS = f"{API}/nodepools", f"{API}/nodeclaims"
POOL_LABEL = "karpenter.sh/nodepool"
LIMITS = "limits"
NOTHING = {"cpu": "0"}
"""No instance type has less, so Karpenter launches none; what runs stays."""
_PROVIDER = re.compile(r"aws:///[a-z0-9-]+/(i-[0-9a-f]+)")


@dataclass(frozen=True)
class NodePool:
    """One NodePool, as found. ``limits``: None if it has none."""

    cluster: str
    context: str
    region: str
    name: str
    uid: str
    labels: Mapping[str, str]
    limits: Mapping[str, Json] | None


@dataclass(frozen=True)
class NodeClaim:
    """One NodeClaim: the machine that Karpenter launched for ``pool``. ``instance``: "" while there is none."""

    name: str
    uid: str
    pool: str
    node: str
    instance: str
    ready: bool


def find_pools(clients: Clients, context: str, region: str, names: Collection[str] = ()) -> list[NodePool]:
    """The NodePools with these ``names``, all if none are given, by name; Refused if one does not exist. Read-only.

    ``region``: where they launch.
    """
    kube = clients.kube(context)
    found = [_pool(kube, context, region, item) for item in _items(kube, POOLS)]
    missing = set(names) - {pool.name for pool in found}
    if missing:
        raise Refused(f"touching NodePools {', '.join(sorted(missing))}", f"{kube.cluster} has no such NodePools")
    return sorted((pool for pool in found if not names or pool.name in names), key=lambda pool: pool.name)


def _pool(kube: Kube, context: str, region: str, item: Mapping[str, Any]) -> NodePool:
    metadata = item["metadata"]
    labels = metadata.get("labels") or {}
    return NodePool(kube.cluster, context, region, metadata["name"], metadata["uid"], labels, item["spec"].get(LIMITS))


def claims_of(kube: Kube) -> list[NodeClaim]:
    """The NodeClaims of a cluster that are not on their way out; none where Karpenter is not installed. Read-only."""
    return [_claim(item) for item in _items(kube, CLAIMS) if "deletionTimestamp" not in item["metadata"]]


def _claim(item: Mapping[str, Any]) -> NodeClaim:
    metadata, status = item["metadata"], item.get("status") or {}
    provider = _PROVIDER.fullmatch(status.get("providerID", ""))
    conditions = status.get("conditions") or ()
    return NodeClaim(
        name=metadata["name"],
        uid=metadata["uid"],
        pool=(metadata.get("labels") or {}).get(POOL_LABEL, ""),
        node=status.get("nodeName", ""),
        instance=provider[1] if provider else "",
        ready=any((each["type"], each["status"]) == ("Ready", "True") for each in conditions),
    )


def _items(kube: Kube, path: str) -> list[Any]:
    try:
        return list(kube.items(path))
    except KubeRefused as error:
        if error.status == 404:  # there are no such resources at all
            return []
        raise


def plan_no_room(pools: Sequence[NodePool], new_change: Callable[[], str] = new_id) -> list[Change]:
    """None of ``pools`` has room for another node; those that have none already are left out. Pure."""
    return [_full(pool, new_change()) for pool in pools if {**(pool.limits or {}), **NOTHING} != pool.limits]


def _full(pool: NodePool, change_id: str) -> Change:
    before = None if pool.limits is None else dict(pool.limits)
    told = ", ".join(f"{key} {value}" for key, value in (before or {}).items()) or "no limits"
    return Change(
        id=change_id,
        kind=KarpenterLimits.name,
        target=Target("NodePool", pool.name, region=pool.region, cluster=pool.cluster, tags=dict(pool.labels)),
        before={"context": pool.context, "uid": pool.uid, LIMITS: before},
        after={LIMITS: {**(before or {}), **NOTHING}},
        summary=f"NodePool {pool.name}: nothing can be launched (limit of cpu 0)",
        undo_summary=f"giving it its limits back ({told})",
        calls=("kubernetes:patch nodepools",),
    )


class KarpenterLimits(CompareAndRestore):
    """How much a NodePool may launch in all."""

    name: ClassVar[str] = "kubernetes.karpenter_limits"
    permissions: ClassVar[tuple[str, ...]] = ("kubernetes:get nodepools", "kubernetes:patch nodepools")

    def needs(self, change: Change) -> Sequence[Need]:
        return [Kubernetes(name, change.target.cluster, names=(change.target.id,)) for name in self.permissions]

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        return {change.id: _seen(change, clients) for change in changes}

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        for item in wanted:
            limits, seen = item.fields[LIMITS], item.seen[LIMITS] or {}
            # A merge keeps what it is not told to drop.
            merged = None if limits is None else {**dict.fromkeys(seen), **limits}
            patch_as_seen(item, f"{POOLS}/{item.change.target.id}", {"spec": {LIMITS: merged}}, clients)


def _seen(change: Change, clients: Clients) -> Seen:
    item: Any = clients.kube(change.before["context"]).find(f"{POOLS}/{change.target.id}")
    if item is None or item["metadata"]["uid"] != change.before["uid"]:
        return None
    return {LIMITS: item["spec"].get(LIMITS), **version_of(item)}

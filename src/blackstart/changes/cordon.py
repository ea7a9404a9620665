"""Cordoning nodes: no new pods are placed on them, while those that are there go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from blackstart.access import Kubernetes, Need
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen, Wanted
from blackstart.changes.kube_nodes import NODES, Node, Nodes
from blackstart.changes.model import Change, new_id
from blackstart.changes.versions import patch_as_seen, version_of
from blackstart.changes.workloads import AT_ONCE

CORDONED = "unschedulable"


def plan_cordon(found: Nodes, *, step: int = 0, new_change: Callable[[], str] = new_id) -> list[Change]:
    """Those of ``found`` cordoned that are not; the others stay so afterwards, too. Pure."""
    return [_cordon(found, node, step, new_change()) for node in found.nodes if not node.cordoned]


def _cordon(found: Nodes, node: Node, step: int, change_id: str) -> Change:
    return Change(
        id=change_id,
        kind=Cordon.name,
        target=found.target(node),
        before={"context": found.context, "uid": node.uid, CORDONED: False},
        after={CORDONED: True},
        summary=f"node {node.name}" + (f" ({node.zone})" if node.zone else "") + ": cordoned",
        undo_summary="letting pods be placed on it again",
        calls=("kubernetes:patch nodes",),
        step=step,
        share=found.share(node),
    )


class Cordon(CompareAndRestore):
    """Whether new pods may be placed on a node."""

    name: ClassVar[str] = "kubernetes.cordon"
    permissions: ClassVar[tuple[str, ...]] = ("kubernetes:get nodes", "kubernetes:patch nodes")
    at_once: ClassVar[int] = AT_ONCE

    def needs(self, change: Change) -> Sequence[Need]:
        return [Kubernetes(name, change.target.cluster, names=(change.target.id,)) for name in self.permissions]

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        return {change.id: _seen(change, clients) for change in changes}

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        for item in wanted:
            # The API leaves the field out where it is false.
            body = {"spec": {CORDONED: item.fields[CORDONED] or None}}
            patch_as_seen(item, f"{NODES}/{item.change.target.id}", body, clients)


def _seen(change: Change, clients: Clients) -> Seen:
    item: Any = clients.kube(change.before["context"]).find(f"{NODES}/{change.target.id}")
    if item is None or item["metadata"]["uid"] != change.before["uid"]:
        return None
    return {CORDONED: bool(item["spec"].get(CORDONED)), **version_of(item)}

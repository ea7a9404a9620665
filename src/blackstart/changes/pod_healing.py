"""Whether pods that were taken away have been replaced: every controller, and the pods of each, read once a look."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from blackstart.changes.clients import Clients
from blackstart.changes.kind import Ending, Outcome
from blackstart.changes.model import Change, Json
from blackstart.changes.pod_owners import DEPLOYMENT, HEALERS, controller, path, selector_text
from blackstart.changes.pods import Pod, is_live, listing
from blackstart.kube.client import Kube

READS = (
    "kubernetes:list pods",
    "kubernetes:get replicasets",
    "kubernetes:get statefulsets",
    "kubernetes:get daemonsets",
    "kubernetes:get deployments",
)
"""What the looks of all such changes need."""


class _Live(NamedTuple):
    """The live pods of one workload: all uids, and how many of them are ready."""

    uids: frozenset[str]
    ready: int


def healer_of(pod: Pod, owner: tuple[str, str]) -> dict[str, Json]:
    """What ``look`` has to know of a pod with this controller, for ``before``."""
    return {"uid": pod.uid, "owner": {"kind": owner[0], "name": owner[1]}}


def reads(change: Change) -> tuple[str, ...]:
    """The permissions that looking at this one change takes. Pure."""
    owner = HEALERS[change.before["owner"]["kind"]]
    above = ("kubernetes:get deployments",) if owner == "replicasets" else ()
    return (READS[0], f"kubernetes:get {owner}", *above)


def look(changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
    """How it stands with each change that took a pod away, by change id."""
    groups: dict[tuple[str, str, str, str], list[Change]] = defaultdict(list)
    for change in changes:
        owner = change.before["owner"]
        groups[change.before["context"], change.target.namespace, owner["kind"], owner["name"]].append(change)
    outcomes: dict[str, Outcome] = {}
    lists: dict[tuple[str, str, str, str], _Live] = {}
    for (context, namespace, kind, name), same in groups.items():
        kube = clients.kube(context)
        healer = _healer(kube, namespace, kind, name)
        if healer is None:
            outcomes |= _unhealed(kube, namespace, f"{kind} {name}", same)
            continue
        key = (context, namespace, healer["kind"], healer["metadata"]["name"])
        if key not in lists:
            lists[key] = _live(kube, namespace, selector_text(healer["spec"]["selector"]))
        outcomes |= {change.id: _outcome(change, healer, lists[key]) for change in same}
    return outcomes


def _outcome(change: Change, healer: Json, live: _Live) -> Outcome:
    if change.before["uid"] in live.uids:
        return Outcome(Ending.UNTOUCHED)
    wanted = _wanted(healer)
    if live.ready < wanted:
        what = f"{healer['kind']} {healer['metadata']['name']}"
        return Outcome(Ending.WAITING, f"{what} has {live.ready} of {wanted} pods ready")
    return Outcome(Ending.RESTORED)


def _unhealed(kube: Kube, namespace: str, owner: str, changes: Sequence[Change]) -> Mapping[str, Outcome]:
    """Without the controller: a pod that was left behind is as it was, the others will not come back."""
    left = _live(kube, namespace, "").uids
    gone = f"{owner}, which would bring {{}} back, no longer exists"
    return {
        change.id: Outcome(Ending.UNTOUCHED)
        if change.before["uid"] in left
        else Outcome(Ending.CONFLICT, gone.format(change.target))
        for change in changes
    }


def _healer(kube: Kube, namespace: str, kind: str, name: str) -> Any | None:
    """The pods' controller, or rather the Deployment behind it: a roll-out replaces the ReplicaSet meanwhile."""
    found = kube.find(path(namespace, kind, name))
    above = controller(found) if found else None
    if above and above[0] == DEPLOYMENT:
        return _named(kube.find(path(namespace, *above)), DEPLOYMENT)
    return _named(found, kind)


def _named(found: Any | None, kind: str) -> Any | None:
    return {"kind": kind, **found} if found else None


def _wanted(healer: Json) -> int:
    if healer["kind"] == "DaemonSet":
        return int((healer.get("status") or {}).get("desiredNumberScheduled", 1))
    return int(healer["spec"].get("replicas", 1))


def _live(kube: Kube, namespace: str, selector: str) -> _Live:
    """Counted, because the controller's status may not know yet of what was taken."""
    uids, ready = [], 0
    for pod in kube.items(listing(namespace), **({"labelSelector": selector} if selector else {})):
        if is_live(pod):
            uids.append(pod["metadata"]["uid"])
            ready += _is_ready(pod)
    return _Live(frozenset(uids), ready)


def _is_ready(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)

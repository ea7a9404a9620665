"""Pods, as found: whose they are and where they run; which of them match, and which are drawn.

One listing of the namespace tells all of it. It leaves nothing out but what has finished, because the share that a
fault takes of a workload can only be told from all of its pods; what else was asked for is chosen from that.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from random import Random
from typing import NamedTuple

from blackstart.changes.clients import Clients
from blackstart.changes.model import Change, Json, Share
from blackstart.changes.pod_owners import HEALERS, Owner, controller, find_owner, workload
from blackstart.errors import ConfigInvalid, Refused
from blackstart.kube.client import Kube
from blackstart.scope import Target

ZONE_LABEL = "topology.kubernetes.io/zone"
REGION_LABEL = "topology.kubernetes.io/region"
STATIC = "kubernetes.io/config.mirror"
UNFINISHED = "status.phase!=Succeeded,status.phase!=Failed"
PHASES = ("Pending", "Running", "Unknown")
ROUNDING = 1e-9
"""A third of three is one, whatever floating point says."""

Place = tuple[str, str]
"""Zone and region, "" where they are not known."""


class Pod(NamedTuple):
    """One pod, as found; there may be ten thousand, so it is small.

    ``owner``: kind and name of its controller, or None. ``zone``, ``region``: of its ``node``. ``created``: seconds
    since 1970. ``static``: its kubelet runs it from a file, and what the API has is only its image in a mirror.
    """

    name: str
    uid: str
    labels: Mapping[str, str]
    owner: tuple[str, str] | None
    zone: str
    region: str
    namespace: str
    node: str = ""
    phase: str = ""
    created: float = 0.0
    static: bool = False

    @property
    def workload(self) -> str:
        """What it belongs to, across namespaces: "shop Deployment orders"."""
        return " ".join((self.namespace, *workload(self.owner, self.labels)))

    def __str__(self) -> str:
        return f"pod {self.namespace}/{self.name}"


class Chosen(NamedTuple):
    """A pod to be taken away. ``member``: what it counts as in its workload's share: itself, or the one that it has
    come for. ``past_budget``: as ``Change.past_budget``."""

    pod: Pod
    member: str
    past_budget: str = ""


@dataclass(frozen=True)
class Pods:
    """All live pods of one namespace ("": of all), label selector and owner, by name.

    ``region``: of the cluster, for pods that are on no node yet; "" if its nodes do not agree.
    """

    cluster: str
    context: str
    namespace: str
    selector: str
    pods: tuple[Pod, ...]
    owner: Owner | None = None
    region: str = ""

    @cached_property
    def sizes(self) -> Counter[str]:
        """How many there are, by workload."""
        return Counter(pod.workload for pod in self.pods)

    def target(self, pod: Pod) -> Target:
        """``pod`` as what a change is aimed at."""
        return Target(
            "pod",
            pod.name,
            region=pod.region,
            zone=pod.zone,
            cluster=self.cluster,
            namespace=pod.namespace,
            tags=pod.labels,
        )

    def share(self, pod: Pod, member: str) -> Share:
        """Of its workload, because a selection may span many. Pods that selector and owner leave out do not count,
        which makes the share no smaller than it is."""
        whole = pod.workload
        return Share("pod", f"{self.cluster}/{whole}", (member,), self.sizes[whole])


@dataclass(frozen=True)
class Where:
    """What else is asked of pods; "" and 0 ask nothing. Ages are in seconds since creation; both bounds are inside."""

    node: str = ""
    zone: str = ""
    phase: str = ""
    min_age_seconds: float = 0.0
    max_age_seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.phase and self.phase not in PHASES:
            raise ConfigInvalid("pods", "phase", f"{self.phase!r} is no phase of a live pod; {', '.join(PHASES)} are")
        if self.min_age_seconds < 0 or 0 < self.max_age_seconds < self.min_age_seconds or self.max_age_seconds < 0:
            asked = f"{self.min_age_seconds:g} to {self.max_age_seconds:g} seconds"
            raise ConfigInvalid("pods", "age", f"no pod is {asked} old")

    def holds(self, pod: Pod, now: float) -> bool:
        """Whether ``pod`` is as asked, ``now`` (seconds since 1970). Pure."""
        age = now - pod.created
        return (
            (not self.node or pod.node == self.node)
            and (not self.zone or pod.zone == self.zone)
            and (not self.phase or pod.phase == self.phase)
            and (not self.min_age_seconds or age >= self.min_age_seconds)
            and (not self.max_age_seconds or age <= self.max_age_seconds)
        )

    def __str__(self) -> str:
        parts = [f"on node {self.node}" if self.node else "", f"in {self.zone}" if self.zone else "", self.phase]
        parts.append(f"at least {self.min_age_seconds:g} s old" if self.min_age_seconds else "")
        parts.append(f"at most {self.max_age_seconds:g} s old" if self.max_age_seconds else "")
        return ", ".join(filter(None, parts))


@dataclass(frozen=True)
class Many:
    """How many of the candidates: ``count`` of them, or a ``share`` (0–1; 1: all), rounded down but at least one.

    Whether one is more than may be taken is for the scope to say, not for rounding.
    """

    count: int = 0
    share: float = 0.0

    def __post_init__(self) -> None:
        if (self.count > 0) == (self.share > 0) or not 0 <= self.share <= 1 or self.count < 0:
            raise ConfigInvalid("pods", "count", "give either a count of pods or a share between 0 and 1 (1: all)")

    @property
    def all(self) -> bool:
        return self.share == 1

    def of(self, candidates: int) -> int:
        """Of so many; 0 only of none. Pure."""
        asked = self.count or max(1, math.floor(self.share * candidates + ROUNDING))
        return min(asked, candidates)


def draw(candidates: Sequence[Pod], many: Many, random: Random) -> list[Pod]:
    """So many of the candidates, none twice, by name. The same seed draws the same ones. Pure."""
    return sorted(random.sample(candidates, many.of(len(candidates))), key=lambda pod: (pod.namespace, pod.name))


def unnoticed(pod: Json) -> None:
    """Nobody wants to know more of the pods."""


def find_pods(
    clients: Clients,
    context: str,
    namespace: str,
    selector: str = "",
    owner: str = "",
    *,
    noticed: Callable[[Json], None] = unnoticed,
) -> Pods:
    """The pods that match the label ``selector`` and belong to ``owner`` ("Deployment/orders"). Read-only.

    ``context``: of the kubeconfig; ``namespace`` "": all. Pods that have finished or are being deleted are left out.
    ``noticed`` is shown each of the others as the API has it.
    """
    kube = clients.kube(context)
    found = find_owner(kube, namespace, owner) if owner else None
    selector = ",".join(filter(None, (selector, found.selector if found else "")))
    places = find_places(kube)
    regions = {region for _, region in places.values()}
    region = regions.pop() if len(regions) == 1 else ""
    labels: dict[frozenset[tuple[str, str]], Mapping[str, str]] = {}
    pods = []
    for item in kube.items(listing(namespace), **query(selector)):
        if not is_live(item):
            continue
        pod = read(item, places, region)
        if found is None or found.owns(pod.owner, pod.labels):
            # Most pods of a workload carry the same labels: kept once, however many there are.
            noticed(item)
            pods.append(pod._replace(labels=labels.setdefault(frozenset(pod.labels.items()), pod.labels)))
    pods.sort(key=lambda pod: (pod.namespace, pod.name))
    return Pods(kube.cluster, context, namespace, selector, tuple(pods), found, region)


def listing(namespace: str) -> str:
    """The path of the pods of ``namespace``, "" for all."""
    return f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"


def query(selector: str) -> dict[str, str]:
    """What asks for the unfinished pods that match the label ``selector``."""
    return {"fieldSelector": UNFINISHED} | ({"labelSelector": selector} if selector else {})


def find_places(kube: Kube, node: str = "") -> dict[str, Place]:
    """Where each node is, or just this one. Read-only."""
    asked = {"fieldSelector": f"metadata.name={node}"} if node else {}
    return {each["metadata"]["name"]: place(each) for each in kube.items("/api/v1/nodes", **asked)}


def place(node: Json) -> Place:
    """Where a node is. Pure."""
    labels = node["metadata"].get("labels") or {}
    return labels.get(ZONE_LABEL, ""), labels.get(REGION_LABEL, "")


def is_live(item: Json) -> bool:
    """Whether a pod of the API is not being deleted."""
    return "deletionTimestamp" not in item["metadata"]


def read(item: Json, places: Mapping[str, Place], region: str = "") -> Pod:
    """A pod of the API as what is kept of it; in ``region`` if its node is not known. Pure."""
    metadata = item["metadata"]
    node = item["spec"].get("nodeName", "")
    zone, region = places.get(node, ("", region))
    return Pod(
        metadata["name"],
        metadata["uid"],
        metadata.get("labels") or {},
        controller(item),
        zone,
        region,
        metadata["namespace"],
        node,
        (item.get("status") or {}).get("phase", ""),
        datetime.fromisoformat(metadata["creationTimestamp"]).timestamp(),
        STATIC in (metadata.get("annotations") or {}),
    )


def never_back(pod: Pod) -> str:
    """Why nothing would bring ``pod`` back, as the end of a sentence; "" if its controller would. Pure."""
    if pod.static:
        return "its kubelet runs it from a file, whatever the API does"
    if pod.owner is None:
        return "no controller owns it, so nothing would bring it back"
    if pod.owner[0] not in HEALERS:
        return f"its owner is a {pod.owner[0]}, so nothing would bring it back"
    return ""


def require_back(doing: str, pod: Pod) -> tuple[str, str]:
    """The controller that would bring ``pod`` back; Refused if nothing would. ``doing``: "deleting"."""
    reason = never_back(pod)
    if reason or pod.owner is None:
        raise Refused(f"{doing} {pod}", reason)
    return pod.owner


def api_path(change: Change) -> str:
    """Where the API has the pod of ``change``."""
    return f"{listing(change.target.namespace)}/{change.target.id}"

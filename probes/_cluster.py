"""A cluster as its Kubernetes API shows it, as raw JSON, and what its objects say of themselves.

``context`` is a context of the kubeconfig, "" the current one. Zones are the nodes' label
``topology.kubernetes.io/zone``. ServiceUnreachable when the API does not answer.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from blackstart.clock import Clock
from blackstart.errors import ConfigInvalid, NotMeasured
from blackstart.kube.reading import Kube

Object = Mapping[str, Any]
Answer = TypeVar("Answer")

ZONE_LABEL = "topology.kubernetes.io/zone"
TIMEOUT_SECONDS = 10.0
WORKLOADS = {"Deployment": "deployments", "StatefulSet": "statefulsets"}
READ_WORKLOAD = tuple(f"kubernetes:get {plural}" for plural in WORKLOADS.values())
STATUS_SECONDS = 5.0  # a controller that has not looked at its object for so long does not work
STATUS_POLL_SECONDS = 0.2


def ask(
    context: str, question: Callable[[Kube], Awaitable[Answer]], timeout_seconds: float = TIMEOUT_SECONDS
) -> Answer:
    """What ``question`` finds in the cluster; each of its calls takes at most ``timeout_seconds``."""

    async def asked() -> Answer:
        async with Kube(context, timeout_seconds=timeout_seconds) as kube:
            return await question(kube)

    return asyncio.run(asked())


async def nodes(kube: Kube, selector: str = "") -> list[dict[str, Any]]:
    return await kube.items("/api/v1/nodes", _query(selector))


async def pods(kube: Kube, namespace: str, selector: str = "") -> list[dict[str, Any]]:
    return await kube.items(f"/api/v1/namespaces/{namespace}/pods", _query(selector))


def workload_path(namespace: str, named: str) -> str:
    """Where the object is that is named as "Deployment/orders"; ConfigInvalid for another kind."""
    kind, _, name = named.partition("/")
    if kind not in WORKLOADS or not name:
        known = ", ".join(f"{each}/NAME" for each in WORKLOADS)
        raise ConfigInvalid("the probe", "workload", f"{named!r} is none; there are {known}")
    return f"/apis/apps/v1/namespaces/{namespace}/{WORKLOADS[kind]}/{name}"


async def looked_at(kube: Kube, path: str, clock: Clock) -> Object:
    """The object at ``path`` once its controller has looked at its newest version; NotMeasured if it does not."""
    until = clock.monotonic() + STATUS_SECONDS
    while True:
        found = await kube.get(path)
        newest = int(found["metadata"].get("generation") or 0)
        seen = (found.get("status") or {}).get("observedGeneration")
        if seen is not None and int(seen) >= newest:
            return found
        if clock.monotonic() >= until:
            what = path.rpartition("/")[2]
            raise NotMeasured(f"the state of {what}", f"its controller has not looked at version {newest} of it")
        await clock.pause(STATUS_POLL_SECONDS)


def _query(selector: str) -> dict[str, str]:
    return {"labelSelector": selector} if selector else {}


def labels(thing: Object) -> Mapping[str, str]:
    return thing["metadata"].get("labels") or {}


def zone(node: Object) -> str:
    return labels(node).get(ZONE_LABEL, "")


def node_of(pod: Object) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "")


def leaving(thing: Object) -> bool:
    return bool(thing["metadata"].get("deletionTimestamp"))


def condition(thing: Object, kind: str) -> Mapping[str, Any]:
    """The condition of that type; empty if it has none."""
    found = (thing.get("status") or {}).get("conditions") or ()
    return next((each for each in found if each.get("type") == kind), {})


def ready(thing: Object) -> bool:
    """Whether a node or a pod is Ready and not being deleted."""
    return not leaving(thing) and condition(thing, "Ready").get("status") == "True"


def ready_since(thing: Object) -> datetime:
    """When it became Ready by the clock of the cluster, in whole seconds; at the latest when it was made, if it does
    not say."""
    text = condition(thing, "Ready").get("lastTransitionTime") or thing["metadata"]["creationTimestamp"]
    return moment(str(text))


def made(thing: Object) -> datetime:
    return moment(str(thing["metadata"]["creationTimestamp"]))


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def counted(zones: Iterable[str], found: Iterable[str]) -> dict[str, int]:
    """How often each zone is found; ``zones`` are listed also with 0."""
    counts = Counter(found)
    return {each: counts[each] for each in sorted({*zones, *counts})}

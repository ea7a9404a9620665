"""A bad roll-out: a Deployment is told to run an image that nobody can pull, and then the one from before again.

As the template is equal to the old one again, its old ReplicaSet is used again. Deployments alone: a StatefulSet whose
roll-out is stuck stays so after its template was put right, until somebody deletes the broken pod.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from blackstart.access import Need, in_namespace
from blackstart.changes.clients import Clients
from blackstart.changes.compare import Wanted
from blackstart.changes.model import Change, Json, new_id
from blackstart.changes.pod_owners import DEPLOYMENT
from blackstart.changes.versions import patch_as_seen
from blackstart.changes.workloads import OfWorkload, Workload, path_of
from blackstart.errors import Refused

NO_IMAGE = "registry.invalid/blackstart:none"
"""The name ``registry.invalid`` never resolves (RFC 6761)."""
IMAGE, RECREATE = "image", "Recreate"


def plan_bad_image(
    found: Workload,
    container: str = "",
    image: str = NO_IMAGE,
    *,
    allow_outage: bool = False,
    even_unready: bool = False,
    new_change: Callable[[], str] = new_id,
) -> list[Change]:
    """``container`` ("": the first) of ``found`` runs ``image``. Pure.

    Refused if it is paused, was not well to begin with (unless ``even_unready``), or replaces all pods at once (unless
    ``allow_outage``). The share counts one pod at least, also where the strategy lets none go.
    """
    subject = f"rolling out {image} to {found}"
    images = {each["name"]: each["image"] for each in found.spec["template"]["spec"]["containers"]}
    container = container or next(iter(images))
    problem = _problem(found, images, container, image, allow_outage)
    if not problem and found.unready and not even_unready:
        problem = f"it is not well to begin with: {found.unready}"
    if problem:
        raise Refused(subject, problem)
    return [
        Change(
            id=new_change(),
            kind=ContainerImage.name,
            target=found.target,
            before={**found.identity, "workload": found.kind, "container": container, IMAGE: images[container]},
            after={IMAGE: image},
            summary=f"{found}: image of container {container} → {image}",
            undo_summary=f"giving it {images[container]} again, which its pods of before still run",
            calls=("kubernetes:patch deployments",),
            share=found.share(unavailable(found)),
        )
    ]


def _problem(found: Workload, images: Mapping[str, str], container: str, image: str, allow_outage: bool) -> str:
    if found.kind != DEPLOYMENT:
        return "a StatefulSet would stay stuck after the image was put right"
    if container not in images:
        return f"it has no container {container}, only {', '.join(images)}"
    if images[container] == image:
        return f"container {container} runs this image already"
    if not found.replicas:
        return "it has no replicas, so nothing would be rolled out"
    if found.spec.get("paused"):
        return "it is paused, so nothing would be rolled out"
    if _strategy(found).get("type") == RECREATE and not allow_outage:
        return "its strategy is Recreate, which takes all its pods at once; allow_outage = true permits that"
    return ""


def _strategy(found: Workload) -> Mapping[str, Any]:
    return found.spec.get("strategy") or {}


def unavailable(found: Workload) -> int:
    """How many pods a roll-out takes away before a new one is ready, at least 1. Pure."""
    if _strategy(found).get("type") == RECREATE:
        return found.replicas
    given = (_strategy(found).get("rollingUpdate") or {}).get("maxUnavailable", "25%")
    share = str(given).removesuffix("%")
    count = int(share) if share == str(given) else math.floor(int(share) * found.replicas / 100)
    return max(1, min(count, found.replicas))


class ContainerImage(OfWorkload):
    """The image of one container of a Deployment."""

    name: ClassVar[str] = "kubernetes.image"
    permissions: ClassVar[tuple[str, ...]] = ("kubernetes:get deployments", "kubernetes:patch deployments")

    def needs(self, change: Change) -> Sequence[Need]:
        return in_namespace(self.permissions, change.target.cluster, change.target.namespace)

    def state(self, change: Change, item: Mapping[str, Any]) -> Mapping[str, Json] | None:
        containers = item["spec"]["template"]["spec"]["containers"]
        images = {each["name"]: each.get("image", "") for each in containers}
        found = images.get(change.before["container"])
        return None if found is None else {IMAGE: found}

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        for item in wanted:
            container = {"name": item.change.before["container"], **item.fields}
            body = {"spec": {"template": {"spec": {"containers": [container]}}}}
            patch_as_seen(item, path_of(item.change), body, clients, "strategic")

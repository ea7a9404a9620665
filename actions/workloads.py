"""Deployments, StatefulSets and their autoscalers: too few pods, a version that does not start, no room to grow."""

from typing import Any, Dict

from blackstart import drill as drills
from blackstart.changes.autoscaler import find_ceiling, plan_ceiling
from blackstart.changes.images import NO_IMAGE, plan_bad_image
from blackstart.changes.replicas import plan_scale
from blackstart.changes.workloads import find_workload
from blackstart.errors import ConfigInvalid

__all__ = ["pin_autoscaler", "roll_out_bad_image", "scale"]

LIMIT_SECONDS = 600.0


def scale(
    context: str,
    namespace: str,
    name: str,
    replicas: int = 0,
    kind: str = "Deployment",
    even_unready: bool = False,
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Scale a workload (``kind`` Deployment or StatefulSet) down to so many ``replicas``.

    ``context`` is one of the kubeconfig. Refused if it has no more than that, or was not well to begin with (unless
    ``even_unready``). Undo waits until the pods are ready again. Gives the ``changes`` that were made.
    """
    subject = f"scaling {kind} {namespace}/{name} to {replicas}"
    drill = drills.opened(configuration, subject)
    found = find_workload(drill.clients, context, kind, namespace, name)
    changes = plan_scale(found, replicas, even_unready=even_unready)
    drill.inject(changes, subject, duration_seconds=duration_seconds)
    return {"changes": [change.summary for change in changes]}


def roll_out_bad_image(
    context: str,
    namespace: str,
    deployment: str,
    container: str = "",
    image: str = NO_IMAGE,
    allow_outage: bool = False,
    even_unready: bool = False,
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Roll out an ``image`` that nobody can pull to one ``container`` ("": the first) of a Deployment.

    Refused if it is paused, was not well to begin with (unless ``even_unready``), or would lose all pods at once
    (unless ``allow_outage``). Undo gives it the old image, and waits until all pods run that again. Gives the
    ``changes`` that were made.
    """
    subject = f"rolling out {image} to Deployment {namespace}/{deployment}"
    drill = drills.opened(configuration, subject)
    found = find_workload(drill.clients, context, "Deployment", namespace, deployment)
    changes = plan_bad_image(found, container, image, allow_outage=allow_outage, even_unready=even_unready)
    drill.inject(changes, subject, duration_seconds=duration_seconds)
    return {"changes": [change.summary for change in changes]}


def pin_autoscaler(
    context: str,
    namespace: str,
    autoscaler: str,
    most: int = 0,
    share: float = 1.0,
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Let a HorizontalPodAutoscaler have at most so many pods; without ``most``, a ``share`` of those there are now.

    Its least sinks as far as that needs. Gives the ``changes`` that were made.
    """
    subject = f"pinning HorizontalPodAutoscaler {namespace}/{autoscaler}"
    drill = drills.opened(configuration, subject)
    if most < 0 or not 0 < share <= 1:
        raise ConfigInvalid("pin_autoscaler", "most", "give either a number of pods or a share above 0 and up to 1")
    changes = plan_ceiling(find_ceiling(drill.clients, context, namespace, autoscaler), most, share)
    drill.inject(changes, subject, duration_seconds=duration_seconds)
    return {"changes": [change.summary for change in changes]}

"""Killing pods."""

import math
from typing import Any, Dict

from blackstart import drill as drills
from blackstart.changes.pods import find_pods, plan_deletion
from blackstart.errors import ConfigInvalid

__all__ = ["delete_pods"]

LIMIT_SECONDS = 600.0


def delete_pods(
    context: str,
    namespace: str,
    selector: str,
    count: int = 0,
    share: float = 0.0,
    zone: str = "",
    grace_seconds: int = 0,
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Delete pods of a selection, chosen at random by the drill's seed: ``count`` of them, or a ``share`` (0–1).

    ``context`` is one of the kubeconfig. ``zone`` keeps to pods on its nodes. With 0 ``grace_seconds`` they are killed
    at once. Undo waits until their controllers have healed. Gives the ``changes`` that were made.
    """
    subject = f"deleting pods {selector} of {namespace}"
    drill = drills.opened(configuration, subject)
    if (count > 0) == (share > 0) or not 0 <= share <= 1 or count < 0:
        raise ConfigInvalid("delete_pods", "count", "give either a count of pods or a share between 0 and 1")
    found = find_pods(drill.clients, context, namespace, selector)
    candidates = [pod for pod in found.pods if not zone or pod.zone == zone]
    wanted = min(count or math.floor(share * len(candidates)), len(candidates))
    chosen = sorted(drill.random.sample(candidates, wanted), key=lambda pod: pod.name)
    changes = plan_deletion(found, chosen, grace_seconds)
    nothing = f"{len(candidates)} pods match {selector}{' in ' + zone if zone else ''}, {wanted} to delete"
    drill.inject(changes, subject, duration_seconds=duration_seconds, nothing=nothing)
    return {"changes": [change.summary for change in changes]}

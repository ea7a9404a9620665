"""Killing pods, and containers in them."""

import shlex
from dataclasses import dataclass, replace
from typing import Any, Dict

from blackstart import drill as drills
from blackstart.changes.budgets import find_budgets
from blackstart.changes.container_kill import COMMAND, find_containers, plan_kills
from blackstart.changes.pod_removal import Removal
from blackstart.changes.pods import Many, Where, draw, find_pods
from blackstart.clock import SystemClock
from blackstart.errors import ConfigInvalid

__all__ = ["delete_pods", "kill_containers"]

LIMIT_SECONDS = 600.0


@dataclass(frozen=True)
class _Asked:
    """Which pods are meant, and for how long they are."""

    context: str
    namespace: str
    selector: str
    owner: str
    where: Where
    many: Many
    repeat: bool
    duration_seconds: float

    def __post_init__(self) -> None:
        if not self.namespace:
            raise ConfigInvalid("pods", "namespace", "say which one")
        if self.repeat and self.where.min_age_seconds:
            raise ConfigInvalid("pods", "min_age_seconds", "what has just come back is never that old; leave one out")

    def __str__(self) -> str:
        return " ".join(filter(None, (self.selector, self.owner))) or "(any)"


def delete_pods(
    context: str,
    namespace: str,
    selector: str = "",
    owner: str = "",
    node: str = "",
    zone: str = "",
    phase: str = "",
    min_age_seconds: float = 0.0,
    max_age_seconds: float = 0.0,
    count: int = 0,
    share: float = 0.0,
    mode: str = "delete",
    grace_seconds: int = 0,
    repeat: bool = False,
    past_budgets: bool = False,
    patience_seconds: float = 60.0,
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Delete or evict pods, drawn by the drill's seed: ``count`` of them, or a ``share`` (0–1, 1: all; at least one).

    Those of the ``namespace`` that match the label ``selector`` and belong to ``owner`` ("Deployment/orders"), on this
    ``node``, in this ``zone``, ``phase`` and age. ``grace_seconds`` 0 kills them at once, -1 leaves them their own.
    ``mode`` "evict" asks their disruption budgets, for ``patience_seconds`` if they refuse; ``past_budgets`` deletes
    what they refuse. Deletions beyond a budget, and past_budgets, need a scope that permits them. ``repeat`` takes
    again what comes back, as it appears, for ``duration_seconds``. Gives the ``changes`` that were made at first.
    """
    where = Where(node, zone, phase, min_age_seconds, max_age_seconds)
    asked = _Asked(context, namespace, selector, owner, where, Many(count, share), repeat, duration_seconds)
    return _remove(asked, Removal(mode, grace_seconds, patience_seconds, past_budgets), configuration)


def _remove(asked: _Asked, how: Removal, configuration: Dict[str, Any]) -> Dict[str, Any]:
    subject = f"{'evicting' if how.mode == 'evict' else 'deleting'} pods {asked} of {asked.namespace}"
    drill, clock = drills.opened(configuration, subject), SystemClock()
    found = find_pods(drill.clients, asked.context, asked.namespace, asked.selector, asked.owner)
    how = replace(how, budgets=find_budgets(drill.clients, asked.context, asked.namespace))
    now = clock.now().timestamp()
    candidates = [pod for pod in found.pods if asked.where.holds(pod, now)]
    changes = how.plan(found, draw(candidates, asked.many, drill.random))
    limits = str(asked.where)
    nothing = f"{len(found.pods)} pods match {asked}" + (f", {len(candidates)} of them {limits}" if limits else "")
    drill.inject(changes, subject, duration_seconds=asked.duration_seconds, nothing=nothing)
    if asked.repeat:
        keeper = how.keeper(drill.clients, found, changes, asked.where, clock, everything=asked.many.all)
        drill.keep(keeper, subject, duration_seconds=asked.duration_seconds)
    return {"changes": [change.summary for change in changes]}


def kill_containers(
    context: str,
    namespace: str,
    selector: str = "",
    container: str = "",
    zone: str = "",
    count: int = 0,
    share: float = 0.0,
    command: str = "",
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Kill one container of each of ``count`` pods, or of a ``share`` (0–1, 1: all; at least one), from inside.

    ``container`` "": the pod's default one, or its only one. ``command`` is run in it, by no shell; "": kill -TERM 1,
    because the kernel lets no container kill its own process 1 by force. Its kubelet starts it again. Gives the
    ``changes`` that were made.
    """
    subject = f"killing container {container or '(default)'} of pods {selector or '(any)'} of {namespace}"
    drill, many, where = drills.opened(configuration, subject), Many(count, share), Where(zone=zone)
    words = _words(command) or COMMAND
    found = find_containers(drill.clients, context, namespace, selector, container)
    candidates = [pod for pod in found.pods if where.holds(pod, 0.0)]
    budgets = find_budgets(drill.clients, context, namespace)
    changes = plan_kills(found, draw(candidates, many, drill.random), words, budgets)
    nothing = f"{len(found.found.pods)} pods match, {len(candidates)} of them {where} with that container running"
    drill.inject(changes, subject, duration_seconds=duration_seconds, nothing=nothing)
    return {"changes": [change.summary for change in changes]}


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise ConfigInvalid("kill_containers", "command", f"{command!r} is no command ({error})") from error

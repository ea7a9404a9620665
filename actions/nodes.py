"""Nodes: cordoned, drained, killed, or silent."""

from typing import Any, Dict, List

from blackstart import drill as drills
from blackstart.changes.budgets import find_budgets
from blackstart.changes.cordon import plan_cordon
from blackstart.changes.kube_nodes import Nodes, Which, draw_nodes, find_nodes
from blackstart.changes.kubelets import find_managed, plan_silence
from blackstart.changes.node_loss import PATIENCE_SECONDS, find_machines, plan_drain, plan_kill
from blackstart.changes.pods import find_pods
from blackstart.drill import OpenDrill

__all__ = ["cordon_nodes", "drain_nodes", "fail_kubelet", "kill_nodes"]

LIMIT_SECONDS = 600.0


def cordon_nodes(
    context: str,
    names: List[str] = None,  # type: ignore[assignment]
    selector: str = "",
    zone: str = "",
    capacity_type: str = "",
    count: int = 0,
    share: float = 0.0,
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Let no new pods onto nodes: those with these ``names``, or a ``count`` or ``share`` (0–1) of those that match.

    ``context`` is one of the kubeconfig, ``selector`` one of labels, ``capacity_type`` spot or on-demand. Nodes that
    are cordoned already are left so. Gives the ``changes`` that were made.
    """
    which = Which(tuple(names or ()), selector, zone, capacity_type)
    subject = f"cordoning nodes ({which})"
    drill = drills.opened(configuration, subject)
    found = find_nodes(drill.clients, context, which)
    open_ones = found.of([node for node in found.nodes if not node.cordoned])
    changes = plan_cordon(draw_nodes(open_ones, which, count, share, drill.random))
    nothing = f"of {len(found.nodes)} nodes that match ({which}), {len(open_ones.nodes)} are not cordoned already"
    drill.inject(changes, subject, duration_seconds=duration_seconds, nothing=nothing)
    return {"changes": [change.summary for change in changes]}


def drain_nodes(
    context: str,
    names: List[str] = None,  # type: ignore[assignment]
    selector: str = "",
    zone: str = "",
    capacity_type: str = "",
    count: int = 0,
    share: float = 0.0,
    namespaces: List[str] = None,  # type: ignore[assignment]
    patience_seconds: float = PATIENCE_SECONDS,
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Cordon nodes and evict their pods, except those of DaemonSets and static ones; chosen as in ``cordon_nodes``.

    Disruption budgets hold: an eviction that one refuses is tried again for ``patience_seconds``. ``namespaces``
    leaves pods of all others where they are. Undo lets pods be placed there again, and waits until all that went have
    been replaced. Gives the ``changes`` that were made.
    """
    which = Which(tuple(names or ()), selector, zone, capacity_type)
    subject = f"draining nodes ({which})"
    drill = drills.opened(configuration, subject)
    chosen = _chosen(drill, context, which, count, share)
    pods, budgets = find_pods(drill.clients, context, ""), find_budgets(drill.clients, context, "")
    changes = plan_drain(chosen, pods, budgets, tuple(namespaces or ()), patience_seconds)
    drill.inject(changes, subject, duration_seconds=duration_seconds, nothing=_nothing(chosen, which))
    return {"changes": [change.summary for change in changes]}


def kill_nodes(
    context: str,
    names: List[str] = None,  # type: ignore[assignment]
    selector: str = "",
    zone: str = "",
    capacity_type: str = "",
    count: int = 0,
    share: float = 0.0,
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Take the power from the instances of nodes, chosen as in ``cordon_nodes``.

    Those in an Auto Scaling group are terminated, and replaced by it; others are stopped, and started again. Gives the
    ``changes`` that were made.
    """
    which = Which(tuple(names or ()), selector, zone, capacity_type)
    subject = f"killing nodes ({which})"
    drill = drills.opened(configuration, subject)
    chosen = _chosen(drill, context, which, count, share)
    changes = plan_kill(chosen, find_machines(drill.clients, chosen)) if chosen.nodes else []
    drill.inject(changes, subject, duration_seconds=duration_seconds, nothing=_nothing(chosen, which))
    return {"changes": [change.summary for change in changes]}


def fail_kubelet(
    context: str,
    names: List[str] = None,  # type: ignore[assignment]
    selector: str = "",
    zone: str = "",
    capacity_type: str = "",
    count: int = 0,
    share: float = 0.0,
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Stop the kubelet of nodes, chosen as in ``cordon_nodes``: they fall silent, and their pods go on unheard.

    By Systems Manager, so the instances have to be managed by it. A timer on each node starts the kubelet a minute
    after ``duration_seconds``, whatever becomes of the drill. Gives the ``changes`` that were made.
    """
    which = Which(tuple(names or ()), selector, zone, capacity_type)
    subject = f"stopping kubelets ({which})"
    drill = drills.opened(configuration, subject)
    chosen = _chosen(drill, context, which, count, share)
    changes = []
    if chosen.nodes:
        known, tags = find_managed(drill.clients, chosen)
        changes = plan_silence(chosen, drill.clients.account(), known, tags, duration_seconds)
    drill.inject(changes, subject, duration_seconds=duration_seconds, nothing=_nothing(chosen, which))
    return {"changes": [change.summary for change in changes]}


def _chosen(drill: OpenDrill, context: str, which: Which, count: int, share: float) -> Nodes:
    return draw_nodes(find_nodes(drill.clients, context, which), which, count, share, drill.random)


def _nothing(chosen: Nodes, which: Which) -> str:
    return f"no node of {chosen.cluster} matches ({which})"

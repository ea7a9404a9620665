"""Losing Spot nodes as AWS takes them back, and having no capacity to replace them."""

import contextlib
from typing import Any, Dict, List, Sequence

from blackstart import drill as drills
from blackstart.changes.auto_scaling_zone import SUSPENDED, find_groups
from blackstart.changes.budgets import find_budgets
from blackstart.changes.capacity import LAUNCH, find_named_groups, groups_of_cluster, plan_no_launches
from blackstart.changes.karpenter import find_pools, plan_no_room
from blackstart.changes.kube_nodes import Nodes
from blackstart.changes.model import Change
from blackstart.changes.network import find_vpc
from blackstart.changes.node_loss import plan_drain
from blackstart.changes.pods import Many, find_pods
from blackstart.changes.spot import (
    SpotNode,
    SpotNodes,
    draw_spot,
    plan_interruption,
    spot_nodes_of_cluster,
    spot_nodes_of_vpc,
)
from blackstart.changes.spot_fis import plan_experiments
from blackstart.changes.spot_notice import INTERRUPTION, REBALANCE, Announcement, plan_notices, queue_url
from blackstart.clock import SystemClock
from blackstart.errors import ConfigInvalid, DrillStopped, UndoLogUnusable

__all__ = ["interrupt_spot_nodes", "suspend_launches"]

LIMIT_SECONDS = 600.0
LOOK_SECONDS = 0.5
WAYS, DRAINS = ("queue", "fis"), ("handler", "us", "none")


def interrupt_spot_nodes(
    region: str,
    context: str = "",
    vpc: str = "",
    count: int = 0,
    share: float = 0.0,
    by: str = "queue",
    queue: str = "",
    role: str = "",
    rebalance_seconds: float = 0.0,
    notice_seconds: float = 120.0,
    drain: str = "handler",
    namespaces: List[str] = None,  # type: ignore[assignment]
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """Interrupt Spot nodes of the cluster of ``context``, or else Spot instances of ``vpc``, chosen at random by the
    drill's seed: ``count`` of them, or a ``share`` (0–1), all at once.

    ``by`` "queue": a rebalance recommendation and, ``rebalance_seconds`` later, the interruption warning go to the
    ``queue`` (URL or name) that AWS Node Termination Handler or Karpenter reads; ``notice_seconds`` after that the
    instances are terminated. ``by`` "fis": AWS itself does all of it, by a FIS experiment with the IAM ``role`` (ARN).

    ``drain`` "handler": whoever reads the queue makes room; "us": the nodes are cordoned and their pods (of
    ``namespaces`` only, if given) evicted by us, as a managed node group would; "none": there is no warning at all.
    Undo waits until the nodes are replaced. Gives the ``nodes`` and the ``changes`` made.
    """
    drill = drills.opened(configuration, f"interrupting Spot nodes of {context or vpc}")
    _check(by, drain, role)
    found, many = _found(drill, region, context, vpc), Many(count, share)
    course = _Course(drill, found, draw_spot(found, many, drill.random), duration_seconds)
    if by == "queue" and drain == "handler" and course.chosen:
        course.announce(queue_url(drill.clients, region, queue), rebalance_seconds)
    if by == "fis":
        course.terminate(role)
    if drain == "us":
        course.drain(namespaces or ())
    if by == "queue":
        course.lose(0.0 if drain == "none" else notice_seconds)
    return {"nodes": [node.name for node in course.chosen], "changes": [change.summary for change in course.changes]}


def _check(by: str, drain: str, role: str) -> None:
    if by not in WAYS or drain not in DRAINS:
        raise ConfigInvalid("interrupt_spot_nodes", "by", f"{by}, {drain}: by is one of {WAYS}, drain one of {DRAINS}")
    if (by == "fis") != bool(role):
        raise ConfigInvalid("interrupt_spot_nodes", "role", "fis takes the ARN of an IAM role, and nothing else does")


def _found(drill: drills.OpenDrill, region: str, context: str, vpc: str) -> SpotNodes:
    if bool(context) == bool(vpc):
        raise ConfigInvalid("interrupt_spot_nodes", "context", "give either the context of a cluster or a vpc")
    if context:
        return spot_nodes_of_cluster(drill.clients, region, context)
    return spot_nodes_of_vpc(drill.clients, region, vpc)


class _Course:
    """One interruption, step by step; each step is a fault of its own, because time passes between them."""

    def __init__(
        self, drill: drills.OpenDrill, found: SpotNodes, chosen: Sequence[SpotNode], duration_seconds: float
    ) -> None:
        self.changes: List[Change] = []
        self._drill, self._found, self.chosen = drill, found, chosen
        self._seconds = duration_seconds
        plan_interruption(found, chosen, self.resumed())  # what nothing would heal is refused before anything is sent
        self._nothing = f"{found.whole} has {len(found.nodes)} running Spot nodes, {len(chosen)} to interrupt"

    def announce(self, queue: str, rebalance_seconds: float) -> None:
        """Tell the handler that the nodes are at risk, and then that they are lost."""
        if rebalance_seconds > 0:
            self._tell(queue, REBALANCE)
            self.wait(rebalance_seconds)
        self._tell(queue, INTERRUPTION)

    def _tell(self, queue: str, event: str) -> None:
        clock = self._drill.clock if isinstance(self._drill, drills.RunningDrill) else SystemClock()
        told = Announcement(queue, event, clock.now())
        self._inject(plan_notices(self._found, self.chosen, told), f"announcing {len(self.chosen)} interruptions")

    def drain(self, namespaces: Sequence[str]) -> None:
        """Cordon the nodes, then evict what runs on them in ``namespaces`` (empty: in all); daemons stay."""
        found, clients = self._found, self._drill.clients
        nodes = [node.node for node in self.chosen if node.node]
        if self.chosen and not nodes:
            raise ConfigInvalid("interrupt_spot_nodes", "drain", "only nodes of a cluster can be drained by us")
        of_cluster = Nodes(found.place.cluster, found.context, tuple(nodes), found.total)
        pods, budgets = find_pods(clients, found.context, ""), find_budgets(clients, found.context, "")
        self._inject(plan_drain(of_cluster, pods, budgets, namespaces), f"draining {len(nodes)} nodes")

    def terminate(self, role: str = "") -> None:
        """All of them at once; by FIS if a ``role`` is given."""
        changes = plan_interruption(self._found, self.chosen, self.resumed())
        self._inject(
            plan_experiments(changes, role) if role else changes, f"interrupting {len(self.chosen)} Spot nodes"
        )

    def lose(self, notice_seconds: float) -> None:
        """When the notice is over."""
        self.wait(notice_seconds)
        self.terminate()

    def resumed(self) -> set[str]:
        """The groups that cannot launch because of this very drill, which will let them again."""
        if not isinstance(self._drill, drills.RunningDrill):
            return set()
        entries = self._drill.gate.reach.log.entries(self._drill.id)
        return {each.change.target.id for each in entries if each.open and _suspends(each.change)}

    def wait(self, seconds: float) -> None:
        """Let ``seconds`` pass; DrillStopped as soon as the drill is told to stop. Nothing to wait for in a plan."""
        drill = self._drill
        if not isinstance(drill, drills.RunningDrill):
            return
        until = drill.clock.monotonic() + seconds
        while (left := until - drill.clock.monotonic()) > 0:
            with contextlib.suppress(UndoLogUnusable):  # the reverter's care
                # Not drill.must_end, which tells only once: the control has to hear it, too.
                reason = drill.gate.reach.log.stopping(drill.id)
                if reason:
                    raise DrillStopped(drill.id, reason)
            drill.clock.sleep(min(left, LOOK_SECONDS))

    def _inject(self, changes: Sequence[Change], subject: str) -> None:
        self._drill.inject(changes, subject, duration_seconds=self._seconds, nothing=self._nothing)
        self.changes += changes


def _suspends(change: Change) -> bool:
    return isinstance(change.after, dict) and change.after.get(SUSPENDED + LAUNCH) is True


def suspend_launches(
    region: str,
    vpc: str = "",
    groups: str = "",
    cluster: str = "",
    context: str = "",
    node_pools: str = "",
    duration_seconds: float = LIMIT_SECONDS,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> Dict[str, Any]:
    """No capacity: nothing is launched in place of what is lost, while it lasts. What runs stays.

    Auto Scaling groups: all that launch into ``vpc`` (id or Name tag), those behind the managed node groups of the EKS
    ``cluster``, and those in ``groups`` (with commas between). Karpenter, if ``context`` is given: the NodePools in
    ``node_pools`` (with commas between), or all. Use it before the fault that takes nodes away. Gives the ``changes``
    that were made.
    """
    subject = f"suspending launches in {region}"
    drill = drills.opened(configuration, subject)
    if not (vpc or groups or cluster or context):
        raise ConfigInvalid("suspend_launches", "vpc", "give a vpc, groups, a cluster or a context")
    clients = drill.clients
    names = set(_names(groups)) | set(groups_of_cluster(clients, region, cluster) if cluster else ())
    if vpc:
        names |= {group.name for group in find_groups(clients, find_vpc(clients, region, vpc))}
    changes = plan_no_launches(find_named_groups(clients, region, names))
    if context:
        changes += plan_no_room(find_pools(clients, context, region, _names(node_pools)))
    nothing = "no Auto Scaling group and no NodePool there launches anything"
    drill.inject(changes, subject, duration_seconds=duration_seconds, nothing=nothing)
    return {"changes": [change.summary for change in changes]}


def _names(text: str) -> List[str]:
    return [name.strip() for name in text.split(",") if name.strip()]

"""Nodes that fall silent: the kubelet of an instance is stopped, while the pods on it go on.

It is stopped and started by commands through AWS Systems Manager. Before it stops, a timer of the node itself is set
that starts it again a minute after the fault's time, so that it comes back even if nobody can reach the node any more.
The timer is named after the change: while it runs, the kubelet is stopped by us, and by nobody else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from blackstart.access import Kubernetes, Need
from blackstart.changes import ssm_commands as ssm
from blackstart.changes.clients import Clients
from blackstart.changes.instance_states import by_id, instance_of
from blackstart.changes.kind import AT_ONCE, Ending, Outcome
from blackstart.changes.kube_nodes import NODES, Node, Nodes, instances_of, is_ready
from blackstart.changes.model import Change, Json, new_id
from blackstart.changes.ssm_commands import Command, Managed, Stage
from blackstart.errors import NotYet, Refused, ServiceUnreachable, TargetChanged
from blackstart.scope import Target

SPARE_SECONDS = 60
PATIENCE_SECONDS = 90.0
"""Longer than a command takes to be delivered and to run."""
NOT_DONE = (Stage.NONE, Stage.FAILED)
STOP, START = "stop kubelet", "start kubelet"
INACTIVE = 3
"""What the shell exits with if systemctl says that the kubelet does not run, though we have not stopped it."""
WITHOUT_SYSTEMCTL = "Bottlerocket"


def find_managed(clients: Clients, found: Nodes) -> tuple[dict[str, Managed], dict[str, Mapping[str, str]]]:
    """What Systems Manager knows of the instances of ``found``, and their tags; by instance id."""
    by_instance = instances_of(found)
    known: dict[str, Managed] = {}
    tags: dict[str, Mapping[str, str]] = {}
    for region in {node.region for node in found.nodes}:
        ids = [instance for instance, node in by_instance.items() if node.region == region]
        known |= ssm.managed(clients, region, ids)
        tags |= {each.id: each.tags for each in map(instance_of, by_id(clients, region, ids))}
    return known, tags


def plan_silence(
    found: Nodes,
    account: str,
    known: Mapping[str, Managed],
    tags: Mapping[str, Mapping[str, str]],
    duration_seconds: float,
    *,
    new_change: Callable[[], str] = new_id,
) -> list[Change]:
    """The kubelets of ``found`` stopped. ``known`` and ``tags`` are ``find_managed``'s. Pure.

    Refused if one is not ready to begin with, or cannot be told by Systems Manager.
    """
    seconds = math.ceil(duration_seconds) + SPARE_SECONDS
    changes = []
    for instance, node in instances_of(found).items():
        reason = _unfit(node, known.get(instance))
        if reason:
            raise Refused(f"stopping the kubelet of {node.name}", reason)
        target = Target(
            "instance",
            instance,
            account=account,
            region=node.region,
            zone=node.zone,
            cluster=found.cluster,
            tags=dict(tags.get(instance, {})),
        )
        changes.append(_silence(found, node, target, seconds, new_change()))
    return changes


def _unfit(node: Node, known: Managed | None) -> str:
    if not node.ready:
        return "it is not ready to begin with"
    if known is None or not known.online:
        return f"its instance {node.instance} is not managed by Systems Manager just now (PingStatus Online)"
    if known.system != "Linux" or known.platform == WITHOUT_SYSTEMCTL:
        return f"it runs {known.platform or known.system}, whose kubelet cannot be stopped by systemctl"
    return ""


def _silence(found: Nodes, node: Node, target: Target, seconds: int, change_id: str) -> Change:
    return Change(
        id=change_id,
        kind=Kubelet.name,
        target=target,
        before={"context": found.context, "node": node.name, "uid": node.uid, "kubelet": "active"},
        after={"kubelet": "inactive", "timer_seconds": seconds},
        summary=f"node {node.name} ({target.id}, {node.zone}): kubelet stopped",
        undo_summary=f"starting it (a timer on the node does so {seconds} s after it stopped, if nobody else has)",
        calls=(ssm.SEND,),
        share=found.share(node),
    )


def stopping(change: Change) -> list[str]:
    """The shell's lines that stop the kubelet, but not without the timer; right when they run again. Pure."""
    unit, seconds = _unit(change), change.after["timer_seconds"]
    ours = f"systemctl is-active --quiet {unit}.timer"
    return [
        "set -e",
        f"{ours} || systemctl is-active kubelet",
        f"{ours} || systemd-run --quiet --on-active={seconds}s --unit={unit} systemctl start kubelet",
        "systemctl stop kubelet",
    ]


def starting(change: Change) -> list[str]:
    """The shell's lines that start the kubelet if it is we who stopped it, and fail unless it runs then. Pure."""
    ours = f"systemctl is-active --quiet {_unit(change)}.timer"
    return [
        "set -e",
        f"! {ours} || systemctl start kubelet",
        f"! {ours} || systemctl stop {_unit(change)}.timer",
        "systemctl is-active kubelet",
    ]


def _unit(change: Change) -> str:
    return f"blackstart-{change.id}"


class Kubelet:
    """Whether the kubelet of an instance runs."""

    name: ClassVar[str] = "ssm.kubelet"
    permissions: ClassVar[tuple[str, ...]] = (ssm.SEND, ssm.LOOK, "kubernetes:get nodes")
    batch_size: ClassVar[int] = 1
    look_size: ClassVar[int] = 1
    at_once: ClassVar[int] = AT_ONCE
    joined: ClassVar[bool] = False
    restores: ClassVar[bool] = True

    def needs(self, change: Change) -> Sequence[Need]:
        target = change.target
        node = Kubernetes("kubernetes:get nodes", target.cluster, names=(change.before["node"],))
        return (*ssm.needs(target.region, target.account, target.id), node)

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        for change in changes:
            stop = _told(change, clients)[STOP]
            if stop.stage in NOT_DONE and not _never(stop):
                if _node(change, clients) is None:
                    raise TargetChanged(str(change.target), f"node {change.before['node']} is gone")
                _send(change, clients, STOP, stopping(change))
                stop = _told(change, clients)[STOP]
            if _never(stop):
                raise TargetChanged(str(change.target), "its kubelet does not run")
            if stop.stage is Stage.FAILED:
                raise ServiceUnreachable(f"stop the kubelet of {change.target}", "its shell", f"said {stop.said}")
            if stop.stage is not Stage.DONE:
                raise NotYet(str(change.target), "being told to stop its kubelet", PATIENCE_SECONDS)

    def undo(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        return {change.id: _undone(change, clients) for change in changes}

    def verify(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        return {change.id: _verified(change, clients) for change in changes}


def _never(stop: Command) -> bool:
    """Whether the command has done nothing, because the kubelet did not run anyway."""
    return stop.stage is Stage.FAILED and stop.code == INACTIVE


def _undone(change: Change, clients: Clients) -> Outcome:
    told = _told(change, clients)
    stopped = told[STOP].stage is not Stage.NONE and not _never(told[STOP])
    if stopped and told[STOP].stage is not Stage.UNDER_WAY and told[START].stage in NOT_DONE:
        ssm_client = clients.aws("ssm", change.target.region)
        try:
            _send(change, clients, START, starting(change))
        except ssm_client.exceptions.InvalidInstanceId:
            if _node(change, clients) is None:
                return Outcome(Ending.CONFLICT, f"{change.target} no longer exists")
            raise
        told = _told(change, clients)
    return _standing(change, told, clients)


def _verified(change: Change, clients: Clients) -> Outcome:
    outcome = _standing(change, _told(change, clients), clients)
    return Outcome(Ending.UNTOUCHED) if outcome.ending is Ending.RESTORED else outcome


def _standing(change: Change, told: Mapping[str, Command], clients: Clients) -> Outcome:
    """How it stands, without doing anything about it; RESTORED once the kubelet runs and the cluster hears of it."""
    stop, start = told[STOP], told[START]
    if stop.stage is Stage.NONE or _never(stop):
        return Outcome(Ending.UNTOUCHED)
    if stop.stage is Stage.UNDER_WAY:
        return Outcome(Ending.PENDING, f"{change.target} is still being told to stop its kubelet")
    if start.stage is Stage.FAILED and start.code == INACTIVE:
        return Outcome(Ending.CONFLICT, f"the kubelet of {change.target} was stopped by somebody else")
    if start.stage is not Stage.DONE:
        said = f" ({start.said})" if start.stage is Stage.FAILED else ""
        return Outcome(Ending.PENDING, f"{change.target} has not started its kubelet yet{said}")
    node = _node(change, clients)
    if node is None:
        return Outcome(Ending.CONFLICT, f"node {change.before['node']} no longer exists")
    if not is_ready(node):
        return Outcome(Ending.WAITING, f"node {change.before['node']} is not ready yet")
    return Outcome(Ending.RESTORED)


def _told(change: Change, clients: Clients) -> dict[str, Command]:
    target, comments = change.target, {_comment(change, what): what for what in (STOP, START)}
    found = ssm.commands(clients, target.region, target.id, comments)
    return {what: found[comment] for comment, what in comments.items()}


def _send(change: Change, clients: Clients, what: str, lines: Sequence[str]) -> None:
    ssm.send(clients, change.target.region, change.target.id, lines, _comment(change, what))


def _comment(change: Change, what: str) -> str:
    return f"{change.id}: {what}"


def _node(change: Change, clients: Clients) -> Json | None:
    item: Any = clients.kube(change.before["context"]).find(f"{NODES}/{change.before['node']}")
    return item if item and item["metadata"]["uid"] == change.before["uid"] else None

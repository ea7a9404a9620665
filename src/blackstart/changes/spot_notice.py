"""Telling of a Spot interruption: the events that EventBridge would send, sent to the queue that the handler reads.

AWS Node Termination Handler and Karpenter read such a queue, and drain the node that a notice names. A message cannot
be called back. What it leaves behind is a node that the handler has cordoned; if that survives, because the drill ended
before its instance did, it may take pods again. Karpenter replaces the node for good as soon as it reads the notice.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from blackstart.access import Aws, Kubernetes, Need, arn, everything
from blackstart.changes.clients import Clients
from blackstart.changes.compare import Wanted
from blackstart.changes.cordon import CORDONED
from blackstart.changes.instance_power import gone
from blackstart.changes.instances import Place, target_of
from blackstart.changes.kind import AT_ONCE, Ending, Outcome
from blackstart.changes.kube_nodes import NODES
from blackstart.changes.model import Change, Json, new_id
from blackstart.changes.spot import SpotNode, SpotNodes
from blackstart.changes.versions import patch_as_seen, version_of
from blackstart.errors import Refused

REBALANCE = "EC2 Instance Rebalance Recommendation"
INTERRUPTION = "EC2 Spot Instance Interruption Warning"
_EVENTS = uuid.UUID("6f6c0c6e-52a5-4f0b-9a43-6a1f6a6d1a55")
_QUEUE = re.compile(r"https?://[^/]+/(?:.*/)?(\d{12})/([A-Za-z0-9_-]+(?:\.fifo)?)")


@dataclass(frozen=True)
class Announcement:
    """That ``event`` (``REBALANCE`` or ``INTERRUPTION``) happened at ``moment``; for the ``queue`` with this URL."""

    queue: str
    event: str
    moment: datetime


def queue_url(clients: Clients, region: str, queue: str) -> str:
    """The URL of ``queue``, which is that or a name. Refused if there is none, or it is in another account."""
    sqs = clients.aws("sqs", region)
    subject = f"announcing a Spot interruption to {queue or 'no queue'}"
    if not queue:
        raise Refused(subject, "name the queue that the termination handler reads")
    if "/" not in queue:
        try:
            return str(sqs.get_queue_url(QueueName=queue)["QueueUrl"])
        except sqs.exceptions.QueueDoesNotExist as error:
            raise Refused(subject, f"{region} has no such queue") from error
    named = _QUEUE.fullmatch(queue)
    if not named:
        raise Refused(subject, "it is not the URL of an SQS queue")
    if named[1] != clients.account():
        raise Refused(subject, f"it is in account {named[1]}, but the credentials reach account {clients.account()}")
    return queue


def plan_notices(
    found: SpotNodes, chosen: Sequence[SpotNode], told: Announcement, new_change: Callable[[], str] = new_id
) -> list[Change]:
    """A message for each of ``chosen``. Pure."""
    return [_notice(found, node, told, new_change()) for node in chosen]


def _notice(found: SpotNodes, node: SpotNode, told: Announcement, change_id: str) -> Change:
    at = {"context": found.context, "node": node.node.name, "uid": node.node.uid} if node.node else {}
    return Change(
        id=change_id,
        kind=SpotNotice.name,
        target=target_of(node.instance, found.place),
        before={**at, CORDONED: bool(node.node and node.node.cordoned)},
        after={"queue": told.queue, "event": event_of(found.place, node, told, change_id)},
        summary=f"{told.event} for {node.name} ({node.instance.zone})",
        undo_summary="nothing, for a message cannot be called back; a node that survives may take pods again",
        calls=("sqs:SendMessage",),
        share=found.share(node),
    )


def event_of(place: Place, node: SpotNode, told: Announcement, change_id: str) -> Json:
    """The event as EventBridge delivers it. Its id follows from the change's, so that a handler drops it when it is
    sent twice. Pure."""
    instance = node.instance.id
    action = {"instance-action": "terminate"} if told.event == INTERRUPTION else {}
    partition = arn("ec2", place.region, "", "").split(":")[1]
    return {
        "version": "0",
        "id": str(uuid.uuid5(_EVENTS, change_id)),
        "detail-type": told.event,
        "source": "aws.ec2",
        "account": place.account,
        "time": f"{told.moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": place.region,
        # As AWS writes it: with the zone, and without the account.
        "resources": [f"arn:{partition}:ec2:{node.instance.zone}:instance/{instance}"],
        "detail": {"instance-id": instance, **action},
    }


class SpotNotice:
    """One event in the handler's queue."""

    name: ClassVar[str] = "ec2.spot_notice"
    permissions: ClassVar[tuple[str, ...]] = (
        "sqs:SendMessage",
        "ec2:DescribeInstances",
        "kubernetes:get nodes",
        "kubernetes:patch nodes",
    )
    batch_size: ClassVar[int] = 1
    look_size: ClassVar[int] = 500
    at_once: ClassVar[int] = AT_ONCE
    joined: ClassVar[bool] = False
    restores: ClassVar[bool] = True

    def needs(self, change: Change) -> Sequence[Need]:
        account, name = _queue(change)
        region = change.target.region
        send = Aws("sqs:SendMessage", (arn("sqs", region, account, name),))
        if "node" not in change.before:
            return [send]
        on_node = (Kubernetes(each, change.target.cluster, names=(change.before["node"],)) for each in NODE_CALLS)
        return (*everything(self.permissions[:2], region, [send]), *on_node)

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        for change in changes:
            sqs = clients.aws("sqs", change.target.region)
            sqs.send_message(QueueUrl=change.after["queue"], MessageBody=json.dumps(change.after["event"]))

    def undo(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        return self._looked(changes, clients, _uncordon)

    def verify(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        return self._looked(changes, clients, _left)

    def _looked(
        self, changes: Sequence[Change], clients: Clients, judge: Callable[[Change, Clients], Outcome]
    ) -> Mapping[str, Outcome]:
        """Only a node that was open before, and whose instance still runs, may have been left cordoned."""
        at_risk = [change for change in changes if "node" in change.before and not change.before[CORDONED]]
        lost = gone(at_risk, clients) if at_risk else set()
        staying = {change.id for change in at_risk if change.target.id not in lost}
        return {change.id: judge(change, clients) if change.id in staying else UNTOUCHED for change in changes}


UNTOUCHED = Outcome(Ending.UNTOUCHED)
NODE_CALLS = ("kubernetes:get nodes", "kubernetes:patch nodes")


def _left(change: Change, clients: Clients) -> Outcome:
    node = _node(change, clients)
    if node is None:
        return UNTOUCHED
    if "deletionTimestamp" in node["metadata"]:
        return Outcome(Ending.WAITING, f"node {change.before['node']} is being removed, as the notice asked")
    if node["spec"].get(CORDONED):
        return Outcome(Ending.PENDING, f"node {change.before['node']} is cordoned since the notice")
    return UNTOUCHED


def _uncordon(change: Change, clients: Clients) -> Outcome:
    outcome = _left(change, clients)
    if outcome.ending is not Ending.PENDING:
        return outcome
    node = _node(change, clients)
    if node is not None:
        fields = {CORDONED: None}
        wanted = Wanted(change, fields, version_of(node))
        patch_as_seen(wanted, f"{NODES}/{change.before['node']}", {"spec": fields}, clients)
    return Outcome(Ending.RESTORED)


def _node(change: Change, clients: Clients) -> Any | None:
    """The node itself; None if it is gone, also if another one has its name now."""
    node = clients.kube(change.before["context"]).find(f"{NODES}/{change.before['node']}")
    return node if node and node["metadata"]["uid"] == change.before["uid"] else None


def _queue(change: Change) -> tuple[str, str]:
    found = _QUEUE.fullmatch(change.after["queue"])
    return (found[1], found[2]) if found else ("", "*")

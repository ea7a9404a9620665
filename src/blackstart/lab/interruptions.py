"""The lab's node termination handler, as AWS Node Termination Handler in queue mode, or Karpenter: one for each region.

It reads the region's interruption queue. Told that a Spot instance will be interrupted, it cordons the node and evicts
its pods, asking again while a disruption budget refuses; daemons stay. A rebalance recommendation it only notes.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from blackstart.clock import Clock
from blackstart.errors import ServiceUnreachable
from blackstart.lab.aws.clients import Clients
from blackstart.lab.cluster import Cluster, Object
from blackstart.lab.manifests import CORE, PODS
from blackstart.lab.nodes import NODES

_log = logging.getLogger("blackstart.lab.interruptions")
INTERRUPTION = "EC2 Spot Instance Interruption Warning"
# Longer, and the end of the lab would wait for it.
POLL_SECONDS = 1
RETRY_SECONDS = 0.5
DRAIN_SECONDS = 120.0
"""A Spot instance has no more than that."""
GONE, REFUSED = 404, 429


class TerminationHandler:
    """Of one region. ``queue`` is a name; ``clients`` should reach an endpoint that no fault of ours makes silent."""

    def __init__(self, region: str, queue: str, clients: Clients, cluster: Cluster, clock: Clock) -> None:
        self._region, self._queue = region, queue
        self._clients = clients
        self._cluster = cluster
        self._clock = clock
        self._url = ""

    async def run(self) -> None:
        """Handle what comes until cancelled. A message is there again if handling it fails."""
        async with asyncio.TaskGroup() as handling:
            while True:
                try:
                    messages = await asyncio.to_thread(self._receive)
                except (BotoCoreError, ClientError) as error:
                    _log.info("%s: %s", self._queue, error)
                    await self._clock.pause(RETRY_SECONDS)
                    continue
                for message in messages:
                    handling.create_task(self._handle(message))

    def _receive(self) -> Sequence[Any]:
        sqs = self._clients("sqs", self._region)
        self._url = self._url or sqs.get_queue_url(QueueName=self._queue)["QueueUrl"]
        answer = sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=POLL_SECONDS)
        return list(answer.get("Messages", ()))

    async def _handle(self, message: Any) -> None:
        sqs = self._clients("sqs", self._region)
        try:
            instance = lost_instance(message["Body"])
            if instance:
                await self._drain(instance)
            await asyncio.to_thread(sqs.delete_message, QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        except (ServiceUnreachable, BotoCoreError, ClientError) as error:
            _log.info("%s: %s", self._queue, error)

    async def _drain(self, instance: str) -> None:
        nodes, _ = await self._cluster.list(NODES)
        node = next((each["metadata"]["name"] for each in nodes if _instance(each) == instance), "")
        if not node or not await self._cluster.merge(f"{NODES}/{node}", {"spec": {"unschedulable": True}}):
            return
        _log.info("node %s is cordoned: %s will be interrupted", node, instance)
        pods, _ = await self._cluster.list(f"{PODS}?fieldSelector={quote(f'spec.nodeName={node}')}")
        left = list(evictable(pods))
        until = self._clock.monotonic() + DRAIN_SECONDS
        while left and self._clock.monotonic() < until:
            refused = await asyncio.gather(*(self._refuses(pod) for pod in left))
            left = [pod for pod, stays in zip(left, refused, strict=True) if stays]
            if left:
                await self._clock.pause(RETRY_SECONDS)

    async def _refuses(self, pod: Object) -> bool:
        """Evict ``pod``; whether its budget refuses."""
        named = {name: pod["metadata"][name] for name in ("name", "namespace")}
        path = f"{CORE}/namespaces/{named['namespace']}/pods/{named['name']}/eviction"
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": named}
        status, _ = await self._cluster.call("POST", path, body, accepts=(GONE, REFUSED))
        return status == REFUSED


def lost_instance(body: str) -> str:
    """The instance that a message says will be interrupted; "" if it says anything else. Pure."""
    try:
        event = json.loads(body)
        return str(event["detail"]["instance-id"]) if event["detail-type"] == INTERRUPTION else ""
    except (ValueError, KeyError, TypeError):
        return ""


def evictable(pods: Iterable[Object]) -> Iterable[Object]:
    """Those that are not on their way out, and no daemons. Pure."""
    for pod in pods:
        owners = {owner["kind"] for owner in pod["metadata"].get("ownerReferences") or ()}
        if "DaemonSet" not in owners and not pod["metadata"].get("deletionTimestamp"):
            yield pod


def _instance(node: Object) -> str:
    return str(node["spec"].get("providerID", "")).rpartition("/")[2]

"""Looks at the standby region while the client plays the users, and notes when each step of a fail-over shows.

Polled, a few times a second, each source on its own: an API that hangs delays nobody else. What is noted is the
moment at which it was *seen*, never a time that somebody else wrote down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from blackstart.access import Aws, Kubernetes, Need, arn
from blackstart.clock import Clock
from blackstart.errors import BlackstartError, ServiceUnreachable
from blackstart.kube.reading import Kube
from blackstart.observer.events import POLL_SECONDS, EventLog
from blackstart.settings import Evidence

REASONS = {
    "PrimaryUnhealthy": "detect",
    "FailoverDecided": "decide",
    "DatabasePromoted": "writer",
    "CapacityScaled": "ready",
    "CacheWarmed": "cache",
}

NAME = "blackstart-observer"
NAMES = {"writer": "the database's writer", "ready": "the deployment", "events": "Kubernetes Events"}

Poll = Callable[[], Awaitable[None]]


def needs(evidence: Evidence, cluster: str, account: str) -> list[Need]:
    """What watching takes; ``cluster`` is that of ``evidence.kube_context``. Pure."""
    found: list[Need] = []
    if evidence.global_cluster and evidence.aws_region:
        writer = arn("rds", "", account, f"global-cluster:{evidence.global_cluster}")
        found.append(Aws("rds:DescribeGlobalClusters", (writer,)))
    if evidence.kube_context and evidence.namespace:
        if evidence.deployment:
            named = (evidence.deployment,)
            found.append(Kubernetes("kubernetes:get deployments", cluster, evidence.namespace, named))
        if evidence.event_object:
            found.append(Kubernetes("kubernetes:list events", cluster, evidence.namespace))
    return found


class Writer:
    """Which region holds the writer of an Aurora global cluster, asked of RDS in ``evidence.aws_region``."""

    def __init__(self, evidence: Evidence, log: EventLog) -> None:
        self._evidence = evidence
        self._log = log
        self._client: Any = None
        self._region = ""

    async def __call__(self) -> None:
        region = await asyncio.to_thread(self._read)
        if region and region != self._region:
            self._log.add("writer", region=region, before=self._region, source="rds")
            self._region = region

    def connect(self) -> None:
        """Load boto3 and its model of RDS: half a second of work."""
        import boto3
        from botocore.config import Config

        patience = Config(
            connect_timeout=1, read_timeout=2, retries={"mode": "standard", "max_attempts": 1}, user_agent_extra=NAME
        )
        self._client = boto3.client("rds", region_name=self._evidence.aws_region, config=patience)

    def _read(self) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            if self._client is None:
                self.connect()
            answer = self._client.describe_global_clusters(GlobalClusterIdentifier=self._evidence.global_cluster)
        except (BotoCoreError, ClientError) as error:
            wanted = f"read global cluster {self._evidence.global_cluster}"
            raise ServiceUnreachable(wanted, f"RDS in {self._evidence.aws_region}", str(error)) from error
        return writer_region(answer)


def writer_region(answer: Mapping[str, Any]) -> str:
    """The region of the writing member in an answer of DescribeGlobalClusters; "" while there is none. Pure."""
    for cluster in answer.get("GlobalClusters") or ():
        for member in cluster.get("GlobalClusterMembers") or ():
            if member.get("IsWriter"):
                return str(member["DBClusterArn"]).split(":")[3]
    return ""


class Ready:
    """How many replicas of the deployment in the standby region are ready, of how many wanted."""

    def __init__(self, evidence: Evidence, kube: Kube, log: EventLog) -> None:
        self._path = f"/apis/apps/v1/namespaces/{evidence.namespace}/deployments/{evidence.deployment}"
        self._kube = kube
        self._log = log
        self._seen: tuple[int, int] | None = None

    async def __call__(self) -> None:
        deployment = await self._kube.get(self._path)
        ready = int((deployment.get("status") or {}).get("readyReplicas") or 0)
        desired = int((deployment.get("spec") or {}).get("replicas") or 0)
        if (ready, desired) != self._seen:
            self._seen = (ready, desired)
            self._log.add("ready", ready=ready, desired=desired, source="deployment")


class Told:
    """Kubernetes Events about ``evidence.event_object`` that came after the first look."""

    def __init__(self, evidence: Evidence, kube: Kube, log: EventLog) -> None:
        self._path = f"/api/v1/namespaces/{evidence.namespace}/events"
        self._query = {"fieldSelector": f"involvedObject.name={evidence.event_object}"}
        self._kube = kube
        self._log = log
        self._known: set[tuple[str, str]] | None = None

    async def __call__(self) -> None:
        events = await self._kube.items(self._path, self._query)
        if self._known is None:
            self._known = {_version(event) for event in events}
        for event in events:
            if _version(event) not in self._known:
                self._known.add(_version(event))
                self._note(event)

    def _note(self, event: Mapping[str, Any]) -> None:
        reason = str(event.get("reason", ""))
        if reason not in REASONS:
            return
        about = event.get("involvedObject") or {}
        self._log.add(
            REASONS[reason],
            reason=reason,
            message=str(event.get("message", "")),
            object=f"{about.get('kind', '')}/{about.get('name', '')}",
            source="kubernetes event",
        )


def _version(event: Mapping[str, Any]) -> tuple[str, str]:
    data = event.get("metadata") or {}
    return str(data.get("uid") or data.get("name")), str(data.get("resourceVersion"))


class Watcher:
    """Every source that ``evidence`` names. A source that fails is noted once, and asked again."""

    def __init__(self, evidence: Evidence, log: EventLog, clock: Clock, kube: Kube) -> None:
        self._log = log
        self._clock = clock
        self._writer = Writer(evidence, log) if evidence.global_cluster and evidence.aws_region else None
        self._sources: list[tuple[str, Poll]] = []
        if self._writer:
            self._sources.append(("writer", self._writer))
        if evidence.kube_context and evidence.namespace and evidence.deployment:
            self._sources.append(("ready", Ready(evidence, kube, log)))
        if evidence.kube_context and evidence.namespace and evidence.event_object:
            self._sources.append(("events", Told(evidence, kube, log)))

    async def prepare(self) -> None:
        """What would disturb the client if it were done while it plays: load boto3."""
        if self._writer:
            await asyncio.to_thread(self._writer.connect)

    async def run(self) -> None:
        """Poll until cancelled."""
        await asyncio.gather(*(_poll(name, poll, self._log, self._clock) for name, poll in self._sources))


async def _poll(name: str, poll: Poll, log: EventLog, clock: Clock) -> None:
    blind = False
    while True:
        try:
            await poll()
        except BlackstartError as error:
            if not blind:
                log.add("note", text=f"cannot see {NAMES[name]}: {error}", watch=name, sees=False)
            blind = True
        else:
            if blind:
                log.add("note", text=f"can see {NAMES[name]} again", watch=name, sees=True)
            blind = False
        await clock.pause(POLL_SECONDS)

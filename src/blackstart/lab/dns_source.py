"""Where the DNS server's records, health checks and routing controls come from: APIs, read again whenever they changed.

When Route 53's API does not answer, what was read last stays in force, as Route 53's data plane outlives its control
plane. Routing controls have no control plane that could be lost: they are read behind the router's back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError

from blackstart.errors import ServiceUnreachable
from blackstart.lab import dns_health, dns_records
from blackstart.lab.aws_clients import impatient, session

POLL_SECONDS = 2.0
# While the router tells us of changes, reading without one is only a safety net.
SELDOM_SECONDS = 15.0
READ_TIMEOUT_SECONDS = 2.0

ROUTE53, ROUTING = "route53", "route53-recovery-cluster"

_log = logging.getLogger("blackstart.lab.dns")
_Read = TypeVar("_Read")
_Read_co = TypeVar("_Read_co", covariant=True)


@dataclass(frozen=True)
class Snapshot:
    """What Route 53 held at one moment. The zone has no records if the API does not have it."""

    zone: dns_records.Zone
    checks: tuple[dns_health.Check, ...]


class Source(Protocol[_Read_co]):
    """What can be read of an API."""

    @property
    def service(self) -> str:
        """Whose changes are a reason to read again."""
        ...

    def read(self) -> _Read_co:
        """What the API holds now; ServiceUnreachable. Blocks for some seconds at worst, so call it from a thread."""
        ...


class Route53:
    """Reads one zone and all health checks of the account."""

    service = ROUTE53

    def __init__(self, aws_url: str, zone: str) -> None:
        self._url = aws_url
        self._zone = dns_records.absolute(zone)
        self._client = impatient(session(), aws_url, "route53", "us-east-1", READ_TIMEOUT_SECONDS)

    def read(self) -> Snapshot:
        try:
            records = [dns_records.from_api(found) for found in self._record_sets()]
            pages = self._client.get_paginator("list_health_checks").paginate()
            checks = tuple(dns_health.from_api(found) for page in pages for found in page["HealthChecks"])
        except (BotoCoreError, ClientError) as error:
            raise ServiceUnreachable("read Route 53's records", self._url, str(error)) from error
        return Snapshot(dns_records.Zone(self._zone, records), checks)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _record_sets(self) -> list[dict[str, Any]]:
        zones = self._client.list_hosted_zones_by_name(DNSName=self._zone)["HostedZones"]
        ids = [zone["Id"] for zone in zones if dns_records.absolute(zone["Name"]) == self._zone]
        if not ids:
            return []
        pages = self._client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=ids[0])
        return [found for page in pages for found in page["ResourceRecordSets"]]


class RoutingControls:
    """Reads whether the account's routing controls are On, by ARN."""

    service = ROUTING

    def __init__(self, aws_url: str) -> None:
        self._url = aws_url
        self._client = impatient(session(), aws_url, ROUTING, "us-west-2", READ_TIMEOUT_SECONDS)

    def read(self) -> Mapping[str, bool]:
        try:
            pages = self._client.get_paginator("list_routing_controls").paginate()
            found = [each for page in pages for each in page["RoutingControls"]]
        except (BotoCoreError, ClientError) as error:
            raise ServiceUnreachable("read routing controls", self._url, str(error)) from error
        return {each["RoutingControlArn"]: each["RoutingControlState"] == "On" for each in found}

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


class Follower(Generic[_Read]):
    """Calls ``apply`` with what ``source`` holds, at first and after every change.

    ``router_admin_url`` tells at once when something changed; without it (""), and while it is silent, every 2 s.
    """

    def __init__(
        self,
        source: Source[_Read],
        router_admin_url: str,
        session: aiohttp.ClientSession,
        apply: Callable[[_Read], None],
    ) -> None:
        self.stale = True
        self._source = source
        self._router = router_admin_url
        self._session = session
        self._apply = apply
        self._seen = 0

    async def follow_forever(self) -> None:
        """Read, apply, wait for news; again and again."""
        while True:
            try:
                self._apply(await asyncio.to_thread(self._source.read))
            except ServiceUnreachable as error:
                if not self.stale:
                    _log.warning("answering from what was read last: %s", error)
                self.stale = True
            else:
                self.stale = False
            await self._news()

    async def _news(self) -> None:
        """Return when it is time to read again."""
        loop = asyncio.get_running_loop()
        until = loop.time() + (POLL_SECONDS if self.stale else SELDOM_SECONDS)
        while loop.time() < until:
            try:
                changed = await self._changed()
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError):
                await asyncio.sleep(POLL_SECONDS)
                return
            if changed:
                return

    async def _changed(self) -> bool:
        """Whether the API changed within the next POLL_SECONDS, as soon as known; the errors say that nobody tells."""
        if not self._router:
            raise ConnectionError("no router to ask")
        async with self._session.get(
            f"{self._router}/changes",
            params={"since": str(self._seen), "wait": str(POLL_SECONDS)},
            timeout=aiohttp.ClientTimeout(total=2 * POLL_SECONDS),
        ) as answer:
            answer.raise_for_status()
            told = await answer.json()
        self._seen = int(told["seq"])
        return any(service == self._source.service for _, service, *_ in told["services"])

"""Tells the AWS API whether the database of the region that does not write really follows the other one."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import aiohttp

from blackstart.clock import Clock
from blackstart.lab.aws.restores import MEMBER
from blackstart.lab.stores import Role, Server, StoreSet
from blackstart.lab.topology import database_arn

_log = logging.getLogger("blackstart.lab.synchronization")
CONNECTED, AWAY = "connected", "pending-resync"
LOOK_SECONDS, TELL_SECONDS = 1.0, 2.0


class Synchronization:
    """Of ``databases``, whose ``servers`` have their names. ``facts``: the URL that is told."""

    def __init__(
        self,
        databases: StoreSet,
        servers: Mapping[str, Server],
        session: aiohttp.ClientSession,
        facts: str,
        clock: Clock,
    ) -> None:
        self._databases = databases
        self._servers = servers
        self._session = session
        self._facts = facts
        self._clock = clock
        self._regions = sorted({server.region for server in servers.values()})
        self._told = dict.fromkeys(self._regions, CONNECTED)

    async def run(self) -> None:
        """Look and tell until cancelled."""
        while True:
            for region in self._regions:
                status = await self.status(region)
                if status != self._told[region] and await self._tell(region, status):
                    self._told[region] = status
            await self._clock.pause(LOOK_SECONDS)

    async def status(self, region: str) -> str:
        """``connected`` where the primary is, and where a standby hears from it."""
        primary = self._databases.primary()
        if self._servers[primary].region == region:
            return CONNECTED
        for name, server in self._servers.items():
            if server.region == region and self._databases.role(name) is Role.STANDBY and await server.streams():
                return CONNECTED
        return AWAY

    async def _tell(self, region: str, status: str) -> bool:
        """Whether it was heard. Either region's API is asked about both."""
        timeout = aiohttp.ClientTimeout(total=TELL_SECONDS)
        for asked in self._regions:
            fact = {
                "region": asked,
                "kind": MEMBER,
                "id": database_arn(region),
                "fields": {"SynchronizationStatus": status},
            }
            try:
                async with self._session.post(self._facts, json=fact, timeout=timeout) as answer:
                    answer.raise_for_status()
            except (aiohttp.ClientError, TimeoutError) as error:
                _log.warning("could not tell that %s is %s: %r", region, status, error)
                return False
        _log.info("the database of %s is %s", region, status)
        return True

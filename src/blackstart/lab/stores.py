"""Who writes, made real: one server of each of two regions is the primary, the other follows it across the ocean.

Both databases and caches work by the same rules: a fail-over first ends the old primary, then promotes the standby; a
region whose server comes back while the other one writes comes back as its standby, never as a second writer; a server
that crashed is started again in the role it had.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from blackstart.errors import LabError

_log = logging.getLogger("blackstart.lab.stores")
CHECK_SECONDS, BACK_SECONDS = 0.5, 5.0


class Role(StrEnum):
    PRIMARY = "primary"
    STANDBY = "standby"
    DOWN = "down"


class Server(Protocol):
    """The stores of one region. Every method but ``kill`` raises LabError when it cannot do its work, now."""

    def alive(self) -> bool:
        """Whether the processes run."""
        ...

    async def lead(self) -> None:
        """Start as the primary, on the data it has."""
        ...

    async def follow(self, diverged: bool) -> None:
        """Start as standby of the other region's server; ``diverged``: what we have may not be in its history."""
        ...

    async def promote(self) -> None:
        """Become the primary, from standby."""
        ...

    async def kill(self) -> None:
        """SIGKILL."""
        ...


class Pair:
    """One kind of store in two regions. ``servers`` by region; the one of ``home`` is the first primary."""

    def __init__(self, kind: str, servers: Mapping[str, Server], home: str) -> None:
        self._kind = kind
        self._servers = servers
        self._writer = home
        self._lost: frozenset[str] = frozenset()
        self._leader = home
        self.roles = dict.fromkeys(servers, Role.DOWN)
        self._diverged: set[str] = set()
        self._wake = asyncio.Event()
        self._settled = asyncio.Condition()

    def started(self, region: str, role: Role) -> None:
        """``region``'s server was started as ``role`` by somebody else, at the start of the lab."""
        self.roles[region] = role

    def want(self, writer: str) -> None:
        """``writer`` is the region that should take writes."""
        if writer in self._servers and writer != self._writer:
            self._writer = writer
            self._wake.set()

    async def lose(self, regions: frozenset[str]) -> None:
        """The servers of exactly ``regions`` are gone and stay away when this returns.

        The others are back then too, unless that takes longer than 5 s: a standby whose way to its primary is cut
        comes back when it can.
        """
        self._lost = regions
        self._wake.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BACK_SECONDS), self._settled:
                await self._settled.wait_for(lambda: self._lost != regions or self._is_settled())

    def _is_settled(self) -> bool:
        return all((role is Role.DOWN) == (region in self._lost) for region, role in self.roles.items())

    async def run(self) -> None:
        """Keep it so until cancelled."""
        while True:
            self._wake.clear()
            try:
                await self._settle()
            except LabError as error:
                _log.warning("%s; trying again", error)
            async with self._settled:
                self._settled.notify_all()
            try:
                async with asyncio.timeout(CHECK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _settle(self) -> None:
        await self._take_note()
        writer = self._writer
        if self._leader != writer and self.roles[writer] is Role.STANDBY:
            await self._fail_over(writer)
        await self._bring_back()

    async def _take_note(self) -> None:
        """End what is lost, and see what has ended by itself."""
        for region, server in self._servers.items():
            if region in self._lost and self.roles[region] is not Role.DOWN:
                await server.kill()
                self.roles[region] = Role.DOWN
                _log.info("%s of %s is gone", self._kind, region)
            elif self.roles[region] is not Role.DOWN and not server.alive():
                await server.kill()
                self.roles[region] = Role.DOWN
                _log.warning("%s of %s ended by itself", self._kind, region)

    async def _fail_over(self, writer: str) -> None:
        old = self._leader
        if self.roles[old] is not Role.DOWN:
            await self._servers[old].kill()
            self.roles[old] = Role.DOWN
        await self._servers[writer].promote()
        self.roles[writer] = Role.PRIMARY
        self._leader = writer
        self._diverged = {old}
        _log.info("%s of %s is the primary now", self._kind, writer)

    async def _bring_back(self) -> None:
        down = [region for region, role in self.roles.items() if role is Role.DOWN and region not in self._lost]
        if self._leader in down:
            await self._servers[self._leader].lead()
            self.roles[self._leader] = Role.PRIMARY
        for region in down:
            if region != self._leader and self.roles[self._leader] is Role.PRIMARY:
                await self._servers[region].follow(region in self._diverged)
                self.roles[region] = Role.STANDBY
                self._diverged.discard(region)
                _log.info("%s of %s follows", self._kind, region)

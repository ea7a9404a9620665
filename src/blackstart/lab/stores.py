"""Who writes, made real: of all servers of one kind of store, in two regions, one is the primary and all others follow.

Databases and caches work by the same rules. A fail-over first ends the old primary, then promotes its heir; so does a
switch-over to the other region, but it ends the old primary in peace, when its heir has everything. A server that
comes back while another one writes comes back as its follower, never as a second writer. A server that crashed is
started again in the role it had.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from blackstart.clock import Clock
from blackstart.errors import LabError, ServiceUnreachable

_log = logging.getLogger("blackstart.lab.stores")
CHECK_SECONDS, SOON_SECONDS, BACK_SECONDS = 0.5, 0.1, 5.0
SWITCH_SECONDS = 15.0
"""How long a switch-over waits for an heir that does not stream: longer, and the old primary counts as unreachable."""


class Role(StrEnum):
    PRIMARY = "primary"
    STANDBY = "standby"
    """Leads the region that does not write."""
    REPLICA = "replica"
    DOWN = "down"


@dataclass(frozen=True)
class Led:
    """Who should lead, as the AWS API has it: the region that writes, and the server that leads each region.

    ``restarts``: every restart that was ever asked for, as (server, when).
    """

    region: str
    heads: Mapping[str, str]
    restarts: frozenset[tuple[str, str]] = frozenset()


class Server(Protocol):
    """One server. Every method but ``kill`` raises LabError when it cannot do its work, now."""

    @property
    def region(self) -> str: ...

    def alive(self) -> bool:
        """Whether the processes run."""
        ...

    async def lead(self) -> None:
        """Start as the primary, on the data it has."""
        ...

    async def follow(self, primary: str, diverged: bool) -> None:
        """Follow ``primary`` from now on, running or not; ``diverged``: what we have may not be in its history."""
        ...

    async def streams(self) -> bool:
        """Whether it follows a primary that it hears of, right now."""
        ...

    async def promote(self, shares: str) -> None:
        """Become the primary; with what ``shares``, a dead server of our region, had and we have not yet ("": none)."""
        ...

    async def stop(self) -> None:
        """End in peace, when all that follow have everything; within seconds, else as ``kill``."""
        ...

    async def kill(self) -> None:
        """SIGKILL."""
        ...


Leads = Callable[[str, str], Awaitable[None]]
"""Told a region and the server that leads it, whenever that changes."""


class StoreSet:
    """One kind of store. ``servers`` by name; the first of the dict is the first primary."""

    def __init__(self, kind: str, servers: Mapping[str, Server], leads: Leads, clock: Clock) -> None:
        self._kind = kind
        self._servers = servers
        self._leads = leads
        self._clock = clock
        self._primary = next(iter(servers))
        firsts = {server.region: name for name, server in reversed(tuple(servers.items()))}
        self._wanted = Led(self._servers[self._primary].region, firsts)
        self._told = dict(firsts)
        self._up: set[str] = set()
        self._diverged: set[str] = set()
        self._astray: set[str] = set()
        self._restarts: frozenset[tuple[str, str]] | None = None
        self._due: set[str] = set()
        self._orderly_until = 0.0
        self._lost: frozenset[str] = frozenset()
        self._wake = asyncio.Event()
        self._settled = asyncio.Condition()

    def started(self) -> None:
        """All servers run in their first roles: somebody else saw to it, at the start of the lab."""
        self._up = set(self._servers)

    def role(self, name: str) -> Role:
        """What the server of that name is, now."""
        if name not in self._up:
            return Role.DOWN
        if name == self._primary:
            return Role.PRIMARY
        return Role.STANDBY if name == self._head(self._servers[name].region) else Role.REPLICA

    def primary(self) -> str:
        """The name of the server that takes writes, or did before it went down."""
        return self._primary

    def want(self, led: Led, *, orderly: bool = False) -> None:
        """Make it as ``led`` says; ``orderly``: by a switch-over, which loses nothing."""
        fresh = led.restarts - (led.restarts if self._restarts is None else self._restarts)
        self._restarts = led.restarts
        self._due |= {name for name, _ in fresh if name in self._servers}
        if led.region != self._wanted.region:
            self._orderly_until = self._clock.monotonic() + SWITCH_SECONDS if orderly else 0.0
        changed = (led.region, led.heads) != (self._wanted.region, self._wanted.heads)
        self._wanted = led
        if changed or self._due:
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
        return all((name in self._up) != (server.region in self._lost) for name, server in self._servers.items())

    async def run(self) -> None:
        """Keep it so until cancelled."""
        while True:
            self._wake.clear()
            soon = True
            try:
                soon = await self._settle()
            except (LabError, ServiceUnreachable, OSError) as error:
                _log.warning("%s; trying again", error)
            async with self._settled:
                self._settled.notify_all()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SOON_SECONDS if soon else CHECK_SECONDS):
                    await self._wake.wait()

    async def _settle(self) -> bool:
        """One round; whether something is left to do that is worth another look soon."""
        await self._take_note()
        heir, waits = self._heir(), False
        if heir in self._up and heir != self._primary:
            waits = await self._must_wait(heir)
            if not waits:
                await self._change_over(heir)
        await self._tell()
        await self._bring_back()
        return waits

    def _heir(self) -> str:
        """The server that should be the primary."""
        return self._wanted.heads.get(self._wanted.region) or self._primary

    async def _must_wait(self, heir: str) -> bool:
        in_time = self._clock.monotonic() < self._orderly_until
        return in_time and self._primary in self._up and not await self._servers[heir].streams()

    async def _take_note(self) -> None:
        """End what is lost or to be restarted, and see what has ended by itself."""
        for name in sorted(self._up):
            server = self._servers[name]
            if server.region in self._lost:
                # somebody may have made a writer of it behind our back, to see what two writers do
                self._diverged |= {name} - {self._primary}
                await self._end(name, server.kill, "is gone")
            elif not server.alive():
                await self._end(name, server.kill, "ended by itself")
            elif name in self._due:
                await self._end(name, server.stop, "restarts")
        self._due.clear()

    async def _end(self, name: str, how: Callable[[], Awaitable[None]], words: str) -> None:
        self._up.discard(name)
        _log.info("%s %s %s", self._kind, name, words)
        await how()

    async def _change_over(self, heir: str) -> None:
        old, orderly = self._primary, self._clock.monotonic() < self._orderly_until
        within = self._servers[old].region == self._servers[heir].region
        if old in self._up:
            server = self._servers[old]
            await self._end(old, server.stop if orderly and not within else server.kill, f"gives way to {heir}")
        self._diverged.add(heir)  # until it is done: half a promotion may have written already
        await self._servers[heir].promote(old if within else "")
        others = set(self._servers) - {heir}
        # an heir that has all that the old primary had is behind nobody
        self._diverged = {old} | self._diverged - {heir} if within or orderly else others
        self._astray = others
        self._primary, self._orderly_until = heir, 0.0
        _log.info("%s %s is the primary now", self._kind, heir)

    async def _bring_back(self) -> None:
        if self._primary not in self._up and self._here(self._primary):
            await self._servers[self._primary].lead()
            self._up.add(self._primary)
        if self._primary in self._up:
            lacking = [name for name in self._servers if name != self._primary and self._here(name)]
            lacking = [name for name in lacking if name not in self._up or name in self._astray]
            done = await asyncio.gather(*map(self._follow, lacking), return_exceptions=True)
            for error in filter(None, done):
                raise error

    def _here(self, name: str) -> bool:
        return self._servers[name].region not in self._lost

    async def _follow(self, name: str) -> None:
        diverged = name in self._diverged
        self._diverged.add(name)  # until it is done: what keeps it from following may be what it has
        await self._servers[name].follow(self._primary, diverged)
        self._up.add(name)
        self._diverged.discard(name)
        self._astray.discard(name)
        _log.info("%s %s follows %s", self._kind, name, self._primary)

    async def _tell(self) -> None:
        for region in self._told:
            head = self._head(region)
            if head != self._told[region]:
                await self._leads(region, head)
                self._told[region] = head

    def _head(self, region: str) -> str:
        """Who leads ``region``, really."""
        if self._servers[self._primary].region == region:
            return self._primary
        return self._wanted.heads.get(region) or self._told[region]

"""One Redis server: the lab's stand-in for a node of an ElastiCache replication group.

It keeps nothing on disk: what a killed cache held is gone, as in production without snapshots. A replica copies its
primary when it starts to follow, over whatever address it is told, and streams from then on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from blackstart.errors import LabError
from blackstart.lab.binaries import redis_version
from blackstart.lab.parts import Account, Address, Process, Spawn
from blackstart.lab.postgres_files import give

START_SECONDS = 10.0
ANSWER_SECONDS = 2.0
POLL_SECONDS = 0.01

# Redis 8 sends the first copy over a connection of its own and closes it behind the last byte, which a delayed link
# takes for a death (``links_connection``): so over one connection, as all others do.
ONE_CONNECTION = ("--repl-rdb-channel", "no")

# Nothing on disk, no waiting before a replica is served, dead connections noticed after 5 s.
# CONFIG would let anybody on this machine write files in our name.
SETTINGS = (
    *("--save", ""),
    *("--appendonly", "no"),
    *("--daemonize", "no"),
    *("--repl-diskless-sync", "yes"),
    *("--repl-diskless-sync-delay", "0"),
    *("--repl-ping-replica-period", "1"),
    *("--repl-timeout", "5"),
    *("--repl-backlog-size", "16mb"),
    *("--maxmemory", "64mb"),
    *("--maxmemory-policy", "allkeys-lru"),
    *("--rename-command", "CONFIG", ""),
)


@dataclass(frozen=True)
class CacheSpec:
    """Where one server lives.

    ``folder`` is made for it; every folder above must be open to ``account`` (None: run as we do).
    ``program`` is a Redis or Valkey server that ``account`` may run.
    """

    name: str
    folder: Path
    address: Address
    program: Path
    account: Account | None = None


class Cache:
    """A server that can be started, promoted, told to follow, and killed. Errors are LabError."""

    def __init__(self, spec: CacheSpec, spawn: Spawn) -> None:
        self.spec = spec
        self.process: Process | None = None
        self._spawn = spawn

    async def start(self, replica_of: Address | None = None) -> None:
        """Start empty, as a replica or as a primary; returns when it answers."""
        if self.process is not None and self.process.alive():
            raise LabError(f"start {self.spec.name}", "it is running already", "kill it first")
        self.spec.folder.mkdir(parents=True, exist_ok=True)
        give(self.spec.folder, self.spec.account)
        host, port = self.spec.address
        argv = [str(self.spec.program), "--bind", host, "--port", str(port), "--dir", str(self.spec.folder), *SETTINGS]
        if await asyncio.to_thread(redis_version, self.spec.program) >= 8:
            argv += ONE_CONNECTION
        if replica_of is not None:
            argv += ["--replicaof", replica_of[0], str(replica_of[1])]
        user = self.spec.account.uid if self.spec.account else None
        self.process = self._spawn(self.spec.name, argv, cwd=self.spec.folder, user=user)
        await self._until(self._answers, "start", START_SECONDS)

    async def promote(self) -> None:
        """Stop following and take writes, with what has arrived. A primary stays one."""
        await self._ask("REPLICAOF", "NO", "ONE")

    async def follow(self, primary: Address) -> None:
        """Become a replica of ``primary``; what is here is replaced by what is there."""
        await self._ask("REPLICAOF", primary[0], primary[1])

    def kill(self) -> None:
        """SIGKILL it; what it held is gone."""
        if self.process is not None:
            self.process.kill()
            self.process = None

    async def is_primary(self) -> bool:
        """Whether it runs and takes writes."""
        return (await self._replication()).get("role") == "master"

    async def is_following(self) -> bool:
        """Whether it runs as a replica with its primary's data and a connection to it."""
        state = await self._replication()
        return state.get("role") == "slave" and state.get("master_link_status") == "up"

    async def wait_following(self, seconds: float = START_SECONDS) -> None:
        """Return when it follows its primary; LabError after ``seconds``."""
        await self._until(self.is_following, "see a primary followed by", seconds)

    async def _replication(self) -> dict[str, Any]:
        """What it says about replication; nothing if it does not answer."""
        with suppress(LabError):
            return dict(await self._ask("INFO", "replication"))
        return {}

    async def _answers(self) -> bool:
        return bool(await self._replication())

    async def _ask(self, *command: str | int) -> Any:
        host, port = self.spec.address
        # the client's own retries would hide for a quarter of a minute that nobody answers
        client = redis.asyncio.Redis(
            host=host,
            port=port,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
            single_connection_client=True,
        )
        try:
            return await client.execute_command(*command)  # type: ignore[no-untyped-call]
        except (RedisError, OSError, TimeoutError) as error:
            raise LabError(f"ask {self.spec.name} for {command[0]}", str(error), self._advice()) from error
        finally:
            await client.aclose()

    async def _until(self, holds: Callable[[], Awaitable[bool]], wanted: str, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while True:
                    if await holds():
                        return
                    if self.process is None or not self.process.alive():
                        raise LabError(f"{wanted} {self.spec.name}", "it has ended", self._advice())
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise LabError(f"{wanted} {self.spec.name}", f"not so after {seconds:.0f} s", self._advice()) from None

    def _advice(self) -> str:
        return f"see the log of {self.spec.name}"

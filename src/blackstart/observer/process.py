"""The observer as a process of its own: a busy, stuck or killed drill does not disturb what it measures.

It is told what to do in one JSON line on its standard input, which then stays open: ``stop`` ends it; the end of
file says that the drill's process is gone, and then it goes on for a while, so that the undo is seen as well.
"""

from __future__ import annotations

import json
import logging
import os
import select
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from blackstart.clock import Clock, SystemClock
from blackstart.errors import JournalUnreadable, ServiceUnreachable
from blackstart.observer import events
from blackstart.observer.spec import Spec
from blackstart.settings import Settings

LOG_FILE = "observer.log"
READY = b"begun\n"
STOP = b"stop\n"
START_SECONDS = 60.0  # it takes two, on a machine with nothing else to do

logger = logging.getLogger("blackstart.observer")


class ObserverFailed(ServiceUnreachable):
    """The observer did not start, or ended by itself."""


@dataclass
class ObserverHandle:
    """A running observer, as its drill holds it."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def stop(self, timeout_seconds: float = 10) -> None:
        """End the schedule, wait for the fate of the last requests, and for everything to be on disk.

        ObserverFailed when it had ended by itself, or does not end within ``timeout_seconds`` (it is killed then).
        A second call does nothing.
        """
        pipe = _stdin(self.process)
        if pipe.closed:
            return
        try:
            pipe.write(STOP)
        except BrokenPipeError:
            logger.debug("observer %d had already ended", self.pid)
        pipe.close()
        try:
            code = self.process.wait(timeout_seconds)
        except subprocess.TimeoutExpired as error:
            self.process.kill()
            self.process.wait()
            raise _failed(self.folder, "end", f"did not end within {timeout_seconds:g} s and was killed") from error
        if code != 0:
            raise _failed(self.folder, "end", f"had ended by itself, code {code}")


def start(
    folder: Path,
    settings: Settings,
    drill: str,
    origin_monotonic: float | None = None,
    *,
    grace_seconds: float = 20,
    clock: Clock | None = None,
) -> ObserverHandle:
    """Start an observer that writes into ``folder``; returns once its schedule has begun.

    ``origin_monotonic``: the drill's origin; None: the one in ``drill.json``, else now. ``grace_seconds``: how long
    it goes on after this process is gone. ObserverFailed tells what it said when it does not begin.
    """
    origin = _origin(folder, clock or SystemClock()) if origin_monotonic is None else origin_monotonic
    spec = Spec(folder.resolve(), drill, settings, origin, grace_seconds)
    with (folder / LOG_FILE).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "blackstart.observer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            bufsize=0,
            start_new_session=True,
        )
    handle = ObserverHandle(folder, process)
    _begin(handle, json.dumps(spec.to_json()).encode() + b"\n")
    return handle


def _begin(handle: ObserverHandle, line: bytes) -> None:
    answers = _stdout(handle.process)
    try:
        _stdin(handle.process).write(line)
        ready, _, _ = select.select([answers], [], [], START_SECONDS)
        if ready and answers.read(len(READY)) == READY:
            return
    except BrokenPipeError:
        logger.debug("observer %d ended before it was told what to do", handle.pid)
    finally:
        answers.close()
    handle.process.kill()
    handle.process.wait()
    _stdin(handle.process).close()
    raise _failed(handle.folder, "start", "did not begin")


def _failed(folder: Path, wanted: str, problem: str) -> ObserverFailed:
    path = folder / LOG_FILE
    said = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return ObserverFailed(f"{wanted} the observer", "its process", problem + (f" ({said[-1]})" if said else ""))


def _origin(folder: Path, clock: Clock) -> float:
    try:
        return events.origin(folder)
    except JournalUnreadable:
        if (folder / "drill.json").exists():
            raise
        return clock.monotonic()


def _stdin(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdin is not None  # Popen was given a pipe
    return process.stdin


def _stdout(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None  # Popen was given a pipe
    return process.stdout


def read_spec(descriptor: int) -> Spec:
    """The first line of ``descriptor``; not a byte more is taken from it. ValueError when it ends before."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(descriptor, 1)
        if not byte:
            raise ValueError("standard input ended before it said what to observe")
        line += byte
    return Spec.from_json(json.loads(line))

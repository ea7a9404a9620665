"""Starting a lab as a process of its own, and ending one: what the commands of ``blackstart lab`` stand on.

The child tells its progress on a pipe, one JSON object a line: ``{"progress": words}``, then ``{"up": true}`` or
``{"failed": sentence}``. It also holds the read end of a pipe whose closing ends the lab, unless it is to stay.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from blackstart.clock import Clock
from blackstart.errors import LabError, ServiceUnreachable
from blackstart.lab import status as labs
from blackstart.lab.client import LabClient
from blackstart.lab.status import Status

END_SECONDS = 20.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Launched:
    """A lab that we started; ``owner`` is the descriptor that keeps it alive, -1 if it stays without us."""

    status: Status
    owner: int
    child: subprocess.Popen[bytes]

    def end(self, clock: Clock) -> None:
        """End a lab that does not stay; returns when nothing of it is left."""
        os.close(self.owner)
        wait_gone(self.status.name, clock)
        self.child.wait()


def launch(name: str, config: Path | None, progress: Callable[[str], None], *, stays: bool) -> Launched:
    """Start the lab called ``name`` and wait until it is up. ``stays``: it goes on when we end.

    LabError with the child's own sentence if it does not come up.
    """
    said, tells = os.pipe()
    watched, owner = os.pipe()
    command = [
        sys.executable,
        "-m",
        "blackstart.lab",
        name,
        str(config or ""),
        str(tells),
        "-1" if stays else str(watched),
    ]
    child = subprocess.Popen(
        command,
        pass_fds=(tells,) if stays else (tells, watched),
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(tells)
    os.close(watched)
    with open(said, encoding="utf-8") as lines:
        problem = _follow(lines, progress)
    if problem is not None:
        os.close(owner)
        child.wait()
        raise LabError(f"start lab {name}", problem or f"its supervisor ended with code {child.returncode}")
    status = labs.read(name)
    if status is None:
        raise LabError(f"start lab {name}", "it ended as soon as it was up")
    if stays:
        os.close(owner)
        child.returncode = 0  # ours no longer: nobody waits for it, and that is meant
    return Launched(status, -1 if stays else owner, child)


def _follow(lines: Iterable[str], progress: Callable[[str], None]) -> str | None:
    """None once the lab is up; else why it is not ("" if it did not say)."""
    for line in lines:
        told = json.loads(line)
        if "up" in told:
            return None
        if "failed" in told:
            return str(told["failed"])
        progress(told["progress"])
    return ""


def running(name: str) -> Status | None:
    """The status of the lab called ``name``, fresh from it; None if it is not up."""
    known = labs.read(name) if labs.lives(name) else None
    if known is None or known.state != "up":
        return None
    try:
        return LabClient(known.endpoints.admin).status()
    except ServiceUnreachable:
        return None


def end(name: str, clock: Clock) -> bool:
    """End the lab called ``name``; False if there is none. LabError if it does not go."""
    if not labs.lives(name):
        return False
    known = labs.read(name)
    if known is not None:
        with suppress(ServiceUnreachable):  # then it is on its way out already, or wait_gone tells
            LabClient(known.endpoints.admin).shutdown()
    wait_gone(name, clock)
    return True


def wait_gone(name: str, clock: Clock) -> None:
    """Wait until nothing of the lab is left."""
    deadline = clock.monotonic() + END_SECONDS
    while labs.lives(name):
        if clock.monotonic() > deadline:
            raise LabError(f"end lab {name}", f"it still holds {labs.root() / name}.lock after {END_SECONDS:g} s")
        clock.sleep(POLL_SECONDS)

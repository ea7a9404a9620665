"""How a process of the crash tests dies: at a boundary of the gate, for the wanted time, in the wanted way.

The product has no hook for this: the scripts beside this file hand it to ``Reach.boundary`` of the process that they
are. A death is said as ``boundary:n`` (the n-th time that the process comes by) and one of ``WAYS``, or any signal.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path

import psutil

from blackstart.clock import SystemClock

WAYS = {
    "group": "SIGKILL of the process group, as a terminal or a supervisor sends it",
    "with-reverter": "SIGKILL of the reverter, then of the drill",
    "reverter": "SIGKILL of the reverter alone; the drill goes on",
    "reverter-first": "SIGKILL of the reverter alone, and of the drill some seconds later; nobody calls recover",
}
UNWATCHED_SECONDS = 4.0
"""How long a drill may take to notice that its reverter is gone, and to have another one listen."""


class Death:
    """Called at each boundary. Notes in ``passages`` what came by, and in ``died`` when (monotonic) it struck."""

    def __init__(self, at: str, how: str, folder: Path) -> None:
        self.boundary, _, count = at.partition(":")
        self.left = int(count or 1)
        self.how = how
        self.folder = folder
        self._turn = threading.Lock()

    def __call__(self, boundary: str, changes: tuple[str, ...]) -> None:
        with self._turn:
            with (self.folder / "passages").open("a") as passages:
                passages.write(f"{boundary}\n")
            self.left -= boundary == self.boundary
            if boundary == self.boundary and not self.left:
                (self.folder / "died").write_text(str(SystemClock().monotonic()))
                strike(self.how)


def strike(how: str) -> None:
    """End this process, or what ``how`` says."""
    if how in ("with-reverter", "reverter", "reverter-first"):
        for child in psutil.Process().children():
            if "revert" in child.cmdline():
                child.kill()  # not waited for: that is its parent's
                with contextlib.suppress(psutil.NoSuchProcess):
                    while child.status() != psutil.STATUS_ZOMBIE:
                        SystemClock().sleep(0.001)
    if how == "reverter-first":
        SystemClock().sleep(UNWATCHED_SECONDS)
    if how == "group":
        os.killpg(0, signal.SIGKILL)
    if how != "reverter":
        os.kill(os.getpid(), signal.Signals[how] if how.startswith("SIG") else signal.SIGKILL)

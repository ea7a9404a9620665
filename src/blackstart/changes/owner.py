"""Which process owns a drill, so that another one can tell whether it is gone.

A process id alone is reused; with the time at which the process was created it is not. That time is counted from
the machine's start, because the wall clock may be stepped while a drill runs.
"""

from __future__ import annotations

import contextlib
import os
import platform
import signal
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Owner:
    """``boot`` names the machine's present run ("" if it cannot be told); ``created`` is in the unit of the platform:
    clock ticks since boot on Linux, seconds since 1970 elsewhere."""

    host: str
    boot: str
    pid: int
    created: float


def here(pid: int | None = None) -> Owner:
    """This process, or another one of this machine that runs."""
    wanted = os.getpid() if pid is None else pid
    return Owner(platform.node(), _boot(), wanted, _created(wanted))


def gone(owner: Owner) -> bool | None:
    """Whether that process has ended; None for one of another machine, where nobody here can know."""
    if owner.host != platform.node():
        return None
    if owner.boot != _boot():
        return True
    try:
        if psutil.Process(owner.pid).status() == psutil.STATUS_ZOMBIE:
            return True
        return _created(owner.pid) != owner.created
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return True


def interrupt(owner: Owner) -> bool:
    """Ask that process to end (SIGINT); whether it was there to be asked. Never asks this one, or another machine's."""
    if gone(owner) is not False or owner.pid == os.getpid():
        return False
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(owner.pid, signal.SIGINT)
        return True
    return False


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _created(pid: int) -> float:
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        # The name, in brackets, may hold spaces and brackets itself; the start time is the 20th field after it.
        return float(stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19])
    return float(psutil.Process(pid).create_time())

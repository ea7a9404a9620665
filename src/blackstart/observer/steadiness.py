"""What keeps the observer on its schedule while other programs want the processor, as far as the system allows it."""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

REAL_TIME_PRIORITY = 1  # the least: ahead of all that is not real time, behind all that is
PRIORITY = -10  # of nice: ahead of everything that did not ask
AUTOGROUP = Path("/proc/self/autogroup")
SPARE_FILES = 200  # for all but requests


def take(autogroup: Path = AUTOGROUP) -> dict[str, Any]:
    """Ask for what helps; what was got, as fields of an event "observer". To be called once everything is loaded.

    Real time, where it is allowed: then other programs wait while the observer works, which it does for some tens of
    microseconds a request. Else a better priority than others; where Linux shares the processor among sessions first
    (autogroup), it is the session's that counts. Threads that are begun later are given the same, so that none which
    holds the interpreter's lock is itself held up.
    """
    gc.collect()
    gc.freeze()  # what is there stays there, and need not be looked through again and again
    problem = _refused(_real_time)
    if problem:
        problem = _refused(lambda: os.setpriority(os.PRIO_PROCESS, 0, PRIORITY))
        if autogroup.exists():
            problem = problem or _refused(lambda: autogroup.write_text(str(PRIORITY), encoding="ascii"))
    found = {"pid": os.getpid(), "scheduling": scheduling(), "processors": processors()}
    return {**found, "problem": f"asked for priority {PRIORITY}: {problem}"} if problem else found


def scheduling() -> str:
    """How this process is chosen among those that want the processor: "real time", or "nice" and its number."""
    try:
        if os.sched_getscheduler(0) in {os.SCHED_FIFO, os.SCHED_RR}:
            return "real time"
    except AttributeError:
        pass  # not on this system
    return f"nice {os.getpriority(os.PRIO_PROCESS, 0)}"


def _real_time() -> None:
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(REAL_TIME_PRIORITY))
    except AttributeError as error:
        raise OSError("this system has no such thing") from error


def _refused(ask: Callable[[], object]) -> str:
    """Why the system does not give what ``ask`` asks for; "" if it does."""
    try:
        ask()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def processors() -> int:
    """How many this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def more_files() -> str:
    """Requests under way hold a connection each: take as many open files as the system lets this process have.

    Why it could not, or ""."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (ValueError, OSError) as error:
        return str(error)
    return ""


def most_requests() -> int:
    """How many requests may be under way at once, for the files that they hold."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1_000_000 if limit == resource.RLIM_INFINITY else max(100, limit - SPARE_FILES)

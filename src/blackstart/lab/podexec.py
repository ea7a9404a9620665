"""What a command does inside a pod's container.

A container of the lab holds one process, which is its pid 1, and no shell: ``kill`` is all that it understands. As
SIGKILL and SIGSTOP do work here, it is like a pod that shares its host's process ids; in one of its own, Linux keeps
pid 1 from every signal that it has no handler for.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass

NOT_FOUND, USAGE = 127, 2
Send = Callable[[int], bool]


@dataclass(frozen=True)
class Executed:
    """How a command ended, and what it said."""

    code: int
    output: str = ""
    errors: str = ""


def execute(command: Sequence[str], send: Send) -> Executed:
    """Run ``command``; ``send`` gives the container's process a signal, and says whether that process exists."""
    program, *arguments = command or [""]
    if program.rpartition("/")[2] != "kill":
        started = "OCI runtime exec failed: exec failed: unable to start container process"
        missing = f'exec: "{program}": executable file not found in $PATH: unknown'
        return Executed(NOT_FOUND, errors=f"{started}: {missing}\n")
    wanted = "TERM"
    match arguments:
        case [pid]:
            pass
        case [option, pid] if option.startswith("-") and len(option) > 1:
            wanted = option[1:]
        case ["-s" | "-n", wanted, pid]:
            pass
        case _:
            return Executed(USAGE, errors="kill: usage: kill [-s SIGNAL | -SIGNAL] PID\n")
    number = _number(wanted)
    if number is None:
        return Executed(1, errors=f"kill: {wanted}: invalid signal specification\n")
    if pid != "1" or not send(number):
        return Executed(1, errors=f"kill: ({pid}) - No such process\n")
    return Executed(0)


def signalling(pid: int) -> Send:
    """Gives signals to process ``pid``."""

    def send(number: int) -> bool:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    return send


def _number(text: str) -> int | None:
    """The signal that ``text`` names, by number or word; None if there is no such signal."""
    if text.isdigit():
        return int(text) if int(text) in {0, *signal.valid_signals()} else None
    found = signal.Signals.__members__.get(f"SIG{text.upper().removeprefix('SIG')}")
    return None if found is None else int(found)

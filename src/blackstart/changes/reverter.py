"""The reverter: a process of its own that undoes a drill's changes when the drill's process is gone.

It is in a session of its own, deaf to the signals that end the drill, and holds the read end of a pipe whose only
write end the drill holds: however the drill dies, the kernel closes that end, and the reverter reads the end of the
file at once. A drill that ends in order says so first (one byte). The reverter also ends faults that outlive their
duration.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from blackstart.changes.log import Entry
from blackstart.changes.owner import gone
from blackstart.changes.reach import Reach
from blackstart.changes.undo import put_back, undo
from blackstart.errors import BlackstartError, Refused, UndoLogGone, UndoLogUnusable

COMMAND = (sys.executable, "-m", "blackstart", "revert")
READY_SECONDS = 30.0
LOOK_SECONDS = 1.0
GIVE_UP_SECONDS = 6 * 3600.0
RELEASED, READY = b"r", b"r"


class Ending(StrEnum):
    """How a reverter's work ended, and with it what it knows about the drill."""

    RELEASED = "released"
    """The drill ended in order and nothing was left to put back."""
    REVERTED = "reverted"
    """The drill is gone, or left something in place; all of that is put back."""
    INCOMPLETE = "incomplete"
    """Something is in conflict, or could not be put back in the time given."""


class Reverter:
    """The drill's side. The process starts with ``start`` or the first ``ensure``; a dead one is started again.

    ``command`` is called with ``--log URL --drill ID --folder PATH --pipe FD --ready FD``. ``folder`` is the journal;
    what the reverter says goes to ``reverter.log`` there.
    """

    def __init__(self, log_url: str, drill: str, folder: Path, command: Sequence[str] = COMMAND) -> None:
        self._arguments = (*command, "--log", log_url, "--drill", drill, "--folder", str(folder))
        self._output = folder / "reverter.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = self._ready = -1

    @property
    def pid(self) -> int | None:
        """Process id of the running reverter."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the process, unless it runs; does not wait until it listens."""
        if self.pid is not None:
            return
        self._close()
        read_end, self._pipe = os.pipe()
        self._ready, ready_end = os.pipe()
        try:
            with self._output.open("ab") as output:
                self._process = subprocess.Popen(
                    (*self._arguments, "--pipe", str(read_end), "--ready", str(ready_end)),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=(read_end, ready_end),
                    start_new_session=True,
                )
        finally:
            os.close(read_end)
            os.close(ready_end)

    def ensure(self, subject: str) -> None:
        """Return once it listens; ``Refused(subject, …)`` if it does not come up."""
        try:
            self.start()
        except OSError as error:
            raise Refused(subject, f"the reverter could not be started ({error}), so nobody would undo it") from error
        if self._ready < 0:
            return
        listening, _, _ = select.select([self._ready], [], [], READY_SECONDS)
        if not listening or os.read(self._ready, 1) != READY:
            raise Refused(subject, f"the reverter did not start (see {self._output}), so nobody would undo it")
        os.close(self._ready)
        self._ready = -1

    def release(self, wait_seconds: float = 5.0) -> None:
        """The drill ends in order. Waits until the reverter has gone; one that still has work is left to it."""
        if self.pid is not None:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._pipe, RELEASED)
        self._close()
        if self._process is not None:
            try:
                self._process.wait(wait_seconds)
            except subprocess.TimeoutExpired:
                self._process.returncode = 0  # it outlives us on purpose; Popen must not complain about that

    def _close(self) -> None:
        for handle in (self._pipe, self._ready):
            if handle >= 0:
                os.close(handle)
        self._pipe = self._ready = -1


def run(
    drill: str,
    reach: Reach,
    pipe: int,
    ready: int,
    on_done: Callable[[Ending], None],
    *,
    give_up_seconds: float = GIVE_UP_SECONDS,
) -> Ending:
    """The reverter's side: listen until the drill is gone, undo until all is put back, then call ``on_done``.

    ``pipe`` and ``ready`` are the file descriptors that it was given. Signals that a terminal, a supervisor or a
    machine going down sends are ignored: the work ends by itself.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.write(ready, READY)
    os.close(ready)
    released, known = _listen(drill, reach, pipe)
    os.close(pipe)
    ending = _finish(drill, reach, released, known, give_up_seconds)
    on_done(ending)
    return ending


def _listen(drill: str, reach: Reach, pipe: int) -> tuple[bool, list[Entry]]:
    """Return when the drill is gone: whether it said goodbye, and the changes that were open when last seen.

    Meanwhile, faults that outlive their duration are ended.
    """
    warm: set[tuple[str, str]] = set()
    entries: list[Entry] = []
    while True:
        entries = _open_entries(drill, reach, entries)
        now = reach.clock.monotonic()
        ends = [entry.fault.ends for entry in entries if entry.fault.ends is not None]
        wait = min([LOOK_SECONDS, *(max(0.0, end - now) for end in ends if end > now)])
        heard, _, _ = select.select([pipe], [], [], wait)
        if heard:
            return os.read(pipe, 1) == RELEASED, entries
        if _owner_gone(drill, reach):
            return False, entries
        _warm(entries, reach, warm)
        now = reach.clock.monotonic()
        late = {entry.number for entry in entries if entry.fault.ends is not None and entry.fault.ends <= now}
        if late:
            with contextlib.suppress(UndoLogUnusable):
                undo(drill, reach, faults=late, patience_seconds=0)


def _finish(drill: str, reach: Reach, released: bool, known: Sequence[Entry], give_up_seconds: float) -> Ending:
    deadline = reach.clock.monotonic() + give_up_seconds
    pause, worked, patience = LOOK_SECONDS, False, max(60.0, 2 * reach.settle_seconds)
    while True:
        try:
            report = undo(drill, reach, patience_seconds=patience)
        except UndoLogUnusable as error:
            # What it held when it last answered is better than nothing, but not proven to be all.
            report = put_back(drill, known, reach, patience_seconds=patience)
            report = replace(report, log_problem=str(error))
            if isinstance(error, UndoLogGone):
                return Ending.INCOMPLETE
        worked = worked or bool(report.verified or report.restored)
        if not report.remaining and not report.log_problem:
            if report.conflicts:
                return Ending.INCOMPLETE
            return Ending.REVERTED if worked or not released else Ending.RELEASED
        if reach.clock.monotonic() > deadline:
            return Ending.INCOMPLETE
        reach.clock.sleep(pause)
        pause = min(pause * 2, 30.0)


def _open_entries(drill: str, reach: Reach, last: list[Entry]) -> list[Entry]:
    """``last``: what to go by if the undo log does not answer."""
    try:
        return [entry for entry in reach.log.entries(drill) if entry.open]
    except UndoLogUnusable:
        return last


def _owner_gone(drill: str, reach: Reach) -> bool:
    """A second way to know, should another process hold the pipe's write end by accident."""
    try:
        found = reach.log.find(drill)
    except UndoLogUnusable:
        return False
    return found is not None and gone(found.owner) is True


def _warm(entries: Sequence[Entry], reach: Reach, warm: set[tuple[str, str]]) -> None:
    """Open the clients that an undo would need, before it is needed: that takes longer than the undo itself."""
    for entry in entries:
        target = entry.change.target
        for service in {name.partition(":")[0] for name in _permissions(entry, reach)}:
            key = (service, target.cluster or target.region)
            if key in warm or not all(key):
                continue
            warm.add(key)
            with contextlib.suppress(BlackstartError):
                if service == "kubernetes":
                    reach.clients.kube(target.cluster)
                else:
                    reach.clients.aws(service, target.region)


def _permissions(entry: Entry, reach: Reach) -> tuple[str, ...]:
    try:
        return reach.kinds.lookup(entry.change.kind).permissions
    except BlackstartError:
        return ()

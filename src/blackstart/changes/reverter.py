"""The reverter: a process of its own that undoes a drill's changes when the drill's process is gone.

It is in a session of its own, deaf to the signals that end the drill, and holds the read end of a pipe whose only
write end the drill holds: however the drill dies, the kernel closes that end, and the reverter reads the end of the
file at once. A drill that ends in order says so first (one byte). The reverter also ends faults that outlive their
duration, and drills that must stop: it puts everything back at once and interrupts the drill's process.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from blackstart.changes.finish import Ending, finish
from blackstart.changes.lookout import LOOK_SECONDS, Conditions, Lookout
from blackstart.changes.owner import gone, interrupt
from blackstart.changes.reach import Reach
from blackstart.changes.undo import put_back, undo
from blackstart.errors import Refused, UndoLogUnusable

__all__ = ["Conditions", "Ending", "Reverter", "run"]

COMMAND = (sys.executable, "-m", "blackstart", "revert")
READY_SECONDS = 30.0
GIVE_UP_SECONDS = 6 * 3600.0
CHECK_SECONDS = 0.5
RELEASED, READY = b"r", b"r"


class Reverter:
    """The drill's side. The process starts with ``start`` or the first ``ensure``; one that dies before ``release`` is
    followed by another, because no fault may go unwatched.

    ``command`` is called with ``--log URL --drill ID --folder PATH --pipe FD --ready FD``. ``folder`` is the journal;
    what the reverter says goes to ``reverter.log`` there.
    """

    def __init__(self, log_url: str, drill: str, folder: Path, command: Sequence[str] = COMMAND) -> None:
        self._arguments = (*command, "--log", log_url, "--drill", drill, "--folder", str(folder))
        self._output = folder / "reverter.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = self._ready = -1
        self._turn = threading.RLock()
        self._released = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="blackstart-reverter", daemon=True)

    @property
    def pid(self) -> int | None:
        """Process id of the running reverter."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the process, unless it runs; does not wait until it listens."""
        with self._turn:
            if self.pid is not None:
                return
            self._close()
            read_end, self._pipe = os.pipe()
            self._ready, ready_end = os.pipe()
            try:
                self._process = self._spawn(read_end, ready_end)
            finally:
                os.close(read_end)
                os.close(ready_end)
            if self._keeper.ident is None:
                self._keeper.start()

    def _spawn(self, read_end: int, ready_end: int) -> subprocess.Popen[bytes]:
        with self._output.open("ab") as output:
            return subprocess.Popen(
                (*self._arguments, "--pipe", str(read_end), "--ready", str(ready_end)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(read_end, ready_end),
                start_new_session=True,
            )

    def _keep(self) -> None:
        while not self._released.wait(CHECK_SECONDS):
            with self._turn, contextlib.suppress(OSError):  # then at the next check
                if self._process is not None and self._process.poll() and not self._released.is_set():
                    self.start()

    def ensure(self, subject: str) -> None:
        """Return once it listens; ``Refused(subject, …)`` if it does not come up."""
        with self._turn:
            try:
                self.start()
            except OSError as error:
                raise Refused(
                    subject, f"the reverter could not be started ({error}), so nobody would undo it"
                ) from error
            if self._ready < 0:
                return
            listening, _, _ = select.select([self._ready], [], [], READY_SECONDS)
            if not listening or os.read(self._ready, 1) != READY:
                raise Refused(subject, f"the reverter did not start (see {self._output}), so nobody would undo it")
            os.close(self._ready)
            self._ready = -1

    def release(self, wait_seconds: float = 5.0) -> None:
        """The drill ends in order. Waits until the reverter has gone; one that still has work is left to it."""
        self._released.set()
        with self._turn:
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
    conditions: Conditions | None = None,
    give_up_seconds: float = GIVE_UP_SECONDS,
) -> Ending:
    """The reverter's side: listen until the drill is gone, undo until all is put back, then call ``on_done``.

    ``pipe`` and ``ready`` are the file descriptors that it was given. Signals that a terminal, a supervisor or a
    machine going down sends are ignored: the work ends by itself.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    lookout = Lookout(drill, reach, conditions or Conditions())
    lookout.start()
    os.write(ready, READY)
    os.close(ready)
    released = _Listening(drill, reach, lookout, pipe).until_gone()
    os.close(pipe)
    ending = finish(drill, reach, lookout, released, give_up_seconds)
    lookout.close()
    if ending is not Ending.TAKEN_OVER:
        with contextlib.suppress(UndoLogUnusable):  # then the drill stays listed, for `blackstart recover` to end
            reach.log.end(drill)
    on_done(ending)
    return ending


class _Listening:
    """Waits for the drill to go, and meanwhile ends what must not last."""

    def __init__(self, drill: str, reach: Reach, lookout: Lookout, pipe: int) -> None:
        self._drill, self._reach, self._lookout, self._pipe = drill, reach, lookout, pipe
        self._interrupted = False

    def until_gone(self) -> bool:
        """Return when the drill is gone: whether it said goodbye."""
        lookout = self._lookout
        while True:
            now = self._reach.clock.monotonic()
            ends = [entry.fault.ends for entry in lookout.entries if entry.fault.ends is not None]
            wait = min([LOOK_SECONDS, *(end - now for end in ends if end > now)])
            heard, _, _ = select.select([self._pipe, lookout.wake], [], [], wait)
            if self._pipe in heard:
                return os.read(self._pipe, 1) == RELEASED
            if lookout.wake in heard:
                os.read(lookout.wake, 64)
            if lookout.owner is not None and gone(lookout.owner) is True:
                return False  # a second way to know, should another process hold the pipe's write end by accident
            if lookout.stopping or lookout.lost:
                self._stop()
            else:
                self._end_late_faults()

    def _stop(self) -> None:
        """The drill is interrupted once; what it still applies after that is found at the next look, or at its end."""
        if not self._interrupted and self._lookout.owner is not None:
            self._interrupted = interrupt(self._lookout.owner)
        if not self._lookout.lost:
            self._undo(None, patience_seconds=2 * self._reach.settle_seconds)

    def _end_late_faults(self) -> None:
        now = self._reach.clock.monotonic()
        ends = {entry.number: entry.fault.ends for entry in self._lookout.entries}
        late = {number for number, end in ends.items() if end is not None and end <= now}
        if late:
            self._undo(late, patience_seconds=0)

    def _undo(self, faults: set[int] | None, patience_seconds: float) -> None:
        known = [entry for entry in self._lookout.entries if faults is None or entry.number in faults]
        try:
            undo(
                self._drill,
                self._reach,
                faults=faults,
                patience_seconds=patience_seconds,
                under_way=True,
                go_on=self._go_on,
            )
        except UndoLogUnusable:
            put_back(
                self._drill,
                known,
                self._reach,
                patience_seconds=patience_seconds,
                under_way=True,
                go_on=self._go_on,
            )

    def _go_on(self) -> bool:
        return not self._lookout.lost and not select.select([self._pipe], [], [], 0)[0]

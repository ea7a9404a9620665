"""What the reverter keeps an eye on while a drill runs, in threads of its own so that a slow API delays nothing else.

One thread reads the undo log: what is open, whether somebody told the drill to stop, and it keeps up the lease. Another
asks the stop conditions. What must be acted on at once wakes the reverter through a pipe.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from blackstart.changes.leases import BEAT_SECONDS
from blackstart.changes.log import Drill, Entry
from blackstart.changes.owner import Owner, gone, here
from blackstart.changes.reach import Reach
from blackstart.errors import BlackstartError, UndoLogUnusable

LOOK_SECONDS = 1.0


class Condition(Protocol):
    """One stop condition. ``look``: the end of a sentence if it has tripped; BlackstartError if it cannot be told."""

    @property
    def name(self) -> str: ...

    @property
    def look(self) -> Callable[[], str | None]: ...


@dataclass(frozen=True)
class Conditions:
    """What ends the drill while it runs. ``patience_seconds``: for how long a condition, or the undo log, may fail to
    answer while a fault is in."""

    all: Sequence[Condition] = ()
    every_seconds: float = 5.0
    patience_seconds: float = 20.0


class Lookout:
    """Watches one drill on behalf of this process, the reverter.

    ``entries`` are the changes that were open at the last look, ``stopping`` says why the drill must end ("" if it
    need not), ``lost`` that another process has taken the drill over, ``robbed`` that one ever had. ``wake`` is a file
    descriptor that can be read from when something of that has changed.
    """

    def __init__(self, drill: str, reach: Reach, conditions: Conditions) -> None:
        self._id, self._reach, self._conditions = drill, reach, conditions
        self._over, self._turn = threading.Event(), threading.Lock()
        self._holder = here()
        self._beaten = float("-inf")
        self._told = False
        self._warm: set[tuple[str, str]] = set()
        self.wake, self._alarm = os.pipe()
        os.set_blocking(self._alarm, False)
        self.drill: Drill | None = None
        self.entries: list[Entry] = []
        self.stopping = ""
        self.holding = self.lost = self.robbed = False
        self._threads = [threading.Thread(target=self._watch_log, name="blackstart-log", daemon=True)]
        self._threads += [
            threading.Thread(target=self._watch, args=(each,), name=f"blackstart-{each.name}", daemon=True)
            for each in conditions.all
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop watching. A thread that waits for an API is not waited for."""
        self._over.set()
        self._threads[0].join(BEAT_SECONDS)

    @property
    def owner(self) -> Owner | None:
        """The process of the drill; None as long as the log does not know the drill."""
        return self.drill.owner if self.drill else None

    def _watch_log(self) -> None:
        silence = _Silence(self._reach)
        try:
            while True:
                try:
                    self._look()
                    silence.over()
                except UndoLogUnusable as error:
                    seconds = silence.seconds()
                    if self.entries and seconds >= self._conditions.patience_seconds:
                        self._stop(f"the undo log has not answered for {seconds:.0f} s ({error.problem})")
                if self._over.wait(LOOK_SECONDS):
                    return
        finally:
            if not self._over.is_set():
                self._stop("the reverter can no longer read the undo log")

    def _look(self) -> None:
        log = self._reach.log
        self.drill = log.find(self._id)
        if self.drill is None:
            return
        self.entries = [entry for entry in log.entries(self._id) if entry.open]
        self._hold()
        reason = log.stopping(self._id)
        if reason:
            self._stop(reason)
            self._told = True
        elif self.stopping and not self._told:
            log.stop(self._id, self.stopping)
        self._open_clients()

    def _hold(self) -> None:
        """Keep up the lease; at first, take it from the drill's process, or from a reverter that has ended."""
        with self._turn:
            if self._reach.clock.monotonic() - self._beaten >= BEAT_SECONDS:
                self._beat()
                self._beaten = self._reach.clock.monotonic()

    def _beat(self) -> None:
        log = self._reach.log
        self.drill = self.drill or log.find(self._id)
        if self.holding:
            self.holding = log.beat(self._id, self._holder)
            self._lose(not self.holding)
        else:
            lease = log.lease(self._id)
            if lease is None or self.drill is None:
                return
            if lease.holder in (self.drill.owner, self._holder) or gone(lease.holder) is True:
                self.holding = log.take(self._id, self._holder, lease)
                self._lose(False)
            else:
                self._lose(True)

    def _lose(self, lost: bool) -> None:
        if lost and not self.lost:
            self._ring()
        self.lost = lost
        self.robbed = self.robbed or lost

    def still_ours(self) -> bool:
        """Whether nobody has taken the drill over by now; as far as is known, if the undo log does not answer."""
        with contextlib.suppress(UndoLogUnusable):
            self._beaten = float("-inf")
            self._hold()
        return not self.lost

    def regain(self) -> None:
        """The drill is this process's again."""
        self.holding, self.lost = True, False

    def _open_clients(self) -> None:
        """Those that an undo would need, before it is needed: that takes longer than the undo itself."""
        for entry in self.entries:
            target = entry.change.target
            for service in {name.partition(":")[0] for name in self._permissions(entry)}:
                key = (service, target.cluster or target.region)
                if key in self._warm or not all(key):
                    continue
                self._warm.add(key)
                with contextlib.suppress(BlackstartError):
                    if service == "kubernetes":
                        self._reach.clients.kube(target.cluster)
                    else:
                        self._reach.clients.aws(service, target.region)

    def _permissions(self, entry: Entry) -> tuple[str, ...]:
        try:
            return self._reach.kinds.lookup(entry.change.kind).permissions
        except BlackstartError:
            return ()

    def _watch(self, condition: Condition) -> None:
        silence = _Silence(self._reach)
        try:
            while not self._over.is_set():
                reason = self._asked(condition, silence)
                if reason:
                    self._stop(reason)
                    return
                self._over.wait(self._conditions.every_seconds)
        finally:
            if not self._over.is_set():
                self._stop(f"{condition.name} is no longer watched")

    def _asked(self, condition: Condition, silence: _Silence) -> str | None:
        try:
            reason = condition.look()
            silence.over()
        except BlackstartError as error:
            if not self.entries:
                silence.over()  # without a fault nothing has to be ended
                return None
            seconds = silence.seconds()
            if seconds < self._conditions.patience_seconds:
                return None
            return f"{condition.name} could not be checked for {seconds:.0f} s ({error})"
        return reason

    def _stop(self, reason: str) -> None:
        """The first reason stays; whoever told the log before us is first."""
        if self.stopping:
            return
        self.stopping = reason
        self._ring()
        with contextlib.suppress(UndoLogUnusable):  # then the next look tells the log
            self._reach.log.stop(self._id, reason)

    def _ring(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._alarm, b"!")


class _Silence:
    """For how long something has not answered, in seconds of this machine."""

    def __init__(self, reach: Reach) -> None:
        self._clock = reach.clock
        self._since: float | None = None

    def over(self) -> None:
        self._since = None

    def seconds(self) -> float:
        """It has not answered now, either. 0 the first time."""
        now = self._clock.monotonic()
        self._since = now if self._since is None else self._since
        return now - self._since

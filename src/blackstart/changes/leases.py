"""Looking after a drill: one process at a time, and whether it still lives.

The holder of a lease counts its beats up. Who wants to know whether it lives watches that count on a clock of their
own: one that stands still for ``LEASE_SECONDS`` means that nobody looks after the drill any more.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from blackstart.changes.log import Drill, Lease, UndoLog
from blackstart.changes.owner import Owner, gone
from blackstart.clock import Clock
from blackstart.errors import UndoLogUnusable

LEASE_SECONDS = 20.0
BEAT_SECONDS = 4.0
TRIES = 10


class Pulse:
    """Watches one lease: has its count stood still for ``seconds``?"""

    def __init__(self, clock: Clock, seconds: float = LEASE_SECONDS) -> None:
        self._clock = clock
        self._seconds = seconds
        self._seen: Lease | None = None
        self._since = 0.0

    def still(self, lease: Lease) -> bool:
        """``lease`` as it is now."""
        now = self._clock.monotonic()
        if lease != self._seen:
            self._seen, self._since = lease, now
        return now - self._since >= self._seconds


def abandoned(drill: Drill, lease: Lease, pulse: Pulse) -> bool:
    """Whether nobody looks after ``drill``: its holder has ended or fallen silent, and its own process is not known to
    run."""
    ended = gone(lease.holder)
    silent = pulse.still(lease) if ended is None else ended
    return silent and gone(drill.owner) is not False


def seize(log: UndoLog, drill: str, holder: Owner) -> bool:
    """Take the lease from whoever has it, between two of their beats. False if that never succeeds."""
    for _ in range(TRIES):
        lease = log.lease(drill)
        if lease is not None and (lease.holder == holder or log.take(drill, holder, lease)):
            return True
    return False


class Held:
    """A lease that this process holds, and keeps up from a thread. ``lost``: somebody else took it."""

    def __init__(self, log: UndoLog, drill: str, holder: Owner) -> None:
        self._log, self._drill, self._holder = log, drill, holder
        self._over = threading.Event()
        self.lost = False

    def keep(self) -> None:
        """Beat until the lease is lost or over. A log that does not answer now may answer the next time."""
        while not self._over.wait(BEAT_SECONDS) and not self.lost:
            with contextlib.suppress(UndoLogUnusable):
                self.lost = not self._log.beat(self._drill, self._holder)

    def end(self) -> None:
        self._over.set()


@contextmanager
def holding(log: UndoLog, drill: str, holder: Owner) -> Iterator[Held]:
    """Keep up the lease that ``holder`` has taken, for as long as the block lasts."""
    held = Held(log, drill, holder)
    thread = threading.Thread(target=held.keep, name=f"blackstart-lease-{drill}", daemon=True)
    thread.start()
    try:
        yield held
    finally:
        held.end()
        thread.join(BEAT_SECONDS)

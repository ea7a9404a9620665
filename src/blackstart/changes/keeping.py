"""Keeping a fault up: whatever comes back while it lasts is changed again, as it appears.

Each round is a fault of its own that passes the gate, so what is done again is in the undo log before it is done, and
counts for the scope. A keeper only finds and plans. It ends with the fault's time, with the drill's undo, with the
drill's process, or when the gate refuses; the last is told, because then the fault was not what the drill says it was.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from blackstart.access import Need
from blackstart.changes.model import Change
from blackstart.clock import Clock
from blackstart.errors import BlackstartError

JOIN_SECONDS = 30.0


class Keeper(Protocol):
    """Finds what has to be changed again."""

    def needs(self) -> Sequence[Need]:
        """The permissions that finding takes, beside those of the changes. Pure."""
        ...

    def rounds(self, ended: threading.Event) -> Iterator[Sequence[Change]]:
        """The changes of each round, as soon as something has come back; none twice. Blocking, read-only; returns soon
        after ``ended`` is set, within a second or two also while nothing comes. May raise errors of the APIs."""
        ...


class Keeping:
    """The thread of one keeper. ``inject`` is given each round and the seconds that are left; ``lapsed`` the reason,
    should the keeping end before its time."""

    def __init__(
        self,
        keeper: Keeper,
        seconds: float,
        clock: Clock,
        inject: Callable[[Sequence[Change], float], None],
        lapsed: Callable[[str], None],
    ) -> None:
        self._keeper, self._clock = keeper, clock
        self._inject, self._lapsed = inject, lapsed
        self._until = clock.monotonic() + seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="blackstart-keeping", daemon=True)
        self._timer = threading.Timer(seconds, self._ended.set)
        self._timer.daemon = True

    def start(self) -> None:
        self._timer.start()
        self._thread.start()

    def end(self) -> None:
        """Ask it to end; at once, and more than once if you like."""
        self._ended.set()

    def join(self) -> bool:
        """Wait until it has ended; False if it has not after ``JOIN_SECONDS``."""
        self._timer.cancel()
        self._thread.join(JOIN_SECONDS)
        return not self._thread.is_alive()

    def _run(self) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            for changes in self._keeper.rounds(self._ended):
                left = self._until - self._clock.monotonic()
                if self._ended.is_set() or left <= 0:
                    return
                if changes:
                    self._inject(changes, left)
        except (BlackstartError, BotoCoreError, ClientError) as error:
            if not self._ended.is_set():
                self._lapsed(str(error))
        else:
            if not self._ended.is_set():
                self._lapsed("it ended before its time")

"""Which objects a controller has to look at, now or later."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from blackstart.lab.kube.status import ApiError
from blackstart.lab.kube.store import Key

_log = logging.getLogger("blackstart.lab.kube")

# what work on an object raises that the API refuses, or that is not of the shape its kind has
CANNOT_WORK = (ApiError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class WorkQueue:
    """``monotonic`` gives seconds. A key is worked on once however often it was added meanwhile."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._due: set[Key] = set()
        self._later: dict[Key, float] = {}

    def add(self, key: Key) -> None:
        self._due.add(key)

    def work(self, sync: Callable[[Key], float | None]) -> float | None:
        """Give every due key to ``sync``, which may return the seconds after which it wants that key again.

        Returns the seconds until the next key is due, None if there is none. One object that cannot be worked on,
        whatever is in it, does not keep the others from their turn.
        """
        now = self._monotonic()
        self._due |= {key for key, when in self._later.items() if when <= now}
        due, self._due = sorted(self._due), set()
        for key in due:
            self._later.pop(key, None)
            try:
                wait = sync(key)
            except CANNOT_WORK:
                _log.exception("a controller left %s/%s as it is", key.namespace, key.name)
                continue
            if wait is not None:
                self._later[key] = now + wait
        return shortest(when - now for when in self._later.values())


def shortest(waits: Iterable[float | None]) -> float | None:
    """The smallest wait in seconds; None if nothing waits."""
    return min((wait for wait in waits if wait is not None), default=None)

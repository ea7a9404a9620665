"""What the users of a load saw, as Locust counted them; beside ``probes.users``, which is what the observer measured.

Each raises NotMeasured rather than giving a number that rests on nothing.
"""

from pathlib import Path
from typing import Any, Dict

from blackstart.clock import SystemClock
from blackstart.errors import NotMeasured
from blackstart.load import analysis, record
from blackstart.observer import events
from blackstart.probes._watched import JOURNAL_KEY, watched

__all__ = ["failed_share", "users_held", "users_served_again_seconds"]


def users_held(
    last_seconds: float = 0.0,
    unasked: int = -1,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> int:
    """The fewest users of the load at any moment of the ``last_seconds``; 0: since the fault.

    A hypothesis is asked before the method, too, when a load cannot have begun: then this gives ``unasked``, unless
    that is below zero. Once the drill has asked for a load, only what Locust told counts.
    """
    folder, now = _folder(configuration)
    if unasked >= 0 and not any(event.kind == "load" for event in events.read(folder)):
        return unasked
    start = now - last_seconds if last_seconds > 0 else watched(configuration).fault_at()
    return analysis.users_held(_loaded(folder), start, now).low


def failed_share(last_seconds: float, configuration: Dict[str, Any] = None) -> float:  # type: ignore[assignment]
    """Share of the load's requests that failed, of those that ended in the ``last_seconds``."""
    folder, now = _folder(configuration)
    found = analysis.failed_share(_loaded(folder), now - last_seconds, now)
    if found is None:
        raise NotMeasured("the load's failed share", f"no request of it ended in the last {last_seconds:g} s")
    return found


def users_served_again_seconds(
    limit_seconds: float,
    largest_failed_share: float = 0.01,
    window_seconds: float = 10.0,
    configuration: Dict[str, Any] = None,  # type: ignore[assignment]
) -> float | None:
    """Seconds from the fault until no more than ``largest_failed_share`` of the load's requests failed for a window.

    Waits for it, at most ``limit_seconds`` from the fault, and gives None if it did not come. Later than what the
    observer measures: each user who holds a connection to what is gone learns of that by a request that times out.
    """
    clock = SystemClock()
    fault = watched(configuration, clock).fault_at()
    folder, now = _folder(configuration)
    while now < fault + limit_seconds:
        if now >= fault + 2 * window_seconds:
            found = analysis.failed_share(_loaded(folder), now - window_seconds, now)
            if found is not None and found <= largest_failed_share:
                return max(now - window_seconds - fault, 0.0)
        clock.sleep(1.0)
        folder, now = _folder(configuration)
    return None


def _loaded(folder: Path) -> record.Loaded:
    loaded = record.read(folder)
    if loaded is None:
        raise NotMeasured("the load", "none was started in this drill")
    return loaded


def _folder(configuration: Dict[str, Any]) -> tuple[Path, float]:
    """The drill's journal, and now in seconds since its origin."""
    now = watched(configuration).now()
    return Path(configuration[JOURNAL_KEY]), now

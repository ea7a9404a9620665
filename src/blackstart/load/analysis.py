"""What the record of a load says: users held, requests a second, connections made again, and recovery. Pure.

Times in seconds since the drill's origin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from blackstart.errors import NotMeasured
from blackstart.load.record import Loaded, Point, Second, Summary

SILENT_SECONDS = 10.0  # workers report every three seconds, and may have to wait for a processor


@dataclass(frozen=True)
class Held:
    """The fewest and the most of something in an interval."""

    low: int
    high: int


@dataclass(frozen=True)
class Recovery:
    """``seconds`` from the fault until users were served again, give or take ``error_seconds``; None if they were not.

    0.0 if they were all along.
    """

    seconds: float | None
    error_seconds: float = 1.0


def users_held(loaded: Loaded, start: float, end: float) -> Held:
    """Users from ``start`` to ``end``; NotMeasured unless all of that time was watched.

    The last point before ``start`` counts, because it holds until the next one.
    """
    return _held(loaded, start, end, lambda point: point.users)


def connections_held(loaded: Loaded, start: float, end: float) -> Held | None:
    """Connections that users held, likewise; None where nobody can tell."""
    if any(point.open is None for point in loaded.points):
        return None
    return _held(loaded, start, end, lambda point: point.open or 0)


def _held(loaded: Loaded, start: float, end: float, of: Callable[[Point], int]) -> Held:
    if loaded.ended:
        raise NotMeasured("users held", f"the load ended by itself: {loaded.ended}")
    before = [point for point in loaded.points if point.at <= start]
    inside = [*before[-1:], *(point for point in loaded.points if start < point.at <= end)]
    if not before:
        raise NotMeasured("users held", "the load had not begun then")
    times = [point.at for point in inside] + [end]
    gap = max((later - earlier for earlier, later in pairwise(times)), default=0.0)
    if gap > SILENT_SECONDS:
        raise NotMeasured("users held", f"Locust told nothing for {gap:.1f} s")
    return Held(min(map(of, inside)), max(map(of, inside)))


def rate(loaded: Loaded, start: float, end: float) -> float | None:
    """Requests a second that ended between ``start`` and ``end``; None without two points there."""
    inside = [point for point in loaded.points if start <= point.at <= end]
    if len(inside) < 2 or inside[-1].at <= inside[0].at:
        return None
    return (inside[-1].requests - inside[0].requests) / (inside[-1].at - inside[0].at)


def failed_share(loaded: Loaded, start: float, end: float) -> float | None:
    """Share of the requests that ended between ``start`` and ``end`` and failed; None if there was none."""
    inside = [point for point in loaded.points if start <= point.at <= end]
    made = inside[-1].requests - inside[0].requests if inside else 0
    return (inside[-1].failures - inside[0].failures) / made if made else None


def reconnects(summary: Summary, start: float, end: float) -> tuple[int, int]:
    """Connections made between ``start`` and ``end``, and the most of them in one second."""
    counts = [second.connected for second in summary.seconds if start <= second.at < end]
    return sum(counts), max(counts, default=0)


def recovery(seconds: Sequence[Second], fault_at: float, until: float, share: float, window: int) -> Recovery | None:
    """When users of the load were served again after ``fault_at``: the end of the last second before ``until`` from
    which on fewer than ``share`` of the requests begun in the next ``window`` seconds were ok.

    None where nobody can tell: there are no ``seconds`` after the fault.
    """
    after = [second for second in seconds if fault_at - 1 < second.at < until]
    if not after:
        return None
    bad = [index for index in range(len(after)) if not _served(after[index : index + window], share)]
    if not bad:
        return Recovery(0.0, 0.0)
    if bad[-1] + window >= len(after):
        return Recovery(None)
    first_good = after[bad[-1] + 1].at
    return Recovery(max(first_good - fault_at, 0.0))


def _served(window: Sequence[Second], share: float) -> bool:
    ok, failed = sum(second.ok for second in window), sum(second.failed for second in window)
    return ok + failed == 0 or ok / (ok + failed) >= share

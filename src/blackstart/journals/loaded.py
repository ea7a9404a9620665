"""The load of a drill as its journal tells, lined up with the fault. Pure, but for reading."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from blackstart.errors import JournalUnreadable, NotMeasured
from blackstart.load import analysis, record
from blackstart.load.analysis import Held, Recovery
from blackstart.load.record import Loaded

WINDOW_SECONDS = 5
SHARE = 0.99


@dataclass(frozen=True)
class Load:
    """What the users of a load saw. ``held`` and ``open`` (connections) from fault to undo; None where ``gap`` or
    nobody can tell. ``rate`` and ``failed`` (share): before the fault, and from it to undo. Seconds of latency are of
    the whole load. ``reconnects``: connections made between fault and undo, and the most in a second; None where nobody
    can tell. ``recovery`` of requests by the second in which they began.
    """

    asked: int
    held: Held | None
    gap: str
    open: Held | None
    rate: tuple[float | None, float | None]
    failed: tuple[float | None, float | None]
    requests: int
    failures: int
    p50: float | None
    p99: float | None
    reconnects: tuple[int, int] | None
    recovery: Recovery | None


def read(folder: Path, damaged: list[str]) -> Loaded | None:
    """The record in ``folder``, None if there is none; what cannot be read is damage."""
    try:
        return record.read(folder)
    except JournalUnreadable as error:
        damaged.append(f"{error.file}: {error.problem}")
        return None


def lined_up(loaded: Loaded, fault_at: float, until: float) -> Load:
    """``loaded`` between the fault and ``until``: when it was stopped, putting back began, or the samples end. Pure."""
    summary, points = loaded.summary, loaded.points
    last = points[-1] if points else None
    seconds = summary.seconds if summary else ()
    begun = next((point.at for point in points if point.requests), fault_at)
    held, gap = _held(loaded, fault_at, until)
    return Load(
        asked=summary.users if summary else max((point.users for point in points), default=0),
        held=held,
        gap=gap,
        open=None if held is None else analysis.connections_held(loaded, fault_at, until),
        rate=(analysis.rate(loaded, begun, fault_at), analysis.rate(loaded, fault_at, until)),
        failed=(analysis.failed_share(loaded, begun, fault_at), analysis.failed_share(loaded, fault_at, until)),
        requests=summary.requests if summary else last.requests if last else 0,
        failures=summary.failures if summary else last.failures if last else 0,
        p50=summary.p50 if summary else None,
        p99=summary.p99 if summary else None,
        reconnects=analysis.reconnects(summary, fault_at, until) if summary and seconds else None,
        recovery=analysis.recovery(seconds, fault_at, until, SHARE, WINDOW_SECONDS),
    )


def _held(loaded: Loaded, start: float, end: float) -> tuple[Held | None, str]:
    try:
        return analysis.users_held(loaded, start, end), ""
    except NotMeasured as error:
        return None, error.why

"""The way home, measured as the fail-over is: how long it took, how long users were not served, what was lost. Pure.

It begins with the undo and ends when the home region alone serves users again, for good: no other region answers any
more, and the share of ok requests is that of a recovery, until the end of what was watched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from blackstart.errors import NotMeasured
from blackstart.journals.data import Data
from blackstart.journals.users import Users
from blackstart.observer import analysis
from blackstart.observer.events import Event
from blackstart.observer.ledger import Lost
from blackstart.observer.outages import Edge, last_of
from blackstart.observer.samples import Outcome, Samples

STEP_SECONDS = 0.5
NOBODY = ""


@dataclass(frozen=True)
class Stint:
    """``region`` ("": nobody) gave most ok answers in [began, ended), seconds from the undo."""

    region: str
    began: float
    ended: float


@dataclass(frozen=True)
class Homecoming:
    """``edge``: when home alone served users again, seconds since the origin; None where ``gap`` says why nobody can
    tell."""

    edge: Edge | None
    gap: str = ""


@dataclass(frozen=True)
class Failback:
    """``seconds`` from the undo until home served users again; ``downtime`` of it, in which every request, of reads or
    of writes, failed; each ± its error. ``lost``: acknowledged writes that the fault had left and the way home lost,
    None where ``lost_gap`` says why that is not known. ``writer_home``: seconds from the undo until the database's
    writer was seen at home, None if it was not seen to return. With ``gap``, all else is None or empty.
    """

    gap: str = ""
    seconds: float | None = None
    error: float = 0.0
    downtime: float | None = None
    downtime_error: float = 0.0
    lost: tuple[Lost, ...] | None = None
    lost_gap: str = ""
    served: tuple[Stint, ...] = ()
    writer_home: float | None = None


def failback(users: Users | None, data: Data, events: Sequence[Event], undo_at: float | None) -> Failback:
    """What became of the way home; see the module."""
    if users is None or undo_at is None:
        return Failback("nothing was undone" if users is not None else "what users saw was not measured")
    home = users.samples.header.home_region
    if not users.moved or users.served_before != home:
        return Failback(_stayed(users, home))
    found = homecoming(users.samples, undo_at)
    if found.edge is None:
        return Failback(found.gap)
    back = found.edge.at
    outages = analysis.outages(users.samples, undo_at, back)
    lost, lost_gap = _lost(data, users.recovered_at or undo_at, undo_at, back)
    return Failback(
        seconds=round(back - undo_at, 6),
        error=found.edge.error_seconds,
        downtime=sum((outage.seconds for outage in outages), 0.0),
        downtime_error=sum((outage.error_seconds for outage in outages), 0.0),
        lost=lost,
        lost_gap=lost_gap,
        served=tuple(stints(users.samples, undo_at, back + users.samples.header.recovery_window_seconds)),
        writer_home=_writer_home(events, home, undo_at),
    )


def _stayed(users: Users, home: str) -> str:
    if users.recovered_at is None and users.had_outage:
        return "users were not served again before the undo, so there was nothing to bring back"
    return f"users were served by {users.served_after or home} all along"


def homecoming(samples: Samples, undo_at: float) -> Homecoming:
    """When the home region alone served users again after ``undo_at``, for at least a recovery window."""
    header = samples.header
    try:
        window, slowest = header.recovery_window_seconds, header.recovery_latency_seconds
        found = analysis.recovery(samples, undo_at, header.recovery_share, window, slowest=slowest)
    except NotMeasured:
        return Homecoming(None, "nothing was watched after the undo began")
    if found.lowest is None or found.highest is None:
        return Homecoming(None, f"users were not served again for good: {found.reason}")
    served = Edge(undo_at + found.lowest, undo_at + found.highest)
    inside, names = samples.between(undo_at, samples.complete_until), np.array(samples.names("region"))
    answered = np.flatnonzero((inside.outcome == Outcome.OK) & (names != "")[inside.region])
    away = np.flatnonzero((names != header.home_region)[inside.region[answered]])
    edge = served
    if len(away):
        last = answered[away[-1] : away[-1] + 2]  # the last answer from elsewhere, and the first since
        if len(last) < 2:
            return Homecoming(None, f"{names[inside.region[last[0]]]} still served users when watching ended")
        gone, home = float(inside.table.intended(last)[0]), float(inside.table.ended(last)[1])
        edge = last_of(served, Edge(gone, home))
    watched = samples.complete_until - edge.latest
    if watched < header.recovery_window_seconds - 1e-6:
        needed = f"of the {header.recovery_window_seconds:g} s that it must last"
        return Homecoming(None, f"{header.home_region} had served users for only {max(watched, 0):.1f} s {needed}")
    return Homecoming(edge)


def downtime(samples: Samples, undo_at: float, until: float) -> float:
    """Seconds in [undo_at, until) in which every request, of reads or of writes, failed."""
    return sum((outage.seconds for outage in analysis.outages(samples, undo_at, until)), 0.0)


def stints(samples: Samples, undo_at: float, until: float) -> Iterator[Stint]:
    """Who served users from the undo ``until`` they had been home for a while."""
    step = max(STEP_SECONDS, 10 * samples.gap)
    current: Stint | None = None
    for part in analysis.served_by(samples, undo_at, until, step):
        if not part.counts and not part.failed:
            continue
        region = max(part.counts, key=lambda name: part.counts[name]) if part.counts else NOBODY
        if current is not None and current.region == region:
            current = Stint(region, current.began, part.end - undo_at)
            continue
        if current is not None:
            yield current
        current = Stint(region, part.start - undo_at, part.end - undo_at)
    if current is not None:
        yield current


def _lost(data: Data, recovered_at: float, undo_at: float, back: float) -> tuple[tuple[Lost, ...] | None, str]:
    """Lost writes that the fault cannot have lost: acknowledged after it was overcome, or still found before undo."""
    if data.result is None:
        return None, data.gap
    if not data.reads or data.reads[-1].began < back:
        return None, "the writes were not read back after users were home"
    kept = [read.keys for read in data.reads if recovered_at <= read.began and read.ended <= undo_at]
    return tuple(
        each
        for each in data.result.lost
        if each.acknowledged >= recovered_at or any(each.write.key in keys for keys in kept)
    ), ""


def _writer_home(events: Sequence[Event], home: str, undo_at: float) -> float | None:
    """The first moment after ``undo_at`` at which a database that had been elsewhere was seen to write at home."""
    for event in events:
        at_home = event.at >= undo_at and event.fields.get("region") == home
        if at_home and event.kind == "database":
            if event.fields.get("state") == "writer" and event.fields.get("before") != "writer":
                return event.at - undo_at
        elif at_home and event.kind == "writer" and event.fields.get("before"):
            return event.at - undo_at
    return None

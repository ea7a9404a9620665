"""When an outage of one stream began and ended, as narrowly as its requests tell. Pure.

What each request proves, and of which moment:

- an answer: the service was up when the answer *came*;
- a failure that was told (refused, reset, a status): it was down when that *came*. A request that was being served
  when the outage began failed too, so its sending proves nothing;
- a time-out, or an answer that came too late: it was down when the request was *sent* or while it would usually have
  been served.

So an outage began after the last answer and before the first failure; and it ended after the last failure and before
the first success, taken at the same point of their lives: on arrival if failures are told at once or never, at the
end if failing takes as long as serving. Where several connections break at once and are refused from then on, or where
several requests that had waited are answered at once, that moment is the edge itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from blackstart.observer.record import Cause
from blackstart.observer.table import chunks

if TYPE_CHECKING:
    from blackstart.observer.samples import Floats, Mask
    from blackstart.observer.streams import Places, Stream

TAIL = 32  # requests of an outage that tell when it ended
AT_ONCE = 1 << 12  # outages that are looked at together, so that what it takes in between stays a few megabytes
NEAR = 16  # requests on either side of an edge that are looked at; then more
TOLD_SECONDS = 0.002  # from when a connection breaks until the observer knows
HELD = 3  # requests that had waited and are answered at once: the service let them go
SAMPLE = 100_000  # requests that tell how long serving takes


@dataclass(frozen=True)
class Pace:
    """How long good requests take from sending to the end, in seconds: the quickest, and half of them at most."""

    quickest: float
    median: float

    @property
    def slow(self) -> float:
        """What took longer had to wait. From the median, which a stall does not move."""
        return self.quickest + 4 * (self.median - self.quickest)


def pace(stream: Stream) -> Pace:
    """Of the good requests of ``stream``, an even choice of them if there are many; zeros when none was good."""
    step = max(1, len(stream) // SAMPLE)
    good = np.flatnonzero(stream.good[::step]) * step
    if not len(good):
        good = np.flatnonzero(stream.good)[:SAMPLE]
    if not len(good):
        return Pace(0.0, 0.0)
    took = stream.ended(good) - stream.sent(good)
    return Pace(float(took.min()), float(np.median(took)))


def went(stream: Stream, firsts: Places, usual: Pace) -> tuple[Floats, Floats]:
    """When the outages whose first requests have these places began: the earliest and latest moments."""
    earliest, latest = np.empty(len(firsts)), np.empty(len(firsts))
    for part in chunks(len(firsts), AT_ONCE):
        failed, broke = _first_failure(stream, firsts[part], usual)
        answered = _last_answer(stream, firsts[part], failed, usual)
        latest[part] = np.maximum(answered, failed)
        told = np.where(broke, latest[part] - TOLD_SECONDS, -np.inf)
        earliest[part] = np.maximum(np.minimum(answered, failed), told)
    return earliest, latest


def _first_failure(stream: Stream, firsts: Places, usual: Pace) -> tuple[Floats, Mask]:
    """By when it had begun; and whether connections broke then and were refused from then on."""
    found, broke = np.empty(len(firsts)), np.zeros(len(firsts), np.bool_)
    todo, width = np.arange(len(firsts)), NEAR
    while len(todo):
        cells, there = _cells(stream, firsts[todo], width)
        inside = np.logical_and.accumulate(there & ~stream.good[cells], axis=1)
        sent, ended, cause = stream.sent(cells), stream.ended(cells), _cause(stream, cells)
        moments = np.where(_untold(cause), np.minimum(ended, sent + usual.median), ended)
        moments = np.where(inside, moments, np.inf)
        which = moments.argmin(axis=1)
        rows = np.arange(len(todo))
        found[todo] = moments[rows, which]
        later = inside & (sent >= found[todo][:, np.newaxis])
        refused = later.any(axis=1) & (cause[rows, later.argmax(axis=1)] == Cause.REFUSED)
        broke[todo] = refused & (cause[rows, which] == Cause.BROKEN)
        todo = todo[inside[:, -1] & (sent[:, -1] < found[todo])]
        width *= 8
    return found, broke


def _last_answer(stream: Stream, firsts: Places, latest: Floats, usual: Pace) -> Floats:
    """When the last answer before came; what was answered long after the outage had begun had waited in it."""
    sent = stream.sent(firsts)
    found = stream.sent(np.maximum(firsts - 1, 0))
    horizon = 2 * sent - latest - usual.slow
    todo, width = np.flatnonzero(firsts > 0), NEAR
    while len(todo):
        cells, there = _cells(stream, firsts[todo] - 1, width, -1)
        ended = stream.ended(cells)
        counts = there & stream.good[cells] & (ended <= latest[todo][:, np.newaxis] + usual.slow)
        counts &= stream.sent(cells) >= horizon[todo][:, np.newaxis]
        found[todo] = np.maximum(found[todo], np.where(counts, ended, -np.inf).max(axis=1))
        todo = todo[there[:, -1] & (stream.sent(cells[:, -1]) >= horizon[todo])]
        width *= 8
    return found


def came_back(stream: Stream, lasts: Places, afters: Places, usual: Pace) -> tuple[Floats, Floats]:
    """When the outages whose last requests have the places ``lasts`` ended, and of which the next good requests are
    ``afters``, which must exist: the earliest and latest moments."""
    earliest, latest = np.empty(len(lasts)), np.empty(len(lasts))
    for part in chunks(len(lasts), AT_ONCE):
        down, took = _last_failure(stream, lasts[part])
        answered, up, held = _first_success(stream, afters[part], took, usual)
        earliest[part] = np.where(held >= HELD, answered - usual.quickest, np.minimum(down, up))
        latest[part] = np.where(held >= HELD, answered, np.maximum(down, up))
    return earliest, latest


def _last_failure(stream: Stream, lasts: Places) -> tuple[Floats, Floats]:
    """Until when it was down; and how long the last failure that was told took, 0 if none was."""
    cells, there = _cells(stream, lasts, TAIL, -1)
    bad = there & ~stream.good[cells]
    sent, ended = stream.sent(cells), stream.ended(cells)
    told = bad & ~_untold(_cause(stream, cells))
    down = np.where(told, ended, np.where(bad, sent, -np.inf)).max(axis=1)
    rows, which = np.arange(len(lasts)), told.argmax(axis=1)
    return down, np.where(told.any(axis=1), (ended - sent)[rows, which], 0.0)


def _first_success(stream: Stream, afters: Places, took: Floats, usual: Pace) -> tuple[Floats, Floats, Places]:
    """When the first answer came, from when on it was up, and how many that had waited were answered with it."""
    answered, up, held = np.empty(len(afters)), np.empty(len(afters)), np.zeros(len(afters), np.intp)
    todo, width = np.arange(len(afters)), NEAR
    while len(todo):
        cells, there = _cells(stream, afters[todo], width)
        sent, ended = stream.sent(cells), stream.ended(cells)
        good = there & stream.good[cells]
        first = np.where(good, ended, np.inf).min(axis=1)
        answered[todo] = first
        good &= sent < first[:, np.newaxis]
        waited = good & (sent < first[:, np.newaxis] - 2 * usual.slow) & (ended <= first[:, np.newaxis] + usual.slow)
        held[todo] = waited.sum(axis=1)
        # One that took longer than usual was not served on arrival, but waited.
        taken = took[todo][:, np.newaxis]
        arrived = np.minimum(np.maximum(sent + taken, ended - usual.median), ended)
        moments = np.where(taken >= usual.quickest, ended, arrived)
        up[todo] = np.where(good, moments, np.inf).min(axis=1)
        todo = todo[there[:, -1] & (sent[:, -1] < first)]
        width *= 8
    return answered, up, held


def _cells(stream: Stream, places: Places, width: int, step: int = 1) -> tuple[Places, Mask]:
    """``width`` places from each of ``places`` on, and which of them there are."""
    cells = places[:, np.newaxis] + step * np.arange(width)
    there: Mask = (cells >= 0) & (cells < len(stream))
    return np.clip(cells, 0, len(stream) - 1), there


def _untold(cause: Places) -> Mask:
    """Whether a request that was not good ended without a word of the service that it is down."""
    found: Mask = (cause == Cause.TIMEOUT) | (cause == Cause.NONE)
    return found


def _cause(stream: Stream, cells: Places) -> Places:
    found: Places = stream.table.cause[stream.rows[cells]]
    return found

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
FEW = 4  # answers that had waited, before an edge
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
    quick, waited = _answers(stream, firsts, usual)
    for part in chunks(len(firsts), AT_ONCE):
        failed, broke = _first_failure(stream, firsts[part], usual)
        answered = np.maximum(quick[part], _last_waited(stream, firsts[part], waited, failed, usual))
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
        (sent, ended), cause = _times(stream, cells), _cause(stream, cells)
        moments = np.where(_untold(cause), np.minimum(ended, sent + usual.median), ended)
        moments = np.where(inside, moments, np.inf)
        which = moments.argmin(axis=1)
        rows = np.arange(len(todo))
        found[todo] = moments[rows, which]
        later = inside & (sent >= found[todo][:, np.newaxis])
        refused = later.any(axis=1) & (cause[rows, later.argmax(axis=1)] == Cause.REFUSED)
        broke[todo] = refused & (cause[rows, which] == Cause.BROKEN)
        todo = todo[inside[:, -1] & (sent[:, -1] < found[todo])]
        width *= 3
    return found, broke


def _answers(stream: Stream, firsts: Places, usual: Pace) -> tuple[Floats, Places]:
    """When the last answer that had not waited came, of the requests before each of ``firsts``, which are in order;
    -inf where there is none. And the places of the answers that had waited."""
    found, last, waited = np.full(len(firsts), -np.inf), -np.inf, []
    end = int(firsts[-1]) if len(firsts) else 0
    for part in chunks(end):
        sent, ended, good = stream.sent(part), stream.ended(part), stream.good[part]
        late = ended - sent > usual.slow
        waited.append(np.flatnonzero(good & late) + part.start)
        came = np.maximum.accumulate(np.where(good & ~late, ended, -np.inf))
        here = slice(*np.searchsorted(firsts, (part.start, part.start + len(came)), side="right"))
        found[here] = np.maximum(came[firsts[here] - 1 - part.start], last)
        last = max(last, float(came[-1]))
    return found, np.concatenate([np.empty(0, np.intp), *waited])


def _last_waited(stream: Stream, firsts: Places, waited: Places, latest: Floats, usual: Pace) -> Floats:
    """When the request before each of ``firsts`` was sent, or one of those that had ``waited`` was answered, if that
    was later; what was answered long after the outage had begun had waited in it."""
    found = stream.sent(np.maximum(firsts - 1, 0))
    horizon = 2 * stream.sent(firsts) - latest - usual.slow
    after = np.searchsorted(waited, firsts)
    todo, width = np.flatnonzero(after > 0), FEW
    while len(todo):
        cells, there = _around(after[todo] - 1, width, -1, len(waited))
        cells = waited[cells]
        sent, ended = _times(stream, cells)
        counts = there & (ended <= latest[todo][:, np.newaxis] + usual.slow) & (sent >= horizon[todo][:, np.newaxis])
        found[todo] = np.maximum(found[todo], np.where(counts, ended, -np.inf).max(axis=1))
        todo = todo[there[:, -1] & (sent[:, -1] >= horizon[todo])]
        width *= 3
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
    sent, ended = _times(stream, cells)
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
        sent, ended = _times(stream, cells)
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
        width *= 3
    return answered, up, held


def _cells(stream: Stream, places: Places, width: int, step: int = 1) -> tuple[Places, Mask]:
    """``width`` places from each of ``places`` on, and which of them there are."""
    return _around(places, width, step, len(stream))


def _around(places: Places, width: int, step: int, size: int) -> tuple[Places, Mask]:
    """The same for a column of ``size``."""
    cells = places[:, np.newaxis] + step * np.arange(width)
    there: Mask = (cells >= 0) & (cells < size)
    return np.clip(cells, 0, size - 1), there


def _times(stream: Stream, cells: Places) -> tuple[Floats, Floats]:
    """When these were sent and when they ended. Where outages are close, a request is in many cells: its times are
    worked out once."""
    low, high = int(cells.min(initial=len(stream))), int(cells.max(initial=-1)) + 1
    if high - low > cells.size:
        return stream.sent(cells), stream.ended(cells)
    here, places = slice(low, high), cells - low
    return stream.sent(here)[places], stream.ended(here)[places]


def _untold(cause: Places) -> Mask:
    """Whether a request that was not good ended without a word of the service that it is down."""
    found: Mask = (cause == Cause.TIMEOUT) | (cause == Cause.NONE)
    return found


def _cause(stream: Stream, cells: Places) -> Places:
    found: Places = stream.table.cause[stream.rows[cells]]
    return found

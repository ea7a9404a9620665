"""Who answered: ok requests by region, zone or pod. Pure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blackstart.observer.record import Outcome
from blackstart.observer.samples import Samples
from blackstart.observer.table import CHUNK, chunks


class Answers(NamedTuple):
    """``requests`` that somebody answered, and when the first and the last of these were due, in seconds since the
    origin."""

    requests: int
    first: float
    last: float


def answers(samples: Samples, part: str) -> dict[str, Answers]:
    """The ok requests by what their ``part`` (region, zone or pod) is called, "" for those that did not say, in the
    order in which each first answered."""
    column, names = getattr(samples.table, part), samples.names(part)
    counts, first_in, last_in = (np.zeros(len(names), np.int64) for _ in range(3))
    for here in chunks(len(samples)):
        its = np.bincount(column[here][samples.outcome[here] == Outcome.OK], minlength=len(names))
        first_in[(counts == 0) & (its > 0)] = here.start
        last_in[its > 0] = here.start
        counts += its

    def places(code: int, start: int) -> NDArray[np.intp]:
        here = slice(start, start + CHUNK)
        return start + np.flatnonzero((column[here] == code) & (samples.outcome[here] == Outcome.OK))

    present = np.flatnonzero(counts).tolist()
    firsts = {code: int(places(code, int(first_in[code]))[0]) for code in present}
    found: dict[str, Answers] = {}
    for code in sorted(present, key=firsts.__getitem__):
        before = found.get(names[code])  # an index without a name is as good as none
        ends = np.array([firsts[code], places(code, int(last_in[code]))[-1]])
        first, last = samples.table.intended(ends).tolist()
        if before is not None:
            first, last = before.first, max(before.last, last)
        found[names[code]] = Answers(int(counts[code]) + (before.requests if before else 0), first, last)
    return found

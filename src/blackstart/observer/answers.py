"""Who answered: ok requests by region, zone or pod. Pure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from blackstart.observer.record import Outcome
from blackstart.observer.samples import Samples
from blackstart.observer.table import chunks


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
    counts, firsts, lasts = (np.zeros(len(names), np.int64) for _ in range(3))
    for here in chunks(len(samples)):
        places = np.flatnonzero(samples.outcome[here] == Outcome.OK)
        codes = column[here][places]
        new = codes[counts[codes] == 0][::-1]
        firsts[new] = places[counts[codes] == 0][::-1] + here.start  # of equal codes the last one stays
        lasts[codes] = places + here.start
        counts += np.bincount(codes, minlength=len(names))
    found: dict[str, Answers] = {}
    present = np.flatnonzero(counts)
    for code in present[np.argsort(firsts[present], kind="stable")].tolist():
        before = found.get(names[code])  # an index without a name is as good as none
        first, last = samples.table.intended(np.array([firsts[code], lasts[code]])).tolist()
        if before is not None:
            first, last = before.first, max(before.last, last)
        found[names[code]] = Answers(int(counts[code]) + (before.requests if before else 0), first, last)
    return found

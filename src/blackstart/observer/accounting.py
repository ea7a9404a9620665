"""What became of every write: the history against what was read back. Pure; the words are `ledger.LedgerResult`'s."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blackstart.errors import NotMeasured
from blackstart.observer.databases import WRITER
from blackstart.observer.history import NO_PLACE, Found, History
from blackstart.observer.ledger import SERVICE, Divergent, LedgerResult, Lost, ReadBack, Replica, Write
from blackstart.observer.record import Outcome

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class _View:
    """One read, in the order of the history."""

    read: ReadBack
    found: Found

    @property
    def there(self) -> Mask:
        return np.asarray(self.found.counts > 0)

    @property
    def claims(self) -> bool:
        """Whether it claims to be the truth: it is what users find, or a database that takes writes."""
        return self.read.source == SERVICE or self.read.state == WRITER

    def due(self, history: History) -> Mask:
        """What it has to have: the writes that were acknowledged before it began."""
        return history.acknowledged & (history.at <= self.read.began)


def check(writes: Sequence[Write], reads: Iterable[ReadBack]) -> LedgerResult:
    """See `ledger.check`."""
    history = History.of(writes)
    views = [_View(read, Found.of(history, read)) for read in sorted(reads, key=lambda each: (each.began, each.number))]
    deciding = _deciding(views)
    last = deciding[-1]
    latest = [view for view in views if view.read.number == last.read.number]
    acknowledged, there = history.acknowledged, last.there
    judged = acknowledged & (there | last.due(history))
    gone, unknown = judged & ~there, history.outcomes == Outcome.UNKNOWN
    return LedgerResult(
        attempted=len(history),
        acknowledged=int(acknowledged.sum()),
        found=int((judged & there).sum()),
        lost=tuple(_lost(history, gone, deciding, latest)),
        recovered=history.where(unknown & there),
        unknown=history.where(unknown & ~there),
        unexpected=_unexpected(history, latest),
        late=int((_missed(history, deciding[:-1]) & there).sum()),
        unchecked=int((acknowledged & ~judged).sum()),
        checks=len(deciding),
        duplicated=history.where(_any(history, (view.found.counts > 1 for view in latest))),
        divergent=tuple(_divergent(history, latest)),
        out_of_order=_out_of_order(history, latest),
        replicas=tuple(_replicas(history, latest)),
        by=last.read.source,
    )


def _deciding(views: Sequence[_View]) -> Sequence[_View]:
    """The reads that tell what is there, in the order of time."""
    if not views:
        raise NotMeasured("data loss", "the writes were never read back completely")
    through = [view for view in views if view.read.source == SERVICE]
    if through:
        return through
    writers = [view for view in views if view.read.state == WRITER]
    if not writers:
        raise NotMeasured("data loss", "the writes were read back from no database that takes writes")
    number = max(view.read.number for view in writers)
    regions = sorted({view.read.source for view in writers if view.read.number == number})
    if len(regions) > 1:
        problem = f"the databases of {' and '.join(regions)} both take writes, so which of them is right is not known"
        raise NotMeasured("data loss", problem)
    return writers


def _any(history: History, masks: Iterable[Mask]) -> Mask:
    chosen = np.zeros(len(history), np.bool_)
    for mask in masks:
        chosen |= mask
    return chosen


def _missed(history: History, views: Iterable[_View]) -> Mask:
    return _any(history, (view.due(history) & ~view.there for view in views))


def _lost(history: History, gone: Mask, deciding: Sequence[_View], latest: Sequence[_View]) -> Iterator[Lost]:
    missed = [(view.read.ended, view.due(history) & ~view.there) for view in deciding]
    held = [(view.read.source, view.there) for view in latest if view.read.source != SERVICE]
    for place in np.flatnonzero(gone).tolist():
        write = history[place]
        assert write.at is not None  # or it would not be an acknowledged one
        checked = tuple(ended for ended, absent in missed if absent[place])
        yield Lost(write, write.at, checked, tuple(region for region, there in held if there[place]))


def _unexpected(history: History, views: Sequence[_View]) -> tuple[str, ...]:
    failed = history.outcomes == Outcome.FAILED
    found = {write.key for write in history.where(failed & _any(history, (view.there for view in views)))}
    return tuple(sorted(found.union(*(view.found.strangers for view in views))))


def _divergent(history: History, views: Sequence[_View]) -> Iterator[Divergent]:
    """Every key that one of ``views`` has and one that claims to be the truth lacks, although it would have to have it:
    it was acknowledged before that one began, or was found before."""
    has: dict[str, set[str]] = {}
    lacks: dict[str, set[str]] = {}
    for truth in (view for view in views if view.claims):
        for view in views:
            before = view.read.ended <= truth.read.began
            settled = _any(history, [truth.due(history)]) | before
            keys = [write.key for write in history.where(view.there & ~truth.there & settled)]
            if before:
                keys += view.found.strangers.keys() - truth.found.strangers.keys()
            for key in keys:
                has.setdefault(key, set()).add(view.read.source)
                lacks.setdefault(key, set()).add(truth.read.source)
    for key in sorted(has):
        yield Divergent(key, tuple(sorted(has[key])), tuple(sorted(lacks[key])))


def _out_of_order(history: History, views: Sequence[_View]) -> tuple[Write, ...] | None:
    told = [(view.found.places, view.there) for view in views if view.found.places is not None]
    if not told:
        return None
    return history.where(_any(history, (_overtaken(history, places, there) for places, there in told)))


def _overtaken(history: History, places: NDArray[np.int64], there: Mask) -> Mask:
    """Acknowledged writes behind one that was sent after their acknowledgement."""
    known = np.flatnonzero(there & (places != NO_PLACE))
    order = known[np.argsort(places[known], kind="stable")]
    chosen = np.zeros(len(history), np.bool_)
    if len(order) > 1:
        newest: NDArray[Any] = np.maximum.accumulate(history.sent[order])
        behind = order[1:]
        chosen[behind] = history.acknowledged[behind] & (newest[:-1] > history.at[behind])
    return chosen


def _replicas(history: History, views: Sequence[_View]) -> Iterator[Replica]:
    for view in sorted(views, key=lambda each: each.read.source):
        if view.read.source != SERVICE:
            lacking = int((view.due(history) & ~view.there).sum())
            yield Replica(view.read.source, view.read.state, len(view.found), lacking)

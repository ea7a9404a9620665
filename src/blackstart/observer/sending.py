"""When requests were really sent, in that order, without a copy of all of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from blackstart.observer.samples import Floats, Mask
from blackstart.observer.table import Table, chunks


def in_order(table: Table, of: Mask | None = None) -> Iterator[Floats]:
    """When each row, or each one ``of`` them, that was sent at all was sent, in seconds since the origin, sorted; a
    part at a time. Rows are in the order in which they were due, and none is sent earlier than that."""
    waiting = np.empty(0)
    for part in chunks(table.size):
        sent = table.sent(part) if of is None else table.sent(part)[of[part]]
        waiting = np.concatenate((waiting, sent[~np.isnan(sent)]))
        waiting.sort()
        later = table.intended(slice(part.stop, part.stop + 1))
        done = int(np.searchsorted(waiting, later[0])) if len(later) else len(waiting)
        yield waiting[:done]
        waiting = waiting[done:]

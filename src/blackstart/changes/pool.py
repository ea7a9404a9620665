"""Work on batches of changes at the same time, a bounded number at once, with every result kept."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import groupby
from threading import Event
from typing import Generic, TypeVar

from blackstart.changes.kind import Kind
from blackstart.changes.model import Change
from blackstart.changes.registry import Kinds

Result = TypeVar("Result")
Item = TypeVar("Item")
AT_ONCE = 16
"""API calls under way at the same time."""


class Batch:
    """Changes of one kind and one step of one fault, few enough to be handed over together."""

    def __init__(self, kind: Kind, changes: Sequence[Change]) -> None:
        self.kind = kind
        self.changes = tuple(changes)
        self.ids = tuple(change.id for change in changes)


class Done(Generic[Result]):
    """A batch whose work is over: ``error`` or ``result``."""

    def __init__(self, batch: Batch, future: Future[Result]) -> None:
        self.batch = batch
        self.error = future.exception()
        self._future = future

    @property
    def result(self) -> Result:
        return self._future.result()


def batches(changes: Iterable[Change], kinds: Kinds) -> list[Batch]:
    """Cut ``changes`` (of one step) into batches by kind, keeping their order within a kind."""
    found = []
    for name, same in groupby(sorted(changes, key=lambda change: change.kind), key=lambda change: change.kind):
        kind, members = kinds.lookup(name), list(same)
        size = max(1, kind.batch_size)
        found += [Batch(kind, members[start : start + size]) for start in range(0, len(members), size)]
    return found


def run(
    work: Callable[[Batch], Result], todo: Sequence[Batch], limit: int, ending: Event | None = None
) -> Generator[list[Done[Result]], None, None]:
    """Do ``work`` on each batch, at most ``limit`` at once; yield what is over as it comes in, several at a time.

    Closing the iterator starts no more and waits for those under way, which ``ending`` tells that it does. The work's
    errors are results, not raised.
    """
    if not todo:
        return
    with ThreadPoolExecutor(min(limit, len(todo)), "blackstart-changes") as pool:
        futures = {pool.submit(work, batch): batch for batch in todo}
        try:
            waiting = set(futures)
            while waiting:
                over, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield [Done(futures[future], future) for future in over]
        finally:
            if ending and waiting:
                ending.set()
            for future in futures:
                future.cancel()


def each(work: Callable[[Item], None], items: Sequence[Item]) -> None:
    """Do ``work`` on every item, ``AT_ONCE`` at the same time. All are tried; then the first error is raised."""
    if len(items) == 1:
        work(items[0])
        return
    with ThreadPoolExecutor(AT_ONCE, "blackstart-calls") as pool:
        futures = [pool.submit(work, item) for item in items]
    for future in futures:
        future.result()

"""Work on batches of changes at the same time, a bounded number at once, with every result kept."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import groupby
from queue import Empty, SimpleQueue
from threading import Event
from typing import Generic, TypeVar

from blackstart.changes.kind import AT_ONCE, Kind
from blackstart.changes.model import Change
from blackstart.changes.registry import Kinds

Result = TypeVar("Result")
Item = TypeVar("Item")


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


def batches(changes: Iterable[Change], kinds: Kinds, *, looks: bool = False) -> list[Batch]:
    """Cut ``changes`` (of one step) into batches by kind, keeping their order within a kind; as large as a kind takes
    them to apply, or to look at."""
    found = []
    for name, same in groupby(sorted(changes, key=lambda change: change.kind), key=lambda change: change.kind):
        kind, members = kinds.lookup(name), list(same)
        size = max(1, kind.look_size if looks else kind.batch_size)
        found += [Batch(kind, members[start : start + size]) for start in range(0, len(members), size)]
    return found


def run(
    work: Callable[[Batch], Result], todo: Sequence[Batch], ending: Event | None = None
) -> Generator[list[Done[Result]], None, None]:
    """Do ``work`` on each batch, of each kind as many at once as it allows; yield what is over as it comes in, several
    at a time.

    Closing the iterator starts no more and waits for those under way, which ``ending`` tells that it does. The work's
    errors are results, not raised.
    """
    over: SimpleQueue[Future[Result]] = SimpleQueue()
    with ExitStack() as pools:
        futures = _submitted(work, todo, pools)
        waiting = len(futures)
        try:
            for future in futures:
                future.add_done_callback(over.put)
            while waiting:
                some = [over.get(), *_drained(over)]
                waiting -= len(some)
                yield [Done(futures[future], future) for future in some]
        finally:
            if ending and waiting:
                ending.set()
            for future in futures:
                future.cancel()


def _submitted(work: Callable[[Batch], Result], todo: Sequence[Batch], pools: ExitStack) -> dict[Future[Result], Batch]:
    futures: dict[Future[Result], Batch] = {}
    for name, group in groupby(sorted(todo, key=lambda batch: batch.kind.name), key=lambda batch: batch.kind.name):
        same = list(group)
        threads = ThreadPoolExecutor(min(same[0].kind.at_once, len(same)), f"blackstart-{name}")
        pools.enter_context(threads)
        futures |= {threads.submit(work, batch): batch for batch in same}
    return futures


def _drained(queue: SimpleQueue[Future[Result]]) -> list[Future[Result]]:
    """All that is in ``queue`` just now."""
    found = []
    try:
        while True:
            found.append(queue.get_nowait())
    except Empty:
        return found


def each(work: Callable[[Item], None], items: Sequence[Item]) -> None:
    """Do ``work`` on every item, ``AT_ONCE`` at the same time. All are tried; then the first error is raised."""
    if len(items) == 1:
        work(items[0])
        return
    with ThreadPoolExecutor(AT_ONCE, "blackstart-calls") as pool:
        futures = [pool.submit(work, item) for item in items]
    for future in futures:
        future.result()

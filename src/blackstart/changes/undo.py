"""Putting back: in reverse order, as often as it takes; compared before it is restored, read again afterwards.

Faults are undone last first, and so are the steps within one. A step that is not put back yet holds up the earlier
steps of its own fault, because they may depend on it, but no other fault.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby

from blackstart.changes import pool
from blackstart.changes.kind import Ending, Outcome
from blackstart.changes.log import Entry, Mark
from blackstart.changes.model import Change, State
from blackstart.changes.reach import Boundary, Reach
from blackstart.errors import ConfigInvalid, UndoIncomplete, UndoLogUnusable

PATIENCE_SECONDS = 120.0
FIRST_PAUSE, LONGEST_PAUSE, PAUSE_GROWTH = 0.2, 5.0, 1.5
HOLDS_UP = (Ending.PENDING,)


@dataclass(frozen=True)
class UndoReport:
    """What one undo came to, by change id; the reasons are ends of sentences.

    ``restored`` were written back by this undo, ``verified`` were read again and are as before the drill (or were never
    applied). ``conflicts`` were changed by somebody else and left so, ``remaining`` are not put back yet.
    ``log_problem``: why the undo log could not be told ("" if it was).
    """

    drill: str
    restored: tuple[str, ...] = ()
    verified: tuple[str, ...] = ()
    conflicts: Mapping[str, str] = field(default_factory=dict)
    remaining: Mapping[str, str] = field(default_factory=dict)
    log_problem: str = ""

    @property
    def complete(self) -> bool:
        """Whether everything is as it was before the drill."""
        return not self.conflicts and not self.remaining

    def require(self) -> None:
        """UndoIncomplete unless ``complete``."""
        if not self.complete:
            raise UndoIncomplete(self.drill, {**self.remaining, **self.conflicts})


def undo(
    drill: str,
    reach: Reach,
    *,
    faults: Collection[int] | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> UndoReport:
    """Put back what ``drill`` changed (only the faults with these numbers, if given), as the undo log has it.

    Tries with growing pauses until all is verified or in conflict, or until ``patience_seconds`` have passed. Does not
    raise for what could not be put back: see the report. UndoLogUnusable if the log cannot be read.
    """
    entries = [entry for entry in reach.log.entries(drill) if entry.open]
    if faults is not None:
        entries = [entry for entry in entries if entry.number in faults]
    return put_back(drill, entries, reach, patience_seconds=patience_seconds)


def put_back(
    drill: str,
    entries: Sequence[Entry],
    reach: Reach,
    *,
    never: Collection[str] = (),
    patience_seconds: float = PATIENCE_SECONDS,
) -> UndoReport:
    """As ``undo``, for ``entries`` in hand. ``never``: ids of changes that surely never were applied."""
    undoing = _Undoing(reach)
    undoing.close_unapplied(never)
    clock = reach.clock
    deadline, pause = clock.monotonic() + patience_seconds, FIRST_PAUSE
    while True:
        progress = undoing.round(entries)
        pause = FIRST_PAUSE if progress else min(pause * PAUSE_GROWTH, LONGEST_PAUSE)
        left = [entry.change.id for entry in entries if entry.change.id not in undoing.over]
        if not left or clock.monotonic() + pause > deadline:
            break
        clock.sleep(min(pause, undoing.next_look(pause)))
    conflicts = {change: outcome.note for change, outcome in undoing.outcomes.items() if _conflict(outcome)}
    return UndoReport(
        drill,
        tuple(sorted(undoing.restored)),
        tuple(sorted(undoing.over - set(conflicts))),
        conflicts,
        {change: undoing.reason(change) for change in left},
        undoing.log_problem,
    )


def _conflict(outcome: Outcome) -> bool:
    return outcome.ending is Ending.CONFLICT


class _Undoing:
    """What is known so far. ``over``: verified or in conflict. ``outcomes``: the last look at each change."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._look_again: dict[str, float] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.restored: set[str] = set()
        self.over: set[str] = set()
        self.log_problem = ""

    def close_unapplied(self, never: Collection[str]) -> None:
        """What was never applied needs no look at the target, whoever has changed that meanwhile."""
        self._record({change: Mark(State.VERIFIED, "never applied") for change in never})
        self.over |= set(never)

    def round(self, entries: Iterable[Entry]) -> bool:
        """One pass over all that is not over. Whether anything got further."""
        before = (len(self.over), len(self.restored))
        todo = sorted(entries, key=lambda entry: (entry.number, entry.change.step), reverse=True)
        for _, fault in groupby(todo, key=lambda entry: entry.number):
            for _, step in groupby(fault, key=lambda entry: entry.change.step):
                open_ = [entry for entry in step if entry.change.id not in self.over]
                self._step(open_)
                if any(self.outcomes[entry.change.id].ending in HOLDS_UP for entry in open_):
                    break
        return (len(self.over), len(self.restored)) != before

    def reason(self, change: str) -> str:
        """Why ``change`` is not over."""
        outcome = self.outcomes.get(change, Outcome(Ending.PENDING, "a later step has to be put back first"))
        return outcome.note or "not read again yet"

    def next_look(self, otherwise: float) -> float:
        """Seconds until a target that looked untouched is looked at again."""
        now = self._reach.clock.monotonic()
        return max(0.01, min([at - now for at in self._look_again.values() if at > now], default=otherwise))

    def _step(self, entries: Sequence[Entry]) -> None:
        changes = self._known(entries)
        quiet = {entry.change.id for entry in entries if entry.state in (State.UNDONE, State.CONFLICT)}
        settled = []
        for change, outcome in self._ask(changes, self._undo, Boundary.UNDOING):
            self.outcomes[change.id] = outcome
            if outcome.ending is Ending.RESTORED:
                self.restored.add(change.id)
            if outcome.done and not self._in_doubt(change, outcome, quiet):
                settled.append(change)
        self._record({change.id: Mark(State.UNDONE) for change in settled if change.id not in quiet})
        for change, outcome in self._ask(settled, self._verify, Boundary.VERIFYING):
            self.outcomes[change.id] = outcome
        self._close([entry.change for entry in entries], settled)

    def _close(self, looked_at: Sequence[Change], settled: Sequence[Change]) -> None:
        marks = {change.id: Mark(State.VERIFIED) for change in settled if self.outcomes[change.id].done}
        for change in looked_at:
            outcome = self.outcomes[change.id]
            if _conflict(outcome):
                marks[change.id] = Mark(State.CONFLICT, outcome.note)
        self._record(marks)
        self.over |= set(marks)

    def _known(self, entries: Sequence[Entry]) -> list[Change]:
        """Those whose kind is installed; the others stay open, and hold up nobody."""
        found = []
        for entry in entries:
            try:
                self._reach.kinds.lookup(entry.change.kind)
                found.append(entry.change)
            except ConfigInvalid as error:
                self.outcomes[entry.change.id] = Outcome(Ending.WAITING, str(error))
        return found

    def _in_doubt(self, change: Change, outcome: Outcome, quiet: Collection[str]) -> bool:
        """Whether an untouched target may yet change: its call may be under way still, or the read may lag."""
        if outcome.ending is Ending.RESTORED or change.id in self.restored or change.id in quiet:
            return False
        now, wait = self._reach.clock.monotonic(), self._reach.settle_seconds
        if now >= self._look_again.setdefault(change.id, now + wait):
            return False
        note = f"{change.target} looks untouched; it is looked at again, in case a call is still under way"
        self.outcomes[change.id] = Outcome(Ending.WAITING, note)
        return True

    def _ask(
        self, changes: Sequence[Change], work: Callable[[pool.Batch], Mapping[str, Outcome]], boundary: Boundary
    ) -> list[tuple[Change, Outcome]]:
        """Do ``work`` on all; an error is an outcome too: not known, ask again."""

        def observed(batch: pool.Batch) -> Mapping[str, Outcome]:
            self._reach.boundary(boundary, batch.ids)
            return work(batch)

        found = []
        todo = pool.batches(changes, self._reach.kinds)
        with closing(pool.run(observed, todo, self._reach.concurrency)) as finished:
            for done in (each for some in finished for each in some):
                for change in done.batch.changes:
                    if done.error is None:
                        found.append((change, done.result[change.id]))
                    else:
                        found.append((change, Outcome(Ending.PENDING, str(done.error) or repr(done.error))))
        return found

    def _undo(self, batch: pool.Batch) -> Mapping[str, Outcome]:
        outcomes = batch.kind.undo(batch.changes, self._reach.clients)
        self._reach.boundary(Boundary.UNDONE, batch.ids)
        return outcomes

    def _verify(self, batch: pool.Batch) -> Mapping[str, Outcome]:
        outcomes = batch.kind.verify(batch.changes, self._reach.clients)
        self._reach.boundary(Boundary.VERIFIED, batch.ids)
        return outcomes

    def _record(self, marks: Mapping[str, Mark]) -> None:
        """A log that cannot be told must not stop the undo; it will only be tried once more later."""
        if not marks:
            return
        self._reach.boundary(Boundary.MARKING, tuple(marks))
        self._reach.mirror.marked(marks)
        try:
            self._reach.log.mark(marks)
        except UndoLogUnusable as error:
            self.log_problem = str(error)
        self._reach.boundary(Boundary.MARKED, tuple(marks))

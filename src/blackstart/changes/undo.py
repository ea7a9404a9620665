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
from blackstart.changes.answers import told
from blackstart.changes.kind import Ending, Outcome
from blackstart.changes.log import Entry, Mark
from blackstart.changes.model import Change, State
from blackstart.changes.reach import Boundary, Reach
from blackstart.errors import ConfigInvalid, UndoIncomplete, UndoLogUnusable

PATIENCE_SECONDS = 120.0
FIRST_PAUSE, LONGEST_PAUSE, PAUSE_GROWTH = 0.2, 5.0, 1.5
HOLDS_UP = (Ending.PENDING,)
QUIET = (State.UNDONE, State.CONFLICT)


def always() -> bool:
    """Nothing ends the undo but its own end."""
    return True


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
    under_way: bool = False,
    go_on: Callable[[], bool] = always,
) -> UndoReport:
    """Put back what ``drill`` changed (only the faults with these numbers, if given), as the undo log has it.

    Tries with growing pauses until all is verified or in conflict, or until ``patience_seconds`` have passed, or
    ``go_on`` says no. ``under_way``: the drill's process still runs, so a change that is only planned may be applied at
    any moment; it is put back, but stays open. Does not raise for what could not be put back: see the report.
    UndoLogUnusable if the log cannot be read.
    """
    entries = [entry for entry in reach.log.entries(drill) if entry.open]
    if faults is not None:
        entries = [entry for entry in entries if entry.number in faults]
    return put_back(drill, entries, reach, patience_seconds=patience_seconds, under_way=under_way, go_on=go_on)


def put_back(
    drill: str,
    entries: Sequence[Entry],
    reach: Reach,
    *,
    never: Collection[str] = (),
    patience_seconds: float = PATIENCE_SECONDS,
    under_way: bool = False,
    go_on: Callable[[], bool] = always,
) -> UndoReport:
    """As ``undo``, for ``entries`` in hand. ``never``: ids of changes that surely never were applied."""
    undoing = _Undoing(drill, reach, under_way)
    undoing.close_unapplied(never)
    clock = reach.clock
    deadline, pause = clock.monotonic() + patience_seconds, FIRST_PAUSE
    while True:
        progress = undoing.round(entries)
        pause = FIRST_PAUSE if progress else min(pause * PAUSE_GROWTH, LONGEST_PAUSE)
        left = [entry.change.id for entry in entries if entry.change.id not in undoing.over]
        if not left or not go_on() or clock.monotonic() + pause > deadline:
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

    def __init__(self, drill: str, reach: Reach, under_way: bool) -> None:
        self._drill = drill
        self._reach = reach
        self._under_way = under_way
        self._look_again: dict[str, float] = {}
        self._alone: set[str] = set()
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
        states = {entry.change.id: entry.state for entry in entries}
        settled = []
        for change, outcome in self._ask(changes, self._undo, Boundary.UNDOING):
            self.outcomes[change.id] = outcome
            if outcome.ending is Ending.RESTORED:
                self.restored.add(change.id)
            if not self._in_doubt(change, outcome, states[change.id]) and outcome.done:
                settled.append(change)
        self._record({change.id: Mark(State.UNDONE) for change in settled if states[change.id] not in QUIET})
        for change, outcome in self._ask(settled, self._verify, Boundary.VERIFYING):
            self.outcomes[change.id] = outcome
            if _conflict(outcome):
                self._in_doubt(change, outcome, states[change.id])
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

    def _in_doubt(self, change: Change, outcome: Outcome, state: State) -> bool:
        """Whether the target may yet turn out otherwise: a call may still be under way, or the read may lag."""
        if self._under_way and state is State.PLANNED and (outcome.done or _conflict(outcome)):
            self.outcomes[change.id] = Outcome(Ending.WAITING, "the drill's process may still be applying it")
            return True
        if _conflict(outcome):
            looks = "changed by somebody else" if state is not State.CONFLICT else ""
        else:
            sure = outcome.ending is not Ending.UNTOUCHED or change.id in self.restored or state in QUIET
            looks = "" if sure else "untouched"
        now, wait = self._reach.clock.monotonic(), self._reach.settle_seconds
        if not looks or now >= self._look_again.setdefault(change.id, now + wait):
            return False
        note = f"{change.target} looks {looks}; it is looked at again, in case a call is still under way"
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
        todo = self._batches(changes)
        with closing(pool.run(observed, todo)) as finished:
            for done in (each for some in finished for each in some):
                for change in done.batch.changes:
                    if done.error is None:
                        nothing = Outcome(Ending.PENDING, f"{change.kind} does not say how it stands")
                        found.append((change, done.result.get(change.id, nothing)))
                    else:
                        self._alone.add(change.id)
                        reason = told(done.error, done.batch.kind.permissions)
                        found.append((change, Outcome(Ending.PENDING, reason)))
        return found

    def _batches(self, changes: Sequence[Change]) -> list[pool.Batch]:
        """What failed together is tried one by one from then on, so that one target cannot hold up the others."""
        kinds = self._reach.kinds
        alone = [pool.Batch(kinds.lookup(each.kind), [each]) for each in changes if each.id in self._alone]
        return [*pool.batches([each for each in changes if each.id not in self._alone], kinds, looks=True), *alone]

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
            self._reach.log.mark(self._drill, marks)
        except UndoLogUnusable as error:
            self.log_problem = str(error)
        self._reach.boundary(Boundary.MARKED, tuple(marks))

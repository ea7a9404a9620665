"""A running drill at one moment, read from its journal folder, and the words for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blackstart.errors import NotMeasured
from blackstart.journals import folder as folders
from blackstart.journals import numbers
from blackstart.journals.folder import Drill
from blackstart.journals.measure import read_events
from blackstart.journals.story import ChangeStory, stories
from blackstart.observer import analysis, steps
from blackstart.observer.events import Event
from blackstart.observer.samples import Sample, Samples, Tail

STRIP = 20
RECENT_SECONDS = 1.0
SERVED = 0.99


@dataclass(frozen=True)
class Snapshot:
    """``now`` and all other times in seconds since the drill's origin. ``samples`` None before the first request."""

    drill: Drill
    now: float
    samples: Samples | None
    events: tuple[Event, ...]
    changes: tuple[ChangeStory, ...]

    @property
    def fault_at(self) -> float | None:
        return min((change.began for change in self.changes if change.began is not None), default=None)

    @property
    def recent(self) -> Sequence[Sample]:
        """Requests whose fate became known in the last second."""
        if self.samples is None:
            return ()
        longest = self.samples.header.timeout_seconds + RECENT_SECONDS
        rows = self.samples.between(self.now - longest - RECENT_SECONDS, self.now + 1).rows
        return [row for row in rows if self.now - RECENT_SECONDS <= row.ended <= self.now]


class Watcher:
    """Reads what a drill adds to its folder, again and again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tail = Tail(folder)
        self._drill = folders.read_drill(folder)

    def look(self, monotonic: float) -> Snapshot:
        """How things stand at ``monotonic`` seconds of the machine's clock."""
        journal = folders.read(self._folder)
        try:
            samples = self._tail.samples()
        except NotMeasured:
            samples = None
        told = stories(journal.changes, self._drill.origin_monotonic)
        now = monotonic - self._drill.origin_monotonic
        return Snapshot(self._drill, now, samples, read_events(journal, []), told)


def serving(snapshot: Snapshot) -> str:
    """Who serves users now: a region, "nobody", or "" while that is not known."""
    recent = snapshot.recent
    if not recent:
        return ""
    counts: dict[str, int] = {}
    for row in recent:
        if row.ok:
            counts[row.region or "a region that does not say"] = counts.get(row.region, 0) + 1
    return max(counts, key=lambda region: counts[region]) if counts else "nobody"


def clock_line(snapshot: Snapshot) -> str:
    """``14:04:41Z  +41.3 s``; before the fault without the second part."""
    moment = numbers.clock_time(snapshot.drill.at(snapshot.now))
    fault_at = snapshot.fault_at
    return moment if fault_at is None else f"{moment}  {numbers.offset(snapshot.now - fault_at)}"


def served_strip(snapshot: Snapshot) -> str:
    """The drill so far in 20 cells: # home region, = another, . nobody, blank for nothing known."""
    samples = snapshot.samples
    if samples is None or not len(samples):
        return " " * STRIP
    home, cells = samples.header.home_region, ""
    for rows in _cells(snapshot, samples):
        ok = [row.region for row in rows if row.ok]
        most = max(set(ok), key=ok.count) if ok else ""
        cells += " " if not rows else "." if not ok else "#" if most == home else "="
    return cells


def success_strip(snapshot: Snapshot) -> str:
    """The drill so far in 20 cells: # all succeed (99 %), + some, blank for none."""
    samples = snapshot.samples
    if samples is None or not len(samples):
        return " " * STRIP
    cells = ""
    for rows in _cells(snapshot, samples):
        ok = sum(row.ok for row in rows)
        cells += " " if not ok else "#" if ok >= SERVED * len(rows) else "+"
    return cells


def _cells(snapshot: Snapshot, samples: Samples) -> list[Sequence[Sample]]:
    start = samples.rows[0].intended
    step = max(snapshot.now - start, 1.0) / STRIP
    return [samples.between(start + i * step, start + (i + 1) * step).rows for i in range(STRIP)]


def success_words(snapshot: Snapshot) -> str:
    recent = snapshot.recent
    if not recent:
        return "no request ended in the last 1 s"
    ok = sum(row.ok for row in recent)
    shown = numbers.rough_percent(ok, len(recent)) if ok else f"0{numbers.NBSP}%"
    return f"{shown}, {ok} of {len(recent)} in the last 1{numbers.NBSP}s"


def median_words(snapshot: Snapshot) -> str:
    """``24 ms → none``: before the fault, and in the last second."""
    values = sorted(row.latency for row in snapshot.recent if row.ok)
    now = numbers.latency(values[len(values) // 2]) if values else "none"
    samples, fault_at = snapshot.samples, snapshot.fault_at
    if samples is None or fault_at is None:
        return now
    try:
        return f"{numbers.latency(analysis.latency(samples, 0.0, fault_at).p50)} → {now}"
    except NotMeasured:
        return now


def step_words(snapshot: Snapshot) -> list[str]:
    """``✓ detect 18.4 s`` for each step seen, in the order of time; ``▸ promote 6.3 s`` for the next one."""
    samples, fault_at = snapshot.samples, snapshot.fault_at
    if samples is None or fault_at is None:
        return []
    seen = steps.seen(snapshot.events, samples, fault_at, samples.header.home_region)
    words, last = [], fault_at
    for name, at in sorted(seen.items(), key=lambda item: item[1]):
        words.append(f"✓ {name} {numbers.seconds(max(at - last, 0.0))}")
        last = at
    missing = [name for name in steps.STEPS if name not in seen]
    if seen and missing:
        words.append(f"▸ {missing[0]} {numbers.seconds(max(snapshot.now - last, 0.0))}")
    return words


def undo_words(snapshot: Snapshot) -> str:
    """How many changes are in place, or put back."""
    changes = snapshot.changes
    if not changes:
        return "nothing was changed yet"
    left = sum(change.left for change in changes)
    if left == len(changes):
        return f"undo ready: {numbers.plural(left, 'change')}"
    return f"undone: {len(changes) - left} of {numbers.plural(len(changes), 'change')}"

"""A running drill at one moment, read from its journal folder, and the words for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blackstart.errors import NotMeasured
from blackstart.journals import folder as folders
from blackstart.journals import numbers
from blackstart.journals.folder import Drill
from blackstart.journals.measure import read_events
from blackstart.journals.story import ChangeStory, stories
from blackstart.observer import analysis, steps
from blackstart.observer.answers import answers
from blackstart.observer.events import Event
from blackstart.observer.samples import Samples, Tail

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
    def recent(self) -> Samples | None:
        """Requests whose fate became known in the last second; None while there are none."""
        if self.samples is None:
            return None
        longest = self.samples.header.timeout_seconds + RECENT_SECONDS
        near = self.samples.between(self.now - longest - RECENT_SECONDS, self.now + 1)
        found = near.part((near.ended >= self.now - RECENT_SECONDS) & (near.ended <= self.now))
        return found if len(found) else None


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
    if recent is None:
        return ""
    found = answers(recent, "region")
    return (
        (max(found, key=lambda region: found[region].requests) or "a region that does not say") if found else "nobody"
    )


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
    for cell in _cells(snapshot, samples):
        found = answers(cell, "region")
        most = max(found, key=lambda region: found[region].requests, default="")
        cells += " " if not len(cell) else "." if not found else "#" if most == home else "="
    return cells


def success_strip(snapshot: Snapshot) -> str:
    """The drill so far in 20 cells: # all succeed (99 %), + some, blank for none."""
    samples = snapshot.samples
    if samples is None or not len(samples):
        return " " * STRIP
    cells = ""
    for cell in _cells(snapshot, samples):
        ok = int(np.count_nonzero(cell.ok))
        cells += " " if not ok else "#" if ok >= SERVED * len(cell) else "+"
    return cells


def _cells(snapshot: Snapshot, samples: Samples) -> list[Samples]:
    start = float(samples.table.intended(slice(0, 1))[0])
    step = max(snapshot.now - start, 1.0) / STRIP
    return [samples.between(start + i * step, start + (i + 1) * step) for i in range(STRIP)]


def success_words(snapshot: Snapshot) -> str:
    recent = snapshot.recent
    if recent is None:
        return "no request ended in the last 1 s"
    ok = int(np.count_nonzero(recent.ok))
    shown = numbers.rough_percent(ok, len(recent)) if ok else f"0{numbers.NBSP}%"
    return f"{shown}, {ok} of {len(recent)} in the last 1{numbers.NBSP}s"


def median_words(snapshot: Snapshot) -> str:
    """``24 ms → none``: before the fault, and in the last second."""
    recent = snapshot.recent
    values = np.sort(recent.table.latency(recent.ok)) if recent is not None else np.empty(0)
    now = numbers.latency(float(values[len(values) // 2])) if len(values) else "none"
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

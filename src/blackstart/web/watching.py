"""Running drills, each read once however many look on: a million samples are not held for every open page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from blackstart.clock import Clock
from blackstart.journals import folder as folders
from blackstart.reports.snapshot import Watcher
from blackstart.web.scene import Scene, scene
from blackstart.web.standing import Stage, Standing, moment, standing

FRESH_SECONDS = 0.4


@dataclass
class _Watched:
    """One folder that somebody watches. ``last`` is what was seen at ``at``, on the monotonic clock."""

    onlookers: int = 0
    watcher: Watcher | None = None
    last: tuple[Standing, Scene | None] | None = None
    at: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Watching:
    """What is being watched now; nothing is kept of a drill that nobody looks at."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._watched: dict[Path, _Watched] = {}

    def __len__(self) -> int:
        return len(self._watched)

    @contextmanager
    def on(self, folder: Path) -> Iterator[None]:
        """For as long as the block runs, ``look`` does not start over."""
        with self._lock:
            watched = self._watched.setdefault(folder, _Watched())
            watched.onlookers += 1
        try:
            yield
        finally:
            with self._lock:
                watched.onlookers -= 1
                if not watched.onlookers:
                    self._watched.pop(folder, None)

    def look(self, folder: Path) -> tuple[Standing, Scene | None]:
        """How the drill stands, and what is to be seen of it unless it is over; to be called inside ``on(folder)``.

        BlackstartError or OSError where the journal cannot be read (at this moment).
        """
        watched = self._watched[folder]
        with watched.lock:
            if watched.last is None or self._clock.monotonic() - watched.at >= FRESH_SECONDS:
                watched.last = self._seen(folder, watched)
                watched.at = self._clock.monotonic()
            return watched.last

    def _seen(self, folder: Path, watched: _Watched) -> tuple[Standing, Scene | None]:
        now = standing(folder, self._clock)
        if now.stage is Stage.OVER:
            return now, None
        drill = folders.read_drill(folder)
        watched.watcher = watched.watcher or Watcher(folder)
        seen = watched.watcher.look(moment(drill, now, self._clock))
        return now, scene(seen, now.stage)

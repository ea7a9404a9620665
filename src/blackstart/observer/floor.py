"""Availability as a stop condition: users hurt below a floor for so long end the drill."""

from __future__ import annotations

import math
from pathlib import Path

from blackstart.clock import Clock
from blackstart.errors import NotMeasured
from blackstart.observer import analysis
from blackstart.observer.waiting import Watched

PIECE_SECONDS = 1.0
PIECE_REQUESTS = 10
"""A piece of time is judged by at least so many requests, or one of them would decide it."""


class Floor:
    """Availability must not stay below ``share`` (0–1) for ``seconds`` in the drill whose journal is ``folder``."""

    name = "the availability of users"

    def __init__(self, folder: Path, clock: Clock, share: float, seconds: float) -> None:
        self._folder, self._clock = folder, clock
        self._share, self._seconds = share, seconds
        self._watched: Watched | None = None

    def look(self) -> str | None:
        """The end of a sentence if every piece of the last ``seconds`` was below the floor, None if one was not, or so
        long has not been watched yet. NotMeasured or JournalUnreadable if it cannot be told."""
        self._watched = self._watched or Watched(self._folder, self._clock)
        samples = self._watched.samples()
        end, piece = samples.complete_until, max(PIECE_SECONDS, PIECE_REQUESTS / samples.header.rate)
        start = end - math.ceil(self._seconds / piece) * piece
        if start < samples.header.begin:
            return None
        pieces = [found for _, found in analysis.availability_by_time(samples, start, end, piece)]
        seen = [found for found in pieces if found is not None]
        if len(seen) < len(pieces) or any(found.unobserved == found.planned for found in seen):
            raise NotMeasured(self.name, f"nothing was sent in a part of the last {self._seconds:g} s")
        if any(found.highest >= self._share for found in seen):
            return None
        share = sum(found.ok for found in seen) / sum(found.planned for found in seen)
        return f"{self.name} was below {self._share:.2%} for {end - start:.0f} s (in all {share:.2%})"

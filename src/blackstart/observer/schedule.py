"""When each request is due, and what it does, fixed before the first one is sent. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

GRAIN = 10_000  # shares of journeys are kept to this part


class Kind(IntEnum):
    """What a request does. The numbers are those of the sample format."""

    READ = 0
    WRITE = 1


@dataclass(frozen=True)
class Part:
    """One journey's part of the schedule. ``share`` of all requests; ``write_share`` of its own. Both 0–1."""

    share: float
    write_share: float


@dataclass(frozen=True)
class _Turns:
    """Whose turn it is, again and again: slot ``n % len(journey)``. ``rank``: how often that journey had one before,
    in this round; ``slots``: how many each journey has in a round."""

    journey: Sequence[int]
    rank: Sequence[int]
    slots: Sequence[int]


@dataclass(frozen=True)
class Schedule:
    """Request ``n`` (0, 1, 2 …) is due at ``begin + n / rate``, to the microsecond.

    ``begin`` in seconds since the origin, ``rate`` in requests per second. ``parts``: those of the journeys, whose
    shares sum to 1; without them there is one journey of which ``write_share`` (0–1) writes. Journeys take turns, and
    writes are spread among each journey's reads, so evenly that among the first ``n`` requests each has its share,
    give or take one.
    """

    begin: float
    rate: float
    write_share: float
    parts: tuple[Part, ...] = ()
    _turns: _Turns = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_turns", _turns([part.share for part in self.parts] or [1.0]))

    def intended(self, number: int) -> float:
        """When request ``number`` is due, in seconds since the origin."""
        return round((self.begin + number / self.rate) * 1e6) / 1e6

    def journey(self, number: int) -> int:
        """Which of the journeys request ``number`` belongs to, from 0."""
        turns = self._turns.journey
        return turns[number % len(turns)]

    def kind(self, number: int) -> Kind:
        """Whether request ``number`` reads or writes."""
        turns = self._turns
        round_, slot = divmod(number, len(turns.journey))
        mine = turns.journey[slot]
        share = self.parts[mine].write_share if self.parts else self.write_share
        return _kind(round_ * turns.slots[mine] + turns.rank[slot], share)

    def first_from(self, moment: float) -> int:
        """The first request that is due at ``moment`` or later."""
        number = max(0, math.floor((moment - self.begin) * self.rate) - 1)
        while self.intended(number) < moment:
            number += 1
        return number

    def count(self, start: float, end: float) -> int:
        """How many requests are due in [start, end)."""
        return max(0, self.first_from(end) - self.first_from(start))


def _kind(number: int, share: float) -> Kind:
    grows = math.floor((number + 1) * share + 1e-9) > math.floor(number * share + 1e-9)
    return Kind.WRITE if grows else Kind.READ


def _turns(shares: Sequence[float]) -> _Turns:
    """A round in which each journey has slots as its share says: each slot goes to the one whose next is most overdue,
    of those that are not ahead of their share."""
    slots = _slots(shares)
    size = sum(slots)
    had = [0] * len(slots)
    journey, rank = [], []
    for slot in range(size):
        waiting = (each for each, wanted in enumerate(slots) if had[each] * size < wanted * (slot + 1))
        mine = min(waiting, key=lambda each: ((had[each] + 1) / slots[each], each))
        journey.append(mine)
        rank.append(had[mine])
        had[mine] += 1
    return _Turns(tuple(journey), tuple(rank), tuple(slots))


def _slots(shares: Sequence[float]) -> list[int]:
    """Whole numbers in the ratio of ``shares``, as small as can be, none of them 0."""
    exact = [share * GRAIN / sum(shares) for share in shares]
    slots = [max(1, math.floor(each + 1e-9)) for each in exact]
    by_rest = sorted(range(len(slots)), key=lambda each: slots[each] - exact[each])
    for each in by_rest[: max(0, GRAIN - sum(slots))]:
        slots[each] += 1
    common = math.gcd(*slots)
    return [each // common for each in slots]

"""When each request is due, fixed before the first one is sent. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """What a request does. The numbers are those of the sample format."""

    READ = 0
    WRITE = 1


@dataclass(frozen=True)
class Schedule:
    """Request ``n`` (0, 1, 2 …) is due at ``begin + n / rate``, to the microsecond.

    ``begin`` in seconds since the origin, ``rate`` in requests per second, ``write_share`` 0–1: writes are spread
    evenly among the reads.
    """

    begin: float
    rate: float
    write_share: float

    def intended(self, number: int) -> float:
        """When request ``number`` is due, in seconds since the origin."""
        return round((self.begin + number / self.rate) * 1e6) / 1e6

    def kind(self, number: int) -> Kind:
        """Whether request ``number`` reads or writes."""
        grows = math.floor((number + 1) * self.write_share + 1e-9) > math.floor(number * self.write_share + 1e-9)
        return Kind.WRITE if grows else Kind.READ

    def first_from(self, moment: float) -> int:
        """The first request that is due at ``moment`` or later."""
        number = max(0, math.floor((moment - self.begin) * self.rate) - 1)
        while self.intended(number) < moment:
            number += 1
        return number

    def count(self, start: float, end: float) -> int:
        """How many requests are due in [start, end)."""
        return max(0, self.first_from(end) - self.first_from(start))

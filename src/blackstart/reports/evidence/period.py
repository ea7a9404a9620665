"""The period that evidence is asked for: from the start of one day, or a moment, to the end of another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from blackstart.clock import iso
from blackstart.errors import ConfigInvalid

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Period:
    """``start`` belongs to it, ``end`` does not any more. Both in UTC."""

    start: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    @property
    def words(self) -> str:
        """``2026-07-01 to 2026-09-30``; with times where they are not whole days."""
        last = self.end - timedelta(days=1)
        if self.start.time() == self.end.time() == datetime.min.time() and last >= self.start:
            return f"{self.start:%Y-%m-%d} to {last:%Y-%m-%d}"
        return f"{iso(self.start)} to {iso(self.end)}"

    @property
    def file_words(self) -> str:
        """For the name of a file."""
        return re.sub(r"\.\d{3}|[-:]", "", self.words).replace(" to ", "-")


def parse(start: str, end: str) -> Period:
    """``2026-07-01`` is a whole day in UTC, the last one included; ``2026-07-01T12:00:00Z`` a moment.

    ConfigInvalid where that is not what they are, or the end is not after the start.
    """
    began, over = _moment("--from", start, last=False), _moment("--to", end, last=True)
    if over <= began:
        raise ConfigInvalid("--to", "", f"{end} is not after --from {start}, so there is no time between them")
    return Period(began, over)


def _moment(option: str, text: str, last: bool) -> datetime:
    wanted = "write a day like 2026-07-01, or a moment with its zone like 2026-07-01T12:00:00Z"
    try:
        found = datetime.fromisoformat(text.strip())
        if _DAY.fullmatch(text.strip()):
            return found.replace(tzinfo=UTC) + timedelta(days=1 if last else 0)
        if found.tzinfo is None:
            raise ConfigInvalid(option, "", f"{text!r} has no zone; {wanted}")
        return found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ConfigInvalid(option, "", f"{text!r} is no date; {wanted}") from error

"""The history of all drills as a page: the one that `blackstart history --html` writes, with those that run on top."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence

from markupsafe import Markup

from blackstart.clock import Clock
from blackstart.journals import numbers
from blackstart.journals.coverage import Catalogue
from blackstart.journals.folder import REPORT
from blackstart.journals.index import Row
from blackstart.reports import history
from blackstart.web.library import Library, address

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""For the header; the page itself allows but one style, by its hash, and no script."""
KEPT_SECONDS = 60.0
_MAIN = re.compile(r"<main\b[^>]*>")


class History:
    """Made anew when a journal has changed, and because of the ages in it, once a minute."""

    def __init__(self, library: Library, catalogue: Catalogue | None, clock: Clock) -> None:
        self._library = library
        self._catalogue = catalogue
        self._clock = clock
        self._lock = threading.Lock()
        self._made: tuple[tuple[Row, ...], float, str] | None = None

    def page(self) -> str:
        """The page as text; JournalUnreadable if the root cannot be read."""
        rows = self._library.rows()
        with self._lock:
            now = self._clock.monotonic()
            if self._made is None or self._made[0] is not rows or now - self._made[1] > KEPT_SECONDS:
                text = history.page(rows, self._catalogue, self._clock.now(), _link)
                self._made = (rows, now, text)
            text = self._made[2]
        return with_first_line(text, going_on(self._library.going_on()))


def going_on(rows: Sequence[Row]) -> Markup:
    """A line for each drill that runs."""
    line = Markup('<p class="meta">▸ <a href="{}">{} is running</a>, since {}</p>\n')
    return Markup("").join(
        line.format(address(row), row.fault or row.experiment, numbers.clock_time(row.started) if row.started else "?")
        for row in rows
    )


def with_first_line(text: str, line: Markup) -> str:
    """A finished page, with ``line`` before all that it says."""
    return _MAIN.sub(lambda found: f"{found.group()}\n{line}", text, count=1)


def _link(row: Row) -> str:
    return address(row) + (REPORT if row.closed and not row.problem else "")

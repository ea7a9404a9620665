"""The live view of a running drill: follows its journal folder, on stderr, twice a second, in place.

Where there is no terminal (or a dumb one) it prints one timestamped line for each thing that happens instead. It only
reads; if the folder cannot be read at some moment it says nothing and tries again.
"""

from __future__ import annotations

import logging
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live as RichLive
from rich.text import Text

from blackstart.clock import Clock
from blackstart.errors import BlackstartError
from blackstart.journals import numbers
from blackstart.reports import snapshot as words
from blackstart.reports.events import described, tally
from blackstart.reports.plain import WIDTH, ascii_text, speaks_unicode
from blackstart.reports.snapshot import Snapshot, Watcher

PERIOD_SECONDS = 0.5
ONE_BY_ONE, TALLY_SECONDS = 20, 5.0
"""So many changes are told one by one; of those after them there is a count, every few seconds."""
LOGGERS = ("", "chaostoolkit", "logzero_default")


class Live:
    """``with Live(folder, clock): …`` shows the drill in ``folder`` until the block ends.

    ``console`` defaults to stderr; ``hint`` ends the last line ("Ctrl-C undoes now"); ``until`` is the monotonic time
    at which the fault is ended whatever happens, None if there is none.
    """

    def __init__(
        self, folder: Path, clock: Clock, console: Console | None = None, *, hint: str = "", until: float | None = None
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._console = console or Console(stderr=True)
        self._hint = hint
        self._until = until
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="blackstart-live", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Shows the last state and returns when nothing will be written any more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def __enter__(self) -> Live:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._in_place()
        else:
            self._line_by_line()

    def _looks(self) -> Iterator[Snapshot]:
        """One snapshot each period, and a last one after stop."""
        watcher: Watcher | None = None
        last = False
        while True:
            try:
                watcher = watcher or Watcher(self._folder)
                yield watcher.look(self._clock.monotonic())
            except (BlackstartError, OSError):
                pass  # half-made at this very moment; the next look finds it whole
            if last:
                return
            last = self._stop.wait(PERIOD_SECONDS)

    def _in_place(self) -> None:
        unicode = speaks_unicode(self._console)
        with RichLive(console=self._console, auto_refresh=False, transient=True) as live:
            streams = _redirected()
            for seen in self._looks():
                live.update(frame(seen, self._last_line(seen), unicode), refresh=True)
            for handler, stream in streams:
                handler.setStream(stream)

    def _line_by_line(self) -> None:
        unicode = speaks_unicode(self._console)
        printed: set[str] = set()
        before, more, told = "", "", 0.0
        for seen in self._looks():
            for at, line in described(seen.events, seen.changes[:ONE_BY_ONE]):
                if line not in printed:
                    printed.add(line)
                    self._say(seen, at, line, unicode)
            now = tally(seen.changes[ONE_BY_ONE:])
            if now != more and (self._stop.is_set() or seen.now - told >= TALLY_SECONDS):
                self._say(seen, seen.now, now, unicode)
                more, told = now, seen.now
            now = words.serving(seen)
            if now and now != before:
                self._say(seen, seen.now, f"served by {now}", unicode)
                before = now

    def _say(self, seen: Snapshot, at: float, line: str, unicode: bool) -> None:
        fault_at = seen.fault_at
        since = numbers.offset(at - fault_at) if fault_at is not None else ""
        text = f"{numbers.clock_time(seen.drill.at(at))}  {since:>10}  {line}"
        self._console.print(Text(ascii_text(text, not unicode)), soft_wrap=True)

    def _last_line(self, seen: Snapshot) -> str:
        parts = [words.undo_words(seen), self._hint]
        if self._until is not None and seen.fault_at is not None:
            left = self._until - self._clock.monotonic()
            parts.append(f"hard stop in {numbers.seconds(max(round(left), 0))}")
        return " · ".join(part for part in parts if part)


def frame(seen: Snapshot, last_line: str, unicode: bool = True) -> Group:
    """The whole view at one moment. Each line is cut at the terminal's edge; words say what colours underline."""
    now = words.serving(seen)
    title = f"{seen.drill.service.get('name', '')} · {seen.drill.fault} · drill {seen.drill.drill}"
    symbol = (
        "" if now in ("", "nobody") else " (#)" if seen.samples and now == seen.samples.header.home_region else " (=)"
    )
    lines = [
        (f"{title}   {words.clock_line(seen)}", "bold"),
        (
            f"  served by  {words.served_strip(seen)}  {now or 'not known yet'}{symbol}",
            "red" if now == "nobody" else "",
        ),
        (f"  succeeding {words.success_strip(seen)}  {words.success_words(seen)}", ""),
        (f"  median     {words.median_words(seen)}", ""),
    ]
    steps = "  ".join(step.replace(" ", numbers.NBSP) for step in words.step_words(seen))
    lines += [(f"  {line}", "") for line in textwrap.wrap(steps, WIDTH - 2, break_on_hyphens=False)]
    lines.append((f"  {last_line}", "dim"))
    return Group(
        *(Text(ascii_text(line, not unicode), style, no_wrap=True, overflow="ellipsis") for line, style in lines)
    )


def _redirected() -> list[tuple[logging.StreamHandler[TextIO], TextIO]]:
    """Log handlers that write to the terminal, sent through the live view so that lines stay above it."""
    changed: list[tuple[logging.StreamHandler[TextIO], TextIO]] = []
    for name in LOGGERS:
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream in (sys.__stderr__, sys.__stdout__):
                before = handler.setStream(sys.stderr)
                if before is not None:
                    changed.append((handler, before))
    return changed

"""The report of a journal as a page: the one on disk while it is still true, else one made anew, in memory.

What is on disk may have been put there by anybody, so a browser gets a policy with it under which no script runs but
the one of this version, nothing is loaded, and the page is kept apart from all others.
"""

from __future__ import annotations

import base64
import hashlib
import os
import threading
from collections import OrderedDict
from importlib.resources import files
from pathlib import Path

from markupsafe import Markup

from blackstart.journals import folder as folders
from blackstart.journals.measure import measure
from blackstart.journals.verdict import judge
from blackstart.reports import html
from blackstart.web.history import with_first_line

KEPT = 8
SCRIPTS = ("report.js", "zoom.js")  # as the page has them, in one element
POLICY_WITHIN = 2000
SOURCES = frozenset({*html.HASHED, folders.VERDICT})
Print = tuple[tuple[str, int, int], ...]


class Reports:
    """The reports made last. One is made at a time: a large journal takes all the memory that it may."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: OrderedDict[Path, tuple[Print, str]] = OrderedDict()
        own = files("blackstart.reports")
        self.script = _digest("".join(own.joinpath(name).read_text(encoding="utf-8") for name in SCRIPTS))

    @property
    def policy(self) -> str:
        """For the header of a report; what the page itself says can only narrow it."""
        return (
            "sandbox allow-scripts allow-top-navigation-by-user-activation; default-src 'none'; "
            f"script-src '{self.script}'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )

    def page(self, folder: Path) -> str:
        """The report of ``folder``, with the way back on top. JournalUnreadable if there can be none."""
        with self._lock:
            now = _print(folder)
            kept = self._made.get(folder)
            if kept is None or kept[0] != now:
                kept = (now, self._stored(folder, now) or _made(folder))
                self._made[folder] = kept
                while len(self._made) > KEPT:
                    self._made.popitem(last=False)
            self._made.move_to_end(folder)
            return _with_ways_out(kept[1])

    def _stored(self, folder: Path, made_from: Print) -> str:
        """The report on disk, if it is as new as all the rest and of this version; else ""."""
        path = folder / folders.REPORT
        try:
            about = path.stat()
            newest = max((mtime for name, mtime, _ in made_from if name != folders.REPORT), default=0)
            text = path.read_text(encoding="utf-8") if about.st_mtime_ns >= newest else ""
        except (OSError, ValueError):
            return ""
        return text if self.script in text[:POLICY_WITHIN] else ""


def _made(folder: Path) -> str:
    measured = measure(folder)
    return html.page(measured, judge(measured), html.hashes(folder))


def _with_ways_out(text: str) -> str:
    """``text`` with links to the journal's other files and to all drills as its first line."""
    ways = Markup('<p class="meta"><a href="/">All drills</a> · <a href="./">This journal’s files</a></p>')
    return with_first_line(text, ways)


def _print(folder: Path) -> Print:
    """What tells whether a report is still true: name, time and size of it and of each file that it is made from."""
    found: list[tuple[str, int, int]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in SOURCES or entry.name == folders.REPORT:
                about = entry.stat(follow_symlinks=False)
                found.append((entry.name, about.st_mtime_ns, about.st_size))
    return tuple(sorted(found))


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

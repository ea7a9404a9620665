"""From the path of a request to a journal folder or a file in one, and never to anything outside the root.

Addresses mirror the disk: ``/region-loss/20261123T140300Z/`` is a journal, ``/region-loss/20261123T140300Z/drill.json``
a file of it. So links between pages are the same on the disk and over HTTP.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from blackstart.journals import folder as folders
from blackstart.journals.index import STAMP

CHUNK = 256 * 1024
TEXT = frozenset({".json", ".jsonl", ".log", ".txt", ".md", ".html", ".xml", ".yaml", ".yml", ".toml", ".sig"})
WHAT = {
    folders.DRILL: "what was run, with which settings",
    folders.CHANGES: "what was changed, and how it was put back",
    folders.OBSERVER: "header of the samples",
    "samples.bin": "what became of every request",
    "ledger.jsonl": "every write, and its fate",
    "found.jsonl": "the writes that were found again",
    folders.EVENTS: "what was seen to happen beside the requests",
    folders.CALLS: "the calls of AWS APIs",
    folders.MONITORING: "what Prometheus and CloudWatch say",
    folders.TOOLKIT: "Chaos Toolkit’s own journal",
    folders.RESTORATION: "the proof that everything was put back",
    folders.VERDICT: "the outcome",
    folders.REPORT: "the outcome, for people",
    "load.json": "the load, in short",
    "load.jsonl": "users, connections and requests by the second",
    "manifest.json": "all files with their checksums",
    "chain.jsonl": "checksums of every stage, chained",
    "observer.log": "log lines",
    "reverter.log": "log lines",
    "load.log": "log lines",
}


@dataclass(frozen=True)
class File:
    """A regular file of a journal; ``changed`` when it was last written, ``what`` "" for one that is not known."""

    name: str
    size: int
    changed: datetime
    what: str


def journal(root: Path, parts: Sequence[str]) -> Path | None:
    """The journal folder that ``parts`` name, None if there is none: it is called after a drill's start, or says what
    was run or found."""
    folder = _inside(root, parts) if parts else None
    try:
        if folder is None or not folder.is_dir():
            return None
        named = STAMP.fullmatch(folder.name) is not None
        return folder if named or any((folder / name).is_file() for name in (folders.DRILL, folders.VERDICT)) else None
    except OSError:
        return None


def opened(root: Path, parts: Sequence[str], name: str) -> int | None:
    """A descriptor of the regular file ``name`` of a journal; None if there is none to be shown."""
    path = _inside(root, (*parts, name)) if journal(root, parts) is not None else None
    if path is None:
        return None
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe would never open
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    return None


def content(handle: int) -> Iterator[bytes]:
    """What is in the file now; what is added meanwhile is not waited for. Closes ``handle``."""
    with os.fdopen(handle, "rb") as file:
        left = os.fstat(handle).st_size
        while left > 0 and (part := file.read(min(CHUNK, left))):
            left -= len(part)
            yield part


def listed(folder: Path) -> tuple[File, ...]:
    """The regular files of a journal by name; hidden ones (being written) are left out."""
    found: list[File] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
                    about = entry.stat(follow_symlinks=False)
                    changed = datetime.fromtimestamp(about.st_mtime, UTC)
                    found.append(File(entry.name, about.st_size, changed, WHAT.get(entry.name, "")))
    except (OSError, ValueError, OverflowError):
        pass  # gone at this very moment, or dated past the calendar: what was seen so far is shown
    return tuple(sorted(found, key=lambda file: file.name))


def is_text(name: str) -> bool:
    """Whether a browser may show it as plain text."""
    return Path(name).suffix.lower() in TEXT


def _inside(root: Path, parts: Sequence[str]) -> Path | None:
    """``parts`` below ``root``; None if they lead elsewhere, by a name or by a link."""
    if any(not _plain(part) for part in parts):
        return None
    try:
        whole = root.resolve()
        path = whole.joinpath(*parts).resolve()
    except (OSError, RuntimeError, ValueError):  # RuntimeError: links in a circle, before Python 3.13
        return None
    return path if path.is_relative_to(whole) else None


def _plain(part: str) -> bool:
    return bool(part) and not part.startswith(".") and not set(part) & {"/", "\\", "\0"}

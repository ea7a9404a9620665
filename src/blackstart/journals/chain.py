"""``chain.jsonl``: what a journal held at each stage of its drill, each line bound to the one before.

A line has ``stage``, ``at`` (UTC), ``by`` (drill, reverter or recover), ``files`` (name → ``size`` and ``sha256`` of
that many bytes) and ``previous``: the SHA-256 of the line before, without its newline ("" in the first). So nobody can
alter what was there at an early stage without altering all later lines, and the manifest that closes the journal.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from blackstart.clock import Clock, iso
from blackstart.errors import JournalUnwritable
from blackstart.journals import digests
from blackstart.journals.digests import CHAIN, Digest

OPENED, FAULT, UNDONE, CLOSED, RECOVERED = "opened", "fault", "undone", "closed", "recovered"
ENDINGS = (CLOSED, RECOVERED)
"""Stages that close a journal: each is followed by a manifest."""

logger = logging.getLogger("blackstart.journals.chain")


@dataclass(frozen=True)
class Link:
    """One line. ``sha256`` is its own."""

    stage: str
    at: str
    by: str
    files: Mapping[str, Digest]
    previous: str
    sha256: str


@dataclass(frozen=True)
class Chain:
    """The lines that can be read, and what is wrong with their order; ``cut``: one was cut off."""

    links: tuple[Link, ...] = ()
    problems: tuple[str, ...] = ()
    cut: bool = False

    @property
    def head(self) -> str:
        """The last line's SHA-256, "" without one."""
        return self.links[-1].sha256 if self.links else ""


def add(folder: Path, stage: str, by: str, at: datetime) -> tuple[Mapping[str, Digest], str]:
    """Add a line for what ``folder`` holds now; returns the digests in it, and the line's own. JournalUnwritable."""
    try:
        names = [name for name in digests.listing(folder).files if name != CHAIN]
        with _alone(folder) as descriptor:
            files = digests.digests(folder, names)
            before = b"".join(_pieces(descriptor))
            whole = before.removesuffix(b"\n").rpartition(b"\n")[2]
            line = {
                "stage": stage,
                "at": iso(at),
                "by": by,
                "files": {name: digest.to_json() for name, digest in files.items()},
                "previous": hashlib.sha256(whole).hexdigest() if whole else "",
            }
            text = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()
            # A killed writer left half a line: it stays, as a line of its own, and is bound like any other.
            os.write(descriptor, (b"\n" if before and not before.endswith(b"\n") else b"") + text + b"\n")
            os.fsync(descriptor)
    except OSError as error:
        raise JournalUnwritable(str(folder), CHAIN, str(error)) from error
    return files, hashlib.sha256(text).hexdigest()


def note(folder: Path, stage: str, by: str, clock: Clock) -> None:
    """As ``add``, while a drill goes on: a journal that cannot take the line must not keep anything from going on."""
    try:
        add(folder, stage, by, clock.now())
    except JournalUnwritable as error:
        logger.warning("could not add the stage %s to %s (%s); going on without", stage, folder / CHAIN, error)


@contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """The file, opened; no other process adds a line meanwhile."""
    descriptor = os.open(folder / CHAIN, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _pieces(descriptor: int) -> Iterator[bytes]:
    done = 0
    while piece := os.pread(descriptor, 1 << 20, done):
        done += len(piece)
        yield piece


def read(folder: Path) -> Chain:
    """The chain of ``folder``, empty without one. OSError if it cannot be read."""
    try:
        text = (folder / CHAIN).read_bytes()
    except FileNotFoundError:
        return Chain()
    lines = text.split(b"\n")
    cut = bool(lines.pop())
    links, problems, before = [], [], ""
    for number, line in enumerate(lines, 1):
        link = _parsed(line)
        if link is None:
            cut = True  # by a writer that was killed; had it been altered later, the next line would not follow it
        elif link.previous != before:
            problems.append(f"{CHAIN}: line {number} ({link.stage}) does not follow the line before it")
        if link is not None:
            links.append(link)
        before = hashlib.sha256(line).hexdigest()
    return Chain(tuple(links), tuple(problems), cut)


def _parsed(line: bytes) -> Link | None:
    try:
        data: Any = json.loads(line)
        files = {str(name): parse_digest(each) for name, each in data["files"].items()}
        words = [data[name] for name in ("stage", "at", "by", "previous")]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    if not all(isinstance(word, str) for word in words):
        return None
    stage, at, by, previous = words
    return Link(stage, at, by, files, previous, hashlib.sha256(line).hexdigest())


def parse_digest(data: Any) -> Digest:
    """A ``size`` and a ``sha256`` as read; ValueError, TypeError or KeyError for anything else."""
    size, sha256 = data["size"], data["sha256"]
    if type(size) is not int or size < 0 or not isinstance(sha256, str):
        raise ValueError(f"not a digest: {data!r}")
    return Digest(size, sha256)

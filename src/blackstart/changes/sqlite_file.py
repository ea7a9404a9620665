"""The file of the undo log of one machine: how it comes to be, and whether it is one.

It appears under its name whole, or not at all: a file that is there but empty has been truncated. Write-ahead logging
with ``synchronous=FULL``: every commit is on the disk before the call returns.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from pathlib import Path
from urllib.parse import quote

FORMAT = 2
BUSY_SECONDS = 15.0
SCHEMA = """
CREATE TABLE drills (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, owner TEXT NOT NULL, started TEXT NOT NULL, folder TEXT NOT NULL,
    holder TEXT NOT NULL, beats INTEGER NOT NULL DEFAULT 0, stop TEXT NOT NULL DEFAULT '',
    ended INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE faults (
    drill TEXT NOT NULL REFERENCES drills, number INTEGER NOT NULL, subject TEXT NOT NULL, began REAL NOT NULL,
    ends REAL, shared INTEGER NOT NULL, PRIMARY KEY (drill, number)
);
CREATE TABLE changes (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, drill TEXT NOT NULL, number INTEGER NOT NULL,
    record TEXT NOT NULL, state TEXT NOT NULL, note TEXT NOT NULL DEFAULT '',
    FOREIGN KEY (drill, number) REFERENCES faults
);
CREATE TABLE blocks (
    only INTEGER PRIMARY KEY CHECK (only = 1), reason TEXT NOT NULL, by TEXT NOT NULL, since TEXT NOT NULL
);
CREATE INDEX by_drill ON changes (drill);
CREATE INDEX open_changes ON changes (drill) WHERE state <> 'verified';
"""


def create(path: Path) -> None:
    """Make the log at ``path``, with its folder, unless it is there. sqlite3.Error or OSError if that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        draft = Path(folder) / path.name
        with contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;")
        with contextlib.suppress(FileExistsError):  # then another process was faster
            os.link(draft, path)
    _sync_folder(path.parent)


def connect(path: Path) -> sqlite3.Connection:
    """A connection to a file that is there; its threads take turns."""
    db = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA foreign_keys = ON")
    return db


def objection(db: sqlite3.Connection) -> str:
    """Why this is no undo log that can be used; "" if it is one. Changes nothing."""
    (found,) = db.execute("PRAGMA user_version").fetchone()
    if found == FORMAT:
        return ""
    if found == 0:
        return "it is no undo log, or has been truncated; see what drills left in place, then move it out of the way"
    return (
        f"it has format {found}, and this Blackstart reads format {FORMAT}; run `blackstart recover` of the version"
        " that wrote it, then move it out of the way"
    )


def _sync_folder(folder: Path) -> None:
    """A file is only as durable as its name in the folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

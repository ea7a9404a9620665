"""``index.sqlite``: rows of journals by folder, each with the mark of the files that it was made of.

A cache, so nothing about it is an error: an index that is broken, or of another version, is made anew, and one that
cannot be read or written, or that somebody else has for too long, is done without.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

NAME = "index.sqlite"
VERSION = 1
"""Of what the rows hold: another one, and all journals are read again."""
APPLICATION = 0x424C4B53
"""In the file's header: an ``index.sqlite`` without it is somebody else's and is left alone."""
PATIENCE_SECONDS = 2.0

Entries = dict[str, tuple[str, str]]
"""By folder: mark and row, as text."""


def load(root: Path) -> Entries:
    """What the index holds; nothing if there is none that can be used."""
    path = root / NAME
    if not path.is_file():
        return {}
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=PATIENCE_SECONDS, uri=True)
        ) as database:
            if not _ours(database) or _pragma(database, "user_version") != VERSION:
                return {}
            found = database.execute("SELECT folder, mark, row FROM journals")
            return {str(folder): (str(mark), str(row)) for folder, mark, row in found}
    except sqlite3.Error:
        return {}


def save(root: Path, fresh: Mapping[str, tuple[str, str]], gone: Iterable[str]) -> bool:
    """Add and replace ``fresh``, forget ``gone``; whether it was kept. All of it, or nothing when killed meanwhile."""
    path = root / NAME
    for attempt in (1, 2):
        try:
            with closing(sqlite3.connect(path, timeout=PATIENCE_SECONDS, isolation_level=None)) as database:
                return _written(database, fresh, gone)
        except (sqlite3.OperationalError, OSError):
            return False  # no room, no right to write, or somebody else is at it
        except sqlite3.DatabaseError:
            if attempt == 2 or not _removed(path):
                return False
    return False


def _written(database: sqlite3.Connection, fresh: Mapping[str, tuple[str, str]], gone: Iterable[str]) -> bool:
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("BEGIN IMMEDIATE")
    if not _ours(database):
        return False
    if _pragma(database, "user_version") != VERSION:
        database.execute("DROP TABLE IF EXISTS journals")
        database.execute(f"PRAGMA application_id = {APPLICATION}")
        database.execute(f"PRAGMA user_version = {VERSION}")
    database.execute(
        "CREATE TABLE IF NOT EXISTS journals (folder TEXT PRIMARY KEY, mark TEXT NOT NULL, row TEXT NOT NULL)"
    )
    database.executemany("DELETE FROM journals WHERE folder = ?", ((folder,) for folder in gone))
    database.executemany(
        "INSERT OR REPLACE INTO journals VALUES (?, ?, ?)",
        ((name, mark, row) for name, (mark, row) in fresh.items() if _storable(name)),
    )
    database.execute("COMMIT")
    return True


def _ours(database: sqlite3.Connection) -> bool:
    """Also if there is nothing in it yet."""
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return not tables or _pragma(database, "application_id") == APPLICATION


def _storable(name: str) -> bool:
    """A folder whose name is no text is read again each time."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _pragma(database: sqlite3.Connection, name: str) -> int:
    (value,) = database.execute(f"PRAGMA {name}").fetchone()
    return int(value)


def _removed(path: Path) -> bool:
    """A broken index goes with its roll-back journal, which would be played into the new one."""
    try:
        path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True

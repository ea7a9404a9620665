"""The undo log of one machine: an SQLite file, shared by its processes.

Write-ahead logging with ``synchronous=FULL``: every commit is on the disk before the call returns. Layout: ``drills``
(one row a drill, its owner as JSON), ``faults`` (by drill and number), ``changes`` (one row a change, the whole record
as JSON, and how far it got). A row of ``changes`` that is not verified holds its target for its drill.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from blackstart.changes.log import Drill, Entry, Fault, Mark
from blackstart.changes.model import Change, State, lock_name
from blackstart.changes.owner import Owner
from blackstart.errors import Refused, UndoLogGone, UndoLogUnusable

SCHEME = "sqlite://"
FORMAT = 1
BUSY_SECONDS = 15.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS drills (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, owner TEXT NOT NULL, started TEXT NOT NULL, folder TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS faults (
    drill TEXT NOT NULL REFERENCES drills, number INTEGER NOT NULL, subject TEXT NOT NULL, began REAL NOT NULL,
    ends REAL, PRIMARY KEY (drill, number)
);
CREATE TABLE IF NOT EXISTS changes (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, drill TEXT NOT NULL, number INTEGER NOT NULL,
    target TEXT NOT NULL, record TEXT NOT NULL, state TEXT NOT NULL, note TEXT NOT NULL DEFAULT '',
    FOREIGN KEY (drill, number) REFERENCES faults
);
CREATE INDEX IF NOT EXISTS held ON changes (target) WHERE state <> 'verified';
CREATE INDEX IF NOT EXISTS by_drill ON changes (drill);
"""


class SqliteLog:
    """``path`` is created, with its folder, if it is missing."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock = threading.Lock()
        with self._speaking():
            new = not self.path.exists()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            self._prepare()
            if new:
                _sync_folder(self.path.parent)

    @property
    def url(self) -> str:
        return f"{SCHEME}{self.path}"

    def append(self, drill: Drill, fault: Fault, changes: Sequence[Change]) -> int:
        held = [lock_name(change.target) for change in changes]
        with self._transaction() as db:
            self._refuse_if_held(db, drill, fault, changes)
            db.execute(
                "INSERT OR IGNORE INTO drills VALUES (?, ?, ?, ?, ?)",
                (drill.id, drill.title, json.dumps(asdict(drill.owner)), drill.started, drill.folder),
            )
            (number,) = db.execute(
                "SELECT coalesce(max(number), 0) + 1 FROM faults WHERE drill = ?", (drill.id,)
            ).fetchone()
            db.execute(
                "INSERT INTO faults VALUES (?, ?, ?, ?, ?)", (drill.id, number, fault.subject, fault.began, fault.ends)
            )
            db.executemany(
                "INSERT INTO changes (id, drill, number, target, record, state) VALUES (?, ?, ?, ?, ?, 'planned')",
                [
                    (change.id, drill.id, number, target, json.dumps(change.to_json()))
                    for change, target in zip(changes, held, strict=True)
                ],
            )
        return int(number)

    def mark(self, marks: Mapping[str, Mark]) -> None:
        with self._transaction() as db:
            db.executemany(
                "UPDATE changes SET state = ?, note = ? WHERE id = ?",
                [(mark.state.value, mark.note, change) for change, mark in marks.items()],
            )

    def entries(self, drill: str) -> list[Entry]:
        with self._speaking(), self._lock:
            self._still_there()
            rows = self._db.execute(
                "SELECT record, number, subject, began, ends, state, note FROM changes"
                " JOIN faults USING (drill, number) WHERE drill = ? ORDER BY seq",
                (drill,),
            ).fetchall()
            return [
                Entry(Change.from_json(json.loads(row[0])), drill, row[1], Fault(*row[2:5]), State(row[5]), row[6])
                for row in rows
            ]

    def drills(self) -> list[Drill]:
        return self._drills(
            "SELECT * FROM drills WHERE id IN (SELECT drill FROM changes WHERE state <> 'verified') ORDER BY started"
        )

    def find(self, drill: str) -> Drill | None:
        return next(iter(self._drills("SELECT * FROM drills WHERE id = ?", drill)), None)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _drills(self, query: str, *parameters: str) -> list[Drill]:
        with self._speaking(), self._lock:
            self._still_there()
            rows = self._db.execute(query, parameters).fetchall()
            return [Drill(row[0], row[1], Owner(**json.loads(row[2])), row[3], row[4]) for row in rows]

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        (found,) = self._db.execute("PRAGMA user_version").fetchone()
        if found not in (0, FORMAT):
            raise UndoLogUnusable(self.url, f"it has format {found}, this Blackstart reads format {FORMAT}")
        self._db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;")

    def _refuse_if_held(self, db: sqlite3.Connection, drill: Drill, fault: Fault, changes: Sequence[Change]) -> None:
        for change in changes:
            row = db.execute(
                "SELECT drill FROM changes WHERE target = ? AND drill <> ? AND state <> 'verified' LIMIT 1",
                (lock_name(change.target), drill.id),
            ).fetchone()
            if row:
                raise Refused(
                    fault.subject,
                    f"{change.target} is held by drill {row[0]}; "
                    f"wait for its end, or run `blackstart recover {row[0]}`",
                )

    def _still_there(self) -> None:
        """SQLite goes on with a deleted file as if nothing had happened; nobody else would ever see what it writes."""
        if not self.path.exists():
            raise UndoLogGone(self.url, "it has been deleted")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._speaking(), self._lock:
            self._still_there()
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """Errors of the file, as a sentence that names it."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise UndoLogUnusable(self.url, str(error)) from error
        except (ValueError, KeyError, TypeError) as error:
            raise UndoLogUnusable(self.url, f"it holds something that is not a record: {error}") from error


def _sync_folder(folder: Path) -> None:
    """A file is only as durable as its name in the folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

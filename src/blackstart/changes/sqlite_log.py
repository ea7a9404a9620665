"""The undo log of one machine: an SQLite file, shared by its processes.

``drills`` has one row a drill: its owner and the holder of its lease as JSON. ``faults`` are by drill and number,
``changes`` have one row a change: the whole record as JSON, and how far it got. ``blocks`` has at most one row: the
kill switch. A change that is not verified holds its target and its area for its drill.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

from blackstart.changes import sqlite_file
from blackstart.changes.log import Block, Drill, Entry, Fault, Lease, Mark, refuse, refuse_held, stopped_because
from blackstart.changes.model import Change, State
from blackstart.changes.owner import Owner
from blackstart.errors import DrillStopped, UndoLogGone, UndoLogUnusable

SCHEME = "sqlite://"


class SqliteLog:
    """``path`` is created, with its folder, if it is missing."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock = threading.Lock()
        with self._speaking():
            if not self.path.exists():
                sqlite_file.create(self.path)
            self._file = self._identity()
            self._db = sqlite_file.connect(self.path)
            problem = sqlite_file.objection(self._db)
            if problem:
                self._db.close()
                raise UndoLogUnusable(self.url, problem)

    @property
    def url(self) -> str:
        return f"{SCHEME}{self.path}"

    @property
    def region(self) -> str:
        return ""

    def begin(self, drill: Drill) -> None:
        with self._transaction() as db:
            refuse(f"starting drill {drill.id}", _block(db))
            _insert(db, drill)

    def append(self, drill: Drill, fault: Fault, changes: Sequence[Change]) -> int:
        with self._transaction() as db:
            refuse(fault.subject, _block(db), _stopped(db, drill.id))
            refuse_held(fault, changes, _entries(db, "drill <> ? AND state <> 'verified'", drill.id))
            _insert(db, drill)
            (number,) = db.execute(
                "SELECT coalesce(max(number), 0) + 1 FROM faults WHERE drill = ?", (drill.id,)
            ).fetchone()
            db.execute("INSERT INTO faults VALUES (?, ?, ?, ?, ?, ?)", (drill.id, number, *astuple(fault)))
            db.executemany(
                "INSERT INTO changes (id, drill, number, record, state) VALUES (?, ?, ?, ?, 'planned')",
                [(change.id, drill.id, number, json.dumps(change.to_json())) for change in changes],
            )
        return int(number)

    def mark(self, drill: str, marks: Mapping[str, Mark]) -> None:
        with self._transaction() as db:
            db.executemany(
                "UPDATE changes SET state = ?, note = ? WHERE id = ? AND drill = ?",
                [(mark.state.value, mark.note, change, drill) for change, mark in marks.items()],
            )
            reason = _stopped(db, drill)
        if reason and any(mark.state is State.APPLIED for mark in marks.values()):
            raise DrillStopped(drill, reason)

    def entries(self, drill: str) -> list[Entry]:
        with self._reading() as db:
            return _entries(db, "drill = ?", drill)

    def drills(self) -> list[Drill]:
        return self._drills(
            "WHERE NOT ended OR id IN (SELECT drill FROM changes WHERE state <> 'verified') ORDER BY started, id"
        )

    def find(self, drill: str) -> Drill | None:
        return next(iter(self._drills("WHERE id = ?", drill)), None)

    def end(self, drill: str) -> None:
        self._write("UPDATE drills SET ended = 1 WHERE id = ?", drill)

    def beat(self, drill: str, holder: Owner) -> bool:
        return self._write("UPDATE drills SET beats = beats + 1 WHERE id = ? AND holder = ?", drill, _told(holder))

    def lease(self, drill: str) -> Lease | None:
        with self._reading() as db:
            row = db.execute("SELECT holder, beats FROM drills WHERE id = ?", (drill,)).fetchone()
            return Lease(_heard(row[0]), row[1]) if row else None

    def take(self, drill: str, holder: Owner, seen: Lease) -> bool:
        return self._write(
            "UPDATE drills SET holder = ?, beats = beats + 1 WHERE id = ? AND holder = ? AND beats = ?",
            _told(holder),
            drill,
            _told(seen.holder),
            seen.beats,
        )

    def stop(self, drill: str, reason: str) -> None:
        self._write("UPDATE drills SET stop = ? WHERE id = ? AND stop = ''", reason, drill)

    def stopping(self, drill: str) -> str:
        with self._reading() as db:
            row = db.execute("SELECT stop FROM drills WHERE id = ?", (drill,)).fetchone()
            return str(row[0]) if row else ""

    def block(self, block: Block) -> None:
        self._write("INSERT OR REPLACE INTO blocks VALUES (1, ?, ?, ?)", *astuple(block))

    def unblock(self) -> bool:
        return self._write("DELETE FROM blocks")

    def blocked(self) -> Block | None:
        with self._reading() as db:
            return _block(db)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _drills(self, where: str, *parameters: str) -> list[Drill]:
        with self._reading() as db:
            rows = db.execute(f"SELECT id, title, owner, started, folder FROM drills {where}", parameters).fetchall()
            return [Drill(row[0], row[1], _heard(row[2]), row[3], row[4]) for row in rows]

    def _write(self, statement: str, *parameters: Any) -> bool:
        """Whether a row was changed."""
        with self._transaction() as db:
            return db.execute(statement, parameters).rowcount > 0

    def _identity(self) -> tuple[int, int]:
        seen = self.path.stat()
        return seen.st_dev, seen.st_ino

    def _still_there(self) -> None:
        """SQLite goes on with a deleted file as if nothing had happened; nobody else would ever see what it writes."""
        try:
            if self._identity() != self._file:
                raise UndoLogGone(self.url, "it has been deleted, and another one is in its place")
        except FileNotFoundError as error:
            raise UndoLogGone(self.url, "it has been deleted") from error

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._speaking(), self._lock:
            self._still_there()
            yield self._db

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")
            self._still_there()

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """Errors of the file, as a sentence that names it."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise UndoLogUnusable(self.url, str(error)) from error
        except (ValueError, KeyError, TypeError) as error:
            raise UndoLogUnusable(self.url, f"it holds something that is not a record: {error}") from error


def _insert(db: sqlite3.Connection, drill: Drill) -> None:
    owner = _told(drill.owner)
    db.execute(
        "INSERT OR IGNORE INTO drills (id, title, owner, started, folder, holder) VALUES (?, ?, ?, ?, ?, ?)",
        (drill.id, drill.title, owner, drill.started, drill.folder, owner),
    )


def _block(db: sqlite3.Connection) -> Block | None:
    row = db.execute("SELECT reason, by, since FROM blocks").fetchone()
    return Block(*row) if row else None


def _stopped(db: sqlite3.Connection, drill: str) -> str:
    row = db.execute("SELECT stop, ended FROM drills WHERE id = ?", (drill,)).fetchone()
    return stopped_because(*row) if row else ""


def _entries(db: sqlite3.Connection, where: str, drill: str) -> list[Entry]:
    rows = db.execute(
        "SELECT record, drill, number, subject, began, ends, shared, state, note FROM changes"
        f" JOIN faults USING (drill, number) WHERE {where} ORDER BY seq",
        (drill,),
    )
    return [
        Entry(
            Change.from_json(json.loads(record)),
            owner,
            number,
            Fault(subject, began, ends, bool(shared)),
            State(state),
            note,
        )
        for record, owner, number, subject, began, ends, shared, state, note in rows.fetchall()
    ]


def _told(owner: Owner) -> str:
    return json.dumps(asdict(owner), sort_keys=True)


def _heard(told: str) -> Owner:
    return Owner(**json.loads(told))

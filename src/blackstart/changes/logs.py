"""Which undo log a URL means."""

from __future__ import annotations

import re
from pathlib import Path

import platformdirs

from blackstart.changes import dynamo_table, sqlite_log
from blackstart.changes.dynamo_log import DynamoLog
from blackstart.changes.dynamo_table import Table
from blackstart.changes.log import UndoLog
from blackstart.changes.sqlite_log import SqliteLog
from blackstart.errors import ConfigInvalid

TABLE = re.compile(
    re.escape(dynamo_table.SCHEME) + r"(?P<region>[a-z]{2,}(-[a-z]+)+-\d+)/(?P<name>[\w.-]{3,255})", re.A
)


def default_url() -> str:
    """The log of this user on this machine."""
    return f"{sqlite_log.SCHEME}{platformdirs.user_state_path('blackstart') / 'undo.sqlite'}"


def open_log(url: str) -> UndoLog:
    """The log at ``url`` ("": this user's); ConfigInvalid if it is none, UndoLogUnusable if it cannot be opened."""
    found = _parsed(url)
    return DynamoLog(found) if isinstance(found, Table) else SqliteLog(found)


def create(url: str) -> str:
    """Make what the log at ``url`` lives in, unless it is there. What is there now, as a sentence; errors as above."""
    found = _parsed(url)
    if isinstance(found, Table):
        from blackstart.changes import dynamo_create

        dynamo_create.create(found)
        found.close()
        return f"{found.url} can be used: the table is protected against deletion and backed up continuously"
    log = SqliteLog(found)
    log.close()
    return f"{log.url} can be used, by this machine only"


def _parsed(url: str) -> Path | Table:
    url = url or default_url()
    table = TABLE.fullmatch(url)
    if table:
        return Table(table["region"], table["name"])
    path = url.removeprefix(sqlite_log.SCHEME)
    if path == url or not Path(path).is_absolute():
        known = f"{sqlite_log.SCHEME}/absolute/path or {dynamo_table.SCHEME}REGION/TABLE"
        raise ConfigInvalid("undo_log", url, f"not the URL of an undo log; write {known}")
    return Path(path)

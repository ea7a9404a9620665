"""Which undo log a URL means."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from blackstart.changes.log import UndoLog
from blackstart.changes.sqlite_log import SCHEME, SqliteLog
from blackstart.errors import ConfigInvalid


def default_url() -> str:
    """The log of this user on this machine."""
    return f"{SCHEME}{platformdirs.user_state_path('blackstart') / 'undo.sqlite'}"


def open_log(url: str) -> UndoLog:
    """The log at ``url`` ("": this user's); ConfigInvalid if it is none, UndoLogUnusable if it cannot be opened."""
    url = url or default_url()
    path = url.removeprefix(SCHEME)
    if path == url or not Path(path).is_absolute():
        raise ConfigInvalid("undo_log", url, f"not the URL of an undo log; write {SCHEME}/absolute/path")
    return SqliteLog(Path(path))

"""Earlier drills of the same experiment, read from the folders beside a journal; and what the experiment planned.

Only neighbours are read, newest first and no more than needed: the report of a drill must not wait for the history of
thousands, nor write an index where somebody has put a single journal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from blackstart.errors import JournalUnreadable
from blackstart.journals import folder as folders
from blackstart.journals import index, index_rows
from blackstart.journals.activities import Activity, mapping, planned
from blackstart.journals.folder import Drill
from blackstart.journals.index import Row

WANTED = 6
MOST_LOOKED_AT = 200
LARGEST_EXPERIMENT = 2**20


@dataclass(frozen=True)
class Earlier:
    """``rows``: the newest earlier drills of the same experiment, service and environment, oldest first. ``last`` is
    what was known at the start of the newest that had a fault and came to its end; None if there is none."""

    rows: tuple[Row, ...] = ()
    last: Drill | None = None


def read(folder: Path) -> Earlier:
    """Look beside ``folder``. What cannot be read is passed over: it is told in the history, not here."""
    own = index_rows.row(folder, folder.name)
    found: list[Row] = []
    for path in _neighbours(folder):
        found += index.before([index_rows.row(path, path.name)], own)
        if sum(_counts(row) for row in found) >= WANTED:
            break
    rows = index.before(found, own)
    newest = next((row for row in reversed(rows) if _counts(row)), None)
    return Earlier(rows, None if newest is None else _drill(folder.parent / newest.folder))


def intended(drill: Drill) -> tuple[Activity, ...]:
    """What the experiment file holds, if it is still the file that the drill ran; empty otherwise."""
    import yaml  # only drills without the toolkit's journal need it

    try:
        path = Path(drill.file)
        if not path.is_file() or path.stat().st_size > LARGEST_EXPERIMENT:
            return ()
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != drill.sha256:
            return ()
        return planned(mapping(yaml.safe_load(content)))
    except (OSError, ValueError, TypeError, RecursionError, yaml.YAMLError):
        return ()


def _counts(row: Row) -> bool:
    """Whether it came to an end, and had a fault: one without any has numbers of something else."""
    return row.closed and bool(row.changes)


def _neighbours(folder: Path) -> Iterator[Path]:
    """The newest first, as their names tell; a folder that was given another name may have none."""
    try:
        names = [each.name for each in folder.resolve().parent.iterdir() if index.STAMP.fullmatch(each.name)]
    except OSError:
        return
    for name in sorted(names, key=_stamp, reverse=True)[:MOST_LOOKED_AT]:
        if name != folder.resolve().name:
            yield folder.resolve().parent / name


def _stamp(name: str) -> tuple[str, int]:
    stamp, _, number = name.partition("-")
    return stamp, int(number or 1)


def _drill(folder: Path) -> Drill | None:
    try:
        return folders.read_drill(folder)
    except JournalUnreadable:
        return None

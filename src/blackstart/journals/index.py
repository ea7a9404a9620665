"""All journals under one folder, as rows: what the history, the next report and a review ask for.

Rows are made of ``drill.json`` and ``verdict.json`` alone and kept in ``index.sqlite`` beside the journals, so only
journals that changed are read again. The index is a cache: it may be deleted at any time, and where it cannot be
written, rows are made anew each time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from blackstart.errors import JournalUnreadable

Json = Any
Told = Callable[[int, int], None]
"""How many journals have been read again, of how many that have to be."""
STAMP = re.compile(r"\d{8}T\d{6}Z(-\d+)?")


@dataclass(frozen=True)
class Row:
    """One journal. ``folder`` is relative to the root. Numbers are None where they were not measured; shares 0–1.

    ``verdict`` is one of the three words, "" where it cannot be told. ``objectives`` as in ``verdict.json``.
    ``problem`` says what is wrong with a journal that cannot be read (whole); fields that it does not tell are empty
    then, and it is shown all the same. ``tags`` of the experiment, where the journal has them.
    """

    folder: str
    drill: str = ""
    experiment: str = ""
    title: str = ""
    service: str = ""
    environment: str = ""
    fault: str = ""
    sha256: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    verdict: str = ""
    reason: str = ""
    exit_code: int | None = None
    cut_off: bool = False
    rto_seconds: float | None = None
    rto_error_seconds: float | None = None
    rpo_seconds: float | None = None
    rpo_error_seconds: float | None = None
    lost_writes: int | None = None
    acknowledged_writes: int | None = None
    availability: float | None = None
    requests: int | None = None
    failed_requests: int | None = None
    longest_outage_seconds: float | None = None
    p95_seconds: float | None = None
    p99_seconds: float | None = None
    objectives: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    steps: tuple[Mapping[str, Json], ...] = ()
    changes: int | None = None
    leftovers: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    problem: str = ""

    @property
    def closed(self) -> bool:
        """Whether somebody judged it when it was over; not so while it runs, or when it was killed and left alone."""
        return self.exit_code is not None

    @property
    def series(self) -> tuple[str, str, str]:
        """What can be compared with each other: service, experiment, environment."""
        return self.service, self.experiment, self.environment


@dataclass(frozen=True)
class Place:
    """A journal's folder: relative to the root as ``name``, and what tells whether it changed since it was read."""

    name: str
    path: str
    mark: str


def read(root: Path, told: Told | None = None) -> tuple[Row, ...]:
    """Every journal under ``root``, oldest first; those without a start last, by folder. Updates the index.

    JournalUnreadable if ``root`` is no folder that can be read. A journal that is damaged is a row with a ``problem``.
    """
    from blackstart.journals import index_rows, index_store

    places = tuple(_places(root))
    known = index_store.load(root) if places else {}
    rows: dict[str, Row] = {}
    for place in places:
        mark, text = known.get(place.name, ("", ""))
        if mark == place.mark and (row := index_rows.parse(text)) is not None:
            rows[place.name] = row
    changed = [place for place in places if place.name not in rows]
    for number, place in enumerate(changed, 1):
        rows[place.name] = index_rows.row(Path(place.path), place.name)
        if told is not None:
            told(number, len(changed))
    gone = known.keys() - rows.keys()
    if changed or gone:
        fresh = {place.name: (place.mark, index_rows.text(rows[place.name])) for place in changed}
        index_store.save(root, fresh, gone)
    return tuple(sorted(rows.values(), key=_age))


def before(rows: Sequence[Row], row: Row) -> tuple[Row, ...]:
    """Earlier drills of the same experiment, on the same service in the same environment, oldest first."""
    if row.started is None:
        return ()
    return tuple(
        other
        for other in sorted(rows, key=_age)
        if other.series == row.series
        and other.started is not None
        and (other.started, other.folder) < (row.started, row.folder)
    )


def _age(row: Row) -> tuple[bool, float, str]:
    return row.started is None, row.started.timestamp() if row.started else 0.0, row.folder


def _places(root: Path) -> Iterator[Place]:
    """``<experiment>/<start>`` under ``root``, and ``<start>`` in it, so that one experiment's folder will do."""
    top = str(root)
    try:
        inside = sorted(_folders(top))
    except OSError as error:
        raise JournalUnreadable(top, "the folder", f"cannot be read ({error})") from error
    for name in inside:
        path = f"{top}{os.sep}{name}"
        if mark := _mark(path, name):
            yield Place(name, path, mark)
            continue
        try:
            below = sorted(_folders(path))
        except OSError:
            below = []
        for each in below:
            if mark := _mark(f"{path}{os.sep}{each}", each):
                yield Place(f"{name}/{each}", f"{path}{os.sep}{each}", mark)


def _folders(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.is_dir():
                yield entry.name


def _mark(folder: str, name: str) -> str:
    """Changes when one of the two files does; "" if this is not the folder of a journal."""
    drill, verdict = _file_mark(f"{folder}{os.sep}drill.json"), _file_mark(f"{folder}{os.sep}verdict.json")
    if drill or verdict or STAMP.fullmatch(name):
        return f"{drill}/{verdict}"
    return ""


def _file_mark(path: str) -> str:
    """A file that was replaced by one of the same size in the same instant still has another inode."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ""
    return f"{found.st_mtime_ns}.{found.st_size}.{found.st_ino}"

"""Reads the journals of a period: what each drill shows, whether its journal is whole, and which files to hand over.

Changes nothing in the journals.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from blackstart.changes.model import State
from blackstart.errors import BlackstartError, JournalUnreadable
from blackstart.journals import digests, manifest, numbers
from blackstart.journals import folder as folders
from blackstart.journals.digests import MANIFEST
from blackstart.journals.folder import Journal
from blackstart.journals.index import Row
from blackstart.journals.manifest import Verification
from blackstart.journals.measure import measure
from blackstart.journals.verdict import Word, judge
from blackstart.reports import html
from blackstart.reports.evidence.mapping import Drilled
from blackstart.reports.evidence.period import Period
from blackstart.reports.evidence.shown import shown, text

Json = Any
_STAMP = re.compile(r"(\d{8}T\d{6}Z)(?:-\d+)?")
_MADE = frozenset({State.APPLIED, State.UNDONE, State.VERIFIED, State.CONFLICT})
NEVER_CLOSED = "it was never closed, so nothing shows that it is as it was written"
_SINGLE_REQUESTS = ("samples", "ledger", "found")
"""Files that begin so hold a record of every single request: most of a journal’s size, and no auditor’s first wish."""


@dataclass(frozen=True)
class Gathered:
    """A journal of the period: ``files`` are those to hand over, ``left_out`` the others, both by their place in its
    folder. ``closed``: it has a manifest, if maybe not one that fits. ``rendered``: a report, where the journal holds
    none. ``undone``: whether everything was put back, in words."""

    path: Path
    drilled: Drilled
    closed: bool
    files: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    rendered: str = ""
    undone: str = ""


def chosen(rows: Collection[Row], period: Period) -> tuple[Row, ...]:
    """The drills that began in ``period``, and those of which nobody can say when they did."""
    return tuple(row for row in rows if (began := started(row)) is None or began in period)


def started(row: Row) -> datetime | None:
    """When the drill began: where its journal cannot be read, the name of the folder tells it."""
    if row.started is not None:
        return _aware(row.started)
    stamp = _STAMP.fullmatch(Path(row.folder).name)
    try:
        return datetime.strptime(stamp[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if stamp else None
    except ValueError:
        return None


def gather(root: Path, row: Row, with_samples: bool) -> Gathered:
    """One journal, read and verified."""
    path = root / row.folder
    files = _files(path)
    left_out = () if with_samples else tuple(file for file in files if file.startswith(_SINGLE_REQUESTS))
    kept = tuple(file for file in files if file not in left_out)
    found = manifest.verify(path)
    problems = dict.fromkeys((*_problems(found), *([row.problem] if row.problem else ())))
    drilled, undone = _unread(row, tuple(problems)), "not known"
    try:
        journal = folders.read(path)
    except JournalUnreadable as error:
        drilled = _unread(row, (*problems, f"{error.file}: {error.problem}"))
    else:
        drilled, undone = _drilled(row, journal, drilled.problems), _undone(journal.verdict or {})
    sound = not altered(drilled)
    rendered = _rendered(path) if sound and folders.REPORT not in kept else ""
    return Gathered(path, drilled, found.closed, kept, left_out, rendered, undone)


def _unread(row: Row, problems: tuple[str, ...]) -> Drilled:
    """What the place of a journal tells of its drill."""
    parts = Path(row.folder).parts
    return Drilled(row.folder, experiment=parts[0] if len(parts) > 1 else "", started=started(row), problems=problems)


def _drilled(row: Row, journal: Journal, problems: tuple[str, ...]) -> Drilled:
    drill, verdict = journal.drill, journal.verdict or {}
    return Drilled(
        folder=row.folder,
        drill=text(drill.drill),
        experiment=text(drill.experiment),
        title=text(drill.title),
        environment=text(drill.environment),
        started=_aware(drill.started),
        ended=_ended(verdict),
        verdict=next((word for word in Word if word == verdict.get("verdict")), ""),
        reason=text(verdict.get("reason")),
        shown=shown(verdict, set(_changed(journal)), bool(drill.felt)),
        problems=(*problems, *journal.damaged),
    )


def _aware(moment: datetime) -> datetime | None:
    """In UTC; None for what only a damaged journal can say, such as the first hours of the year 1 elsewhere."""
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        return None


def _ended(verdict: Mapping[str, Json]) -> datetime | None:
    try:
        return _aware(datetime.fromisoformat(verdict["ended"]))
    except (KeyError, TypeError, ValueError):
        return None


def _changed(journal: Journal) -> Iterator[str]:
    """The kinds of the changes that were made, not only planned."""
    kinds: dict[str, str] = {}
    for line in journal.changes:
        change, record = text(line.get("change")), line.get("record")
        if isinstance(record, Mapping):
            kinds[change] = text(record.get("kind"))
        if text(line.get("state")) in _MADE and change in kinds:
            yield kinds[change]


def _undone(verdict: Mapping[str, Json]) -> str:
    """Whether everything was put back, in a few words."""
    made, left = verdict.get("changes"), verdict.get("leftovers")
    if not isinstance(made, int) or not isinstance(left, list):
        return "not known"
    if verdict.get("exit_code") == 3 or left or verdict.get("residue"):
        return f"{len(left)} of {numbers.plural(made, 'change')} not proven undone" if left else "something was left"
    return f"{made} of {numbers.plural(made, 'change')}, read back" if made else "nothing was changed"


def altered(drilled: Drilled) -> tuple[str, ...]:
    """What is not as it was sealed, or cannot be read; that nobody sealed it is another matter."""
    return tuple(problem for problem in drilled.problems if problem != NEVER_CLOSED)


def _problems(found: Verification) -> Iterator[str]:
    """Why the journal cannot be taken as it is."""
    yield from found.problems
    if found.unreadable:
        yield found.unreadable
    elif not found.closed:
        yield NEVER_CLOSED


def _files(path: Path) -> tuple[str, ...]:
    """All regular files that are not half-written ones, sorted. A link may point anywhere, so none is followed."""
    try:
        found = digests.listing(path)
        own = [file.name for file in path.glob(f"{MANIFEST}*") if file.is_file() and not file.is_symlink()]
    except OSError:
        return ()
    return tuple(sorted((*found.files, *found.derived, *own)))


def _rendered(path: Path) -> str:
    """The report, where the drill left none; "" where its journal does not allow one."""
    try:
        measured = measure(path)
        return html.page(measured, judge(measured), html.hashes(path))
    except BlackstartError:
        return ""

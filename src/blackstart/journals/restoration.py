"""The proof that everything was put back: what the undo log has of each change, and what a scan for residue found.

``record`` writes it into the journal as ``restoration.json``, after every undo that ended a drill, whoever undid:
the drill, the reverter, or ``recover``. The file is replaced whole, so the newest proof counts.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from blackstart.changes.model import State
from blackstart.changes.reach import Reach
from blackstart.changes.residue import Found, Residue, Whose, scan
from blackstart.changes.resolve import ACCEPTED
from blackstart.clock import iso
from blackstart.errors import JournalUnwritable, UndoLogUnusable
from blackstart.journals.folder import FORMAT, RESTORATION, write_json

Json = Any
logger = logging.getLogger("blackstart.journals.restoration")


@dataclass(frozen=True)
class Restoration:
    """``at`` is ISO 8601 in UTC, ``by`` one of drill, reverter and recover. ``changes`` and ``verified`` count; None:
    the undo log could not be read. ``conflicts`` and ``remaining`` map change id to reason; ``accepted`` are the ids of
    changes that count as verified because somebody decided to keep what is there."""

    at: str
    by: str
    changes: int | None
    verified: int | None
    conflicts: Mapping[str, str] = field(default_factory=dict)
    remaining: Mapping[str, str] = field(default_factory=dict)
    accepted: tuple[str, ...] = ()
    residue: Residue = field(default_factory=Residue)

    @property
    def unverified(self) -> tuple[str, ...]:
        """Ids of the changes that the undo log does not have as read back."""
        return (*self.conflicts, *self.remaining)

    def of(self, whose: Whose) -> tuple[Found, ...]:
        """The residue that is ``whose``."""
        return tuple(found for found in self.residue.found if found.whose is whose)


def record(drill: str, folder: Path | None, reach: Reach, by: str) -> Restoration | None:
    """Look whether everything is put back, and write that into the journal ``folder`` (None: nowhere).

    None, and nothing is written, for a drill that changed nothing. A file that cannot be written stops nothing: then
    the journal does not hold the proof, and the verdict says so.
    """
    proof = _prove(drill, reach, by)
    if proof is not None and folder is not None:
        try:
            write_json(folder / RESTORATION, {"format": FORMAT, "drill": drill, **asdict(proof)})
        except JournalUnwritable as error:
            logger.warning("could not write %s (%s); going on without", folder / RESTORATION, error)
    return proof


def _prove(drill: str, reach: Reach, by: str) -> Restoration | None:
    residue = scan(drill, reach)
    at = iso(reach.clock.now())
    try:
        entries = reach.log.entries(drill)
    except UndoLogUnusable:
        return Restoration(at, by, None, None, residue=residue)
    if not entries:
        return None
    open_ = [entry for entry in entries if entry.open]
    return Restoration(
        at,
        by,
        changes=len(entries),
        verified=len(entries) - len(open_),
        conflicts={each.change.id: each.note for each in open_ if each.state is State.CONFLICT},
        remaining={each.change.id: each.note for each in open_ if each.state is not State.CONFLICT},
        accepted=tuple(each.change.id for each in entries if not each.open and each.note.startswith(ACCEPTED)),
        residue=residue,
    )


def parse(data: Mapping[str, Json] | None, damaged: list[str]) -> Restoration | None:
    """``restoration.json`` as read; None without it, or, which is added to ``damaged``, if it says something else."""
    if data is None:
        return None
    try:
        return TypeAdapter(Restoration).validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        damaged.append(f"{RESTORATION}: {'.'.join(map(str, first['loc']))}: {first['msg']}")
        return None

"""Writes the proof that everything was put back (`restoration`).

After every undo that ended a drill, whoever undid: the drill, the reverter, or ``recover``. The file is replaced whole,
so the newest proof counts.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path

from blackstart.changes.model import State
from blackstart.changes.reach import Reach
from blackstart.changes.residue import scan
from blackstart.changes.resolve import ACCEPTED
from blackstart.clock import iso
from blackstart.errors import JournalUnwritable, UndoLogUnusable
from blackstart.journals.folder import FORMAT, RESTORATION, write_json
from blackstart.journals.restoration import Restoration

logger = logging.getLogger("blackstart.journals.restoring")


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

"""The proof that everything was put back: what the undo log has of each change, and what a scan for residue found.

It is in the journal as ``restoration.json``, which `restoring` writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from blackstart.changes.leftovers import Found, Residue, Whose
from blackstart.journals.folder import RESTORATION

Json = Any


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


def parse(data: Mapping[str, Json] | None, damaged: list[str]) -> Restoration | None:
    """``restoration.json`` as read; None without it, or, which is added to ``damaged``, if it says something else."""
    if data is None:
        return None
    try:
        proof = TypeAdapter(Restoration).validate_python(data)
        datetime.fromisoformat(proof.at)
    except ValidationError as error:
        first = error.errors()[0]
        damaged.append(f"{RESTORATION}: {'.'.join(map(str, first['loc']))}: {first['msg']}")
        return None
    except ValueError as error:
        damaged.append(f"{RESTORATION}: at: {str(error)[:100]}")
        return None
    return proof

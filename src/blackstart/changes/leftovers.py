"""What a scan for residue tells: things that carry Blackstart's tag or label, and whose they are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Whose(StrEnum):
    """Who left something."""

    OURS = "ours"
    THEIRS = "theirs"
    """Another drill in the same undo log holds it open, and will put it back itself."""
    UNKNOWN = "unknown"
    """No drill in the undo log holds it: it may be of another log, or of a drill that left it behind."""


@dataclass(frozen=True)
class Tagged:
    """One thing that carries TAG. ``what`` is its type ("network-acl", "pods"), ``change`` the tag's value."""

    what: str
    id: str
    change: str


@dataclass(frozen=True)
class Found(Tagged):
    """It was found in ``place`` ("us-east-1"). ``drill`` is the other one that holds it open, else ""."""

    place: str
    whose: Whose
    drill: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.id} in {self.place}"


@dataclass(frozen=True)
class Residue:
    """What one scan came to. ``looked`` names the places that answered and what they were asked for, ``problems`` says
    of each of the others, as a sentence without its full stop, why it did not."""

    looked: tuple[str, ...] = ()
    found: tuple[Found, ...] = ()
    problems: tuple[str, ...] = ()

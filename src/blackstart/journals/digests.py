"""Sizes and SHA-256 of the files of a journal, and which of them count."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

MANIFEST, SIGNATURE, CHAIN = "manifest.json", "manifest.json.sig", "chain.jsonl"
DERIVED = ("report.*", "report-*", "review*", "publish*.json*", "archive.json")
"""Files that are made from the others: they may be made anew, or taken away, after a journal was closed."""
GROWING = (".jsonl", ".bin", ".log")
"""How the names of files end that are only ever appended to; all others are replaced as a whole."""
_OURS = (MANIFEST, f"{MANIFEST}.*")
_LEFT_OVER = re.compile(r"\..+\.(\d+|new)|.+\.partial")
_PIECE = 1 << 20


@dataclass(frozen=True)
class Digest:
    """``size`` in bytes, and SHA-256 in hex of that many."""

    size: int
    sha256: str

    def to_json(self) -> dict[str, int | str]:
        return {"size": self.size, "sha256": self.sha256}


@dataclass(frozen=True)
class Listing:
    """Names, with ``/`` between folders and names: ``files`` are the record, ``derived`` are made from it, ``odd`` are
    no regular files, and ``left_over`` are what killed writers left beside what they would have replaced."""

    files: tuple[str, ...]
    derived: tuple[str, ...]
    odd: tuple[str, ...]
    left_over: tuple[str, ...]


def listing(folder: Path) -> Listing:
    """What is in ``folder``, but for its manifest and signatures of that. OSError if it cannot be listed."""
    files, derived, odd, left_over = [], [], [], []
    for name, regular in sorted(_entries(folder, "")):
        if any(fnmatchcase(name, each) for each in _OURS):
            continue
        last = name.rpartition("/")[2]
        if not regular:
            odd.append(name)
        elif any(fnmatchcase(name, each) for each in DERIVED):
            derived.append(name)
        elif _LEFT_OVER.fullmatch(last):
            left_over.append(name)
        else:
            files.append(name)
    return Listing(tuple(files), tuple(derived), tuple(odd), tuple(left_over))


def _entries(folder: Path, prefix: str) -> Iterator[tuple[str, bool]]:
    with os.scandir(folder) as found:
        for entry in found:
            name = prefix + _shown(entry.name)
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(Path(entry.path), f"{name}/")
            else:
                yield name, stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode)


def _shown(name: str) -> str:
    """A name that is no text, as text that tells it."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def digest(path: Path) -> Digest:
    """Of the bytes that are there now. OSError if it cannot be read."""
    size = path.stat().st_size
    return prefixes(path, (size,))[size]


def digests(folder: Path, names: Iterable[str]) -> dict[str, Digest]:
    """Of each file that is there; one that has just gone is left out."""
    found = {}
    for name in names:
        try:
            found[name] = digest(folder / name)
        except FileNotFoundError:
            continue
    return found


def prefixes(path: Path, sizes: Iterable[int]) -> Mapping[int, Digest]:
    """The digests of the first so many bytes, in one pass; a size that the file does not reach is left out."""
    found: dict[int, Digest] = {}
    so_far, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        for size in sorted(set(sizes)):
            while done < size:
                piece = file.read(min(size - done, _PIECE))
                if not piece:
                    return found
                so_far.update(piece)
                done += len(piece)
            found[size] = Digest(size, so_far.hexdigest())
    return found


def grows(name: str) -> bool:
    """Whether the file is only ever appended to."""
    return name.endswith(GROWING)

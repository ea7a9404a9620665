"""``manifest.json``: closes a journal. Every file with its size and SHA-256, the end of its chain, and the manifest of
the journal that was closed before it, so that a change, a loss and a journal that vanished are all noticed.

Its text is canonical (``canonical``): the same content is always the same bytes, which any tool can sign as they are.
``write`` closes or closes anew, ``verify`` tells what is not as it was; ``of`` serves any other folder of evidence.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from blackstart.clock import iso
from blackstart.errors import JournalUnreadable, JournalUnwritable
from blackstart.journals import chain, digests
from blackstart.journals import folder as folders
from blackstart.journals.digests import MANIFEST, SIGNATURE, Digest

__all__ = ("MANIFEST", "SIGNATURE", "Manifest", "Verification", "canonical", "of", "parse", "read", "verify", "write")

FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """``manifest.json`` as read. ``previous``: the journal (``experiment/start``) that was closed before this one and
    the digest of its manifest, or None; ``replaces``: digests of this journal's own earlier manifests, oldest first."""

    drill: str
    stage: str
    at: str
    by: str
    files: Mapping[str, Digest]
    derived: Mapping[str, Digest]
    chain: str
    previous: tuple[str, str] | None
    replaces: tuple[str, ...]
    sha256: str


@dataclass(frozen=True)
class Verification:
    """What became of a journal. ``problems``: what is not as it was sealed, a sentence each, the file's name first;
    ``closed``: it has a manifest; ``unreadable``: why nothing can be told; ``notes``: what is as it may be, but good to
    know."""

    problems: tuple[str, ...]
    closed: bool
    notes: tuple[str, ...] = ()
    unreadable: str = ""

    @property
    def exit_code(self) -> int:
        """0 as it was sealed, 1 not, 2 cannot be told."""
        if self.problems:
            return 1
        return 0 if self.closed and not self.unreadable else 2


def canonical(data: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8 with sorted keys, an indent of one and a newline at its end."""
    return (json.dumps(data, ensure_ascii=False, sort_keys=True, indent=1) + "\n").encode()


def of(folder: Path) -> dict[str, Any]:
    """``format``, and ``files`` and ``derived``: name → size and SHA-256 of what is in ``folder`` now. OSError."""
    found = digests.listing(folder)
    return {
        "format": FORMAT,
        "files": _told(digests.digests(folder, found.files)),
        "derived": _told(digests.digests(folder, found.derived)),
    }


def write(folder: Path, stage: str, by: str, at: datetime) -> str:
    """Close the journal ``folder``, or close it anew after something was added on purpose; returns the manifest's
    SHA-256. ``stage``: closed or recovered. JournalUnwritable.
    """
    try:
        before, replaced = _current(folder)
        replaces = [*(before.replaces if before else ()), *([replaced] if replaced else ())]
        previous = before.previous if before else _newest(folder)
        files, head = chain.add(folder, stage, by, at)
        told = {
            "drill": drill_of(folder),
            "journal": f"{folder.parent.name}/{folder.name}",
            "stage": stage,
            "at": iso(at),
            "by": by,
            "chain": head,
            "previous": None if previous is None else {"journal": previous[0], "sha256": previous[1]},
            "replaces": replaces,
        }
        whole = {**files, digests.CHAIN: digests.digest(folder / digests.CHAIN)}
        derived = digests.digests(folder, digests.listing(folder).derived)
        text = canonical({"format": FORMAT, **told, "files": _told(whole), "derived": _told(derived)})
    except OSError as error:
        raise JournalUnwritable(str(folder), MANIFEST, str(error)) from error
    folders.write_text(folder / MANIFEST, text.decode())
    return hashlib.sha256(text).hexdigest()


def _told(files: Mapping[str, Digest]) -> dict[str, Any]:
    return {name: each.to_json() for name, each in files.items()}


def drill_of(folder: Path) -> str:
    """The drill's id, "" if ``drill.json`` does not tell."""
    try:
        return folders.read_drill(folder).drill
    except JournalUnreadable:
        return ""


def _current(folder: Path) -> tuple[Manifest | None, str]:
    """The manifest that is there, and its digest; None for one that cannot be read, "" without any."""
    try:
        text = (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        return None, ""
    digest = hashlib.sha256(text).hexdigest()
    try:
        return parse(text), digest
    except ValueError:
        return None, digest


def _newest(folder: Path) -> tuple[str, str] | None:
    """The journal of the same root that was closed last, and the digest of its manifest."""
    newest: tuple[int, Path] | None = None
    for path in folder.absolute().parent.parent.glob(f"*/*/{MANIFEST}"):
        try:
            closed = path.stat().st_mtime_ns, path
        except OSError:
            continue
        if path.parent != folder.absolute() and (newest is None or closed > newest):
            newest = closed
    if newest is None:
        return None
    _, path = newest
    return f"{path.parent.parent.name}/{path.parent.name}", hashlib.sha256(path.read_bytes()).hexdigest()


def parse(text: bytes) -> Manifest:
    """ValueError, with what is wrong, for what is no manifest or is not written in its one canonical way."""
    try:
        data = json.loads(text)
        if canonical(data) != text:
            raise ValueError("its bytes are not canonical")
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']!r}, this version reads {FORMAT}")
        last = data["previous"]
        return Manifest(
            drill=str(data["drill"]),
            stage=str(data["stage"]),
            at=str(data["at"]),
            by=str(data["by"]),
            files={name: chain.parse_digest(each) for name, each in data["files"].items()},
            derived={name: chain.parse_digest(each) for name, each in data["derived"].items()},
            chain=str(data["chain"]),
            previous=None if last is None else (str(last["journal"]), str(last["sha256"])),
            replaces=tuple(map(str, data["replaces"])),
            sha256=hashlib.sha256(text).hexdigest(),
        )
    except KeyError as error:
        raise ValueError(f"it has no {error}") from error
    except (TypeError, AttributeError, RecursionError) as error:
        raise ValueError(str(error)) from error


def read(folder: Path) -> Manifest | None:
    """The manifest of ``folder``; None without one. JournalUnreadable if it is none."""
    try:
        return parse((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise JournalUnreadable(str(folder), MANIFEST, f"is not a manifest ({error})") from error


def verify(folder: Path) -> Verification:
    """Compare ``folder`` with its chain and its manifest; raises nothing for whatever is in it."""
    from blackstart.journals import verification

    return verification.of(folder)

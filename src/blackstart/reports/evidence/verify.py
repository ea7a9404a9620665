"""Verifies an archive of evidence: every file is as its manifest has it, and as the manifest of its own journal has it.

What this cannot know: whether somebody packed it anew, manifest and all. A signature over the archive can.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from blackstart.errors import ConfigInvalid
from blackstart.journals.manifest import MANIFEST, Verification
from blackstart.reports.evidence.archive import FORMAT, KIND

Json = Any
JOURNALS = "journals"
_BLOCK = 1 << 20
_BY_HAND = "check {0}.sig with: ssh-keygen -Y verify -f {1} -I SIGNER -n evidence -s {0}.sig < {0}"
_MOST_MANIFEST = 256 << 20
_BAD = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, KeyError, NotImplementedError)
"""What zipfile raises for members that are damaged, encrypted or compressed in a way it does not know."""


def verify_archive(path: Path, signers: Path | None = None) -> Verification:
    """``problems`` names each file that was changed, is missing or does not belong, and each journal that was not as
    it was sealed when it was packed; ``notes`` those that were never closed. Raises nothing for whatever is in it.

    ``signers`` is refused with ConfigInvalid: who asks for a signature must not take silence for one.
    """
    if signers is not None:
        raise ConfigInvalid("--allowed-signers", "", f"does not look at archives; {_BY_HAND.format(path, signers)}")
    try:
        with zipfile.ZipFile(path) as pack:
            about = _manifest(pack)
            return Verification(tuple(_problems(pack, about)), closed=True, notes=tuple(_notes(about)))
    except (*_BAD, RecursionError) as error:
        return Verification((), closed=False, unreadable=f"it is no archive of evidence that can be read ({error})")


def _manifest(pack: zipfile.ZipFile) -> Mapping[str, Json]:
    """ValueError if it is not that of an archive of evidence."""
    about = json.loads(_read(pack, MANIFEST))
    if not isinstance(about, dict) or about.get("kind") != KIND or not isinstance(about.get("files"), dict):
        raise ValueError(f"{MANIFEST} is not that of an archive of evidence")
    if about.get("format") != FORMAT:
        raise ValueError(f"{MANIFEST} has format {about.get('format')!r}, this version reads {FORMAT}")
    return about


def _notes(about: Mapping[str, Json]) -> Iterator[str]:
    for each in _listed(about):
        if each.get("closed") is not True:
            yield f"{JOURNALS}/{each.get('folder')} was never closed, so nothing shows that it is as it was written"


def _listed(about: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    journals = about.get("journals")
    yield from (each for each in journals if isinstance(each, dict)) if isinstance(journals, list) else ()


def _read(pack: zipfile.ZipFile, name: str) -> bytes:
    with pack.open(name) as file:
        data = file.read(_MOST_MANIFEST + 1)
    if len(data) > _MOST_MANIFEST:
        raise ValueError(f"{name} is longer than any manifest")
    return data


def _problems(pack: zipfile.ZipFile, about: Mapping[str, Json]) -> Iterator[str]:
    stated = about["files"]
    names = Counter(pack.namelist())
    for name in sorted(names):
        if names[name] > 1:
            yield f"{name} is in the archive {names[name]} times"
        if _outside(name):
            yield f"{name} would be unpacked outside of its folder"
        if name != MANIFEST and name not in stated:
            yield f"{name} is extra: the manifest does not name it"
    whole: dict[str, Mapping[str, Json]] = {}
    """Files that are as the manifest has them."""
    for name in sorted(stated):
        wrong = "is missing" if name not in names else _differs(pack, name, stated[name])
        if wrong:
            yield f"{name} {wrong}"
        else:
            whole[name] = stated[name]
    yield from _journals(pack, about, whole, set(names))


def _outside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return name.startswith("/") or "\\" in name or ".." in parts or ":" in name.split("/", maxsplit=1)[0]


def _differs(pack: zipfile.ZipFile, name: str, stated: Json) -> str:
    """ "" if the file is as ``stated``; reads no more of it than it should be long."""
    size = stated.get("size") if isinstance(stated, Mapping) else None
    if not isinstance(size, int):
        return "has no size in the manifest"
    digest, seen = hashlib.sha256(), 0
    try:
        with pack.open(name) as file:
            while seen <= size and (block := file.read(_BLOCK)):
                digest.update(block)
                seen += len(block)
    except _BAD as error:
        return f"cannot be read ({error})"
    if seen != size:
        return f"was changed: {'longer' if seen > size else 'shorter'} than {size:,} bytes"
    return "" if digest.hexdigest() == stated.get("sha256") else "was changed"


def _journals(
    pack: zipfile.ZipFile, about: Mapping[str, Json], whole: Mapping[str, Mapping[str, Json]], names: Collection[str]
) -> Iterator[str]:
    """The files of each journal against that journal’s own manifest."""
    for each in _listed(about):
        folder = f"{JOURNALS}/{each.get('folder')}"
        problems = each.get("problems")
        for problem in problems if isinstance(problems, list) else ():
            yield f"{folder} was not as it was sealed when it was packed: {problem}"
        own = f"{folder}/{MANIFEST}"
        if own not in whole or problems:
            continue  # it was named already, or proves nothing anyway
        left_out = each.get("left_out")
        here = {f"{folder}/{name}": its for name, its in left_out.items()} if isinstance(left_out, Mapping) else {}
        for name, its in _stated_in(pack, own):
            at = f"{folder}/{name}"
            known = whole.get(at) or here.get(at)
            if not isinstance(known, Mapping):
                if at not in names:
                    yield f"{at} is missing: the journal’s own manifest names it"
            elif known.get("sha256") != its:
                yield f"{at} is not as the journal’s own manifest has it"


def _stated_in(pack: zipfile.ZipFile, own: str) -> list[tuple[str, Json]]:
    """The SHA-256 of each file of the record, as the manifest of a journal has it."""
    try:
        files = json.loads(_read(pack, own))["files"]
        return [(name, its["sha256"]) for name, its in sorted(files.items())]
    except (*_BAD, RecursionError, TypeError, AttributeError):
        return []

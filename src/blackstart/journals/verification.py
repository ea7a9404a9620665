"""Whether a journal, or a whole root of them, is as it was written: what `blackstart journal verify` tells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from blackstart.errors import JournalUnreadable
from blackstart.journals import chain, digests, manifest
from blackstart.journals import folder as folders
from blackstart.journals.chain import Chain, Link
from blackstart.journals.digests import MANIFEST, Digest, Listing
from blackstart.journals.manifest import Manifest, Verification

OPEN = "never closed: its drill still runs, or was cut off and not recovered, or was made by an older version"


def of(folder: Path) -> Verification:
    """Compare ``folder`` with its chain and its manifest; raises nothing for whatever is in it."""
    try:
        return _of(folder)
    except OSError as error:
        return Verification((), False, unreadable=f"cannot be read ({error})")


def _of(folder: Path) -> Verification:
    listing = digests.listing(folder)
    if folders.DRILL not in listing.files and not (folder / MANIFEST).exists() and digests.CHAIN not in listing.files:
        return Verification((), False, unreadable="has neither drill.json nor manifest.json, so it is no journal")
    links = chain.read(folder)
    notes = [f"{digests.CHAIN}: a line was cut off by a writer that was killed"] if links.cut else []
    notes += [f"{name}: left by a writer that was killed; nothing reads it" for name in listing.left_over]
    try:
        sealed = manifest.read(folder)
    except JournalUnreadable as error:
        return Verification((f"{MANIFEST}: {error.problem}", *links.problems), True, tuple(notes))
    problems = [*links.problems, *_files(folder, listing, links, sealed)]
    if sealed is None:
        if links.links and links.links[-1].stage in chain.ENDINGS:
            problems.append(f"{MANIFEST}: missing, though {digests.CHAIN} says that the journal was closed")
        return Verification(tuple(problems), False, (*notes, OPEN))
    problems += _mismatch(folder, links, sealed)
    return Verification(tuple(problems), True, (*notes, *_derived(folder, listing, sealed)))


def _mismatch(folder: Path, links: Chain, sealed: Manifest) -> Iterator[str]:
    """Where the manifest, the chain and the drill do not tell the same."""
    last = links.links[-1] if links.links else None
    if sealed.chain != links.head:
        yield f"{digests.CHAIN}: does not end where {MANIFEST} says"
    elif last is not None and (last.stage, last.at, last.by) != (sealed.stage, sealed.at, sealed.by):
        yield f"{MANIFEST}: changed: when and by whom the journal was closed is not what {digests.CHAIN} says"
    if sealed.drill != manifest.drill_of(folder):
        yield f"{MANIFEST}: changed: it is of drill {sealed.drill!r}, and {folders.DRILL} is not"


def _files(folder: Path, listing: Listing, links: Chain, sealed: Manifest | None) -> Iterator[str]:
    """What is not as the chain and the manifest have it, in the order of names."""
    points: dict[str, list[tuple[str, Digest]]] = defaultdict(list)
    for link in links.links:
        for name, digest in _lasting(link):
            points[name].append((f"at the stage {link.stage}", digest))
    for name, digest in (sealed.files if sealed else {}).items():
        points[name].append(("when the journal was closed", digest))
    present = {*listing.files, *listing.derived, *listing.left_over}
    for name in sorted({*points, *listing.files, *listing.odd}):
        if name in listing.odd:
            yield f"{name}: not a regular file (a link, a pipe or a device), so it was not looked into"
        elif name not in present:
            yield f"{name}: missing"
        elif sealed is not None and name not in sealed.files:
            yield f"{name}: extra: it was not there when the journal was closed"
        elif name in points and (problem := _changed(folder / name, name, points[name], sealed)):
            yield f"{name}: {problem}"


def _lasting(link: Link) -> Iterator[tuple[str, Digest]]:
    """Of the files in ``link`` those that may not become others later: the rest is replaced while a drill goes on."""
    for name, digest in link.files.items():
        if digests.grows(name) or name == folders.DRILL:
            yield name, digest


def _changed(path: Path, name: str, points: list[tuple[str, Digest]], sealed: Manifest | None) -> str:
    """How the file differs from what it was; "" if it does not."""
    try:
        size = path.stat().st_size
        found = digests.prefixes(path, (size, *(digest.size for _, digest in points)))
    except OSError as error:
        return f"cannot be read ({error})"
    longest = max(digest.size for _, digest in points)
    if size < longest and digests.grows(name):
        return f"cut: {size:,} of {longest:,} bytes are left"
    for when, digest in points:
        if found.get(digest.size) != digest:
            return f"changed: it is not what it was {when}"
    if size > longest and (sealed is not None or not digests.grows(name)):
        return f"changed: it has grown by {size - longest:,} bytes since the journal was closed"
    return ""


def _derived(folder: Path, listing: Listing, sealed: Manifest) -> Iterator[str]:
    for name in sorted({*listing.derived, *sealed.derived}):
        if digests.grows(name) or name == "archive.json":
            continue  # who was told, and what was copied: both go on after the journal was closed
        if name not in listing.derived:
            yield f"{name}: it was there when the journal was closed, and can be made anew"
        elif name not in sealed.derived:
            yield f"{name}: made after the journal was closed; make it anew before you rely on it"
        elif not _same(folder / name, sealed.derived[name]):
            yield f"{name}: not the one that was there when the journal was closed; make it anew before you rely on it"


def _same(path: Path, digest: Digest) -> bool:
    try:
        return digests.digest(path) == digest
    except OSError:
        return False


def of_root(root: Path) -> Mapping[str, Verification]:
    """Every journal below ``root``, by ``experiment/start``, in the order of names; and whether one that another
    follows has vanished. OSError if ``root`` cannot be listed."""
    found = {f"{path.parent.name}/{path.name}": path for path in sorted(_journals(root))}
    told = {name: of(path) for name, path in found.items()}
    manifests = {name: each for name, path in found.items() if (each := _manifest(path)) is not None}
    for name, each in manifests.items():
        problem = _predecessor(each, found, manifests)
        if problem:
            told[name] = replace(told[name], problems=(*told[name].problems, problem))
    return told


def _journals(root: Path) -> Iterator[Path]:
    for experiment in sorted(root.iterdir()):
        if experiment.is_dir() and not experiment.name.startswith("."):
            yield from (path for path in experiment.iterdir() if path.is_dir() and not path.name.startswith("."))


def _manifest(folder: Path) -> Manifest | None:
    try:
        return manifest.read(folder)
    except JournalUnreadable:
        return None


def _predecessor(each: Manifest, found: Mapping[str, Path], manifests: Mapping[str, Manifest]) -> str:
    """What is wrong with the journal that ``each`` follows; "" if it is there as it was."""
    if each.previous is None:
        return ""
    name, digest = each.previous
    if name not in found:
        return f"{MANIFEST}: follows the journal {name}, which is not here any more"
    before = manifests.get(name)
    if before is None:
        return f"{MANIFEST}: follows the journal {name}, whose manifest is missing or cannot be read"
    if digest not in (before.sha256, *before.replaces):
        return f"{MANIFEST}: follows the journal {name}, whose manifest is another one now"
    return ""

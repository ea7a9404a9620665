"""The archive: a ZIP file that comes out the same, byte for byte, when the same is packed again.

Sorted, without times, with a ``manifest.json`` at its end that has the size and the SHA-256 of every other file.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from blackstart.errors import ConfigInvalid
from blackstart.journals.manifest import MANIFEST, canonical

Json = Any
FORMAT = 1
KIND = "evidence"
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_REGULAR = 0o100644 << 16
_UNIX = 3
_BLOCK = 1 << 20


def write(path: Path, sources: Mapping[str, Path | bytes], about: Mapping[str, Json]) -> str:
    """Pack ``sources`` (name in the archive → file or bytes) and the manifest, with ``about`` in it; the SHA-256 of
    the manifest. What is at ``path`` already stays, unless it is the same.

    ConfigInvalid if it cannot be written, or if another archive is there.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with _pack(beside) as pack:
            files = {name: _add(pack, name, sources[name]) for name in sorted(sources)}
            text = canonical({"format": FORMAT, "kind": KIND, **about, "files": files})
            _add(pack, MANIFEST, text)
        if path.exists() and digest_of(path) != digest_of(beside):
            raise ConfigInvalid(str(path), "", "another file is there and was left alone; name a new one with --output")
        os.replace(beside, path)
    except OSError as error:
        raise ConfigInvalid(str(path), "", f"cannot be written ({error})") from error
    finally:
        beside.unlink(missing_ok=True)
    return hashlib.sha256(text).hexdigest()


def digest_of(path: Path) -> str:
    """SHA-256 in hex of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _pack(path: Path) -> Iterator[zipfile.ZipFile]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as pack:
            yield pack
        file.flush()
        os.fsync(file.fileno())


def _add(pack: zipfile.ZipFile, name: str, source: Path | bytes) -> dict[str, Json]:
    """Hashes what goes into the archive, not what was in the file a moment before."""
    info = zipfile.ZipInfo(name, _EARLIEST)
    info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, _REGULAR, _UNIX
    digest, size = hashlib.sha256(), 0
    with _opened(source) as blocks, pack.open(info, "w", force_zip64=True) as target:
        for block in blocks:
            target.write(block)
            digest.update(block)
            size += len(block)
    return {"size": size, "sha256": digest.hexdigest()}


@contextmanager
def _opened(source: Path | bytes) -> Iterator[Iterator[bytes]]:
    if isinstance(source, bytes):
        yield iter((source,))
        return
    with source.open("rb") as file:
        yield _blocks(file)


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block

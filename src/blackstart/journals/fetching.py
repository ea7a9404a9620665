"""Reads a journal back from the archive, and checks each file against the manifest that came with it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from blackstart.changes.clients import Clients
from blackstart.errors import NotArchived
from blackstart.journals import archive, manifest
from blackstart.journals import folder as folders
from blackstart.journals.digests import MANIFEST
from blackstart.journals.manifest import Manifest

_PIECE = 1 << 20


def fetch(url: str, root: Path, region: str = "", clients: Clients | None = None) -> Path:
    """Bring the journal at ``url`` (``s3://bucket/prefix/experiment/start``) to ``root/experiment/start``, which must
    not be there yet. Returns that folder; NotArchived, with nothing left behind, if the copy cannot be read."""
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, prefix = archive.place(url)
    parts = PurePosixPath(prefix).parts
    if len(parts) < 2 or not all(map(_plain, parts)):
        raise NotArchived(url, "not the place of one journal", "write s3://bucket/prefix/experiment/start")
    folder = root / parts[-2] / parts[-1]
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    if folder.exists():
        raise NotArchived(
            url, f"{folder} is there already, so nothing was fetched", "name another folder with --output"
        )
    clients = clients or Clients(attempts=archive.ATTEMPTS, timeouts=archive.TIMEOUTS)
    copy = _Held(clients.aws("s3", region), url, bucket, prefix)
    try:
        copy.write(beside)
        beside.rename(folder)
    except (BotoCoreError, ClientError, OSError) as error:
        raise NotArchived(url, str(error), "what had been fetched was thrown away") from error
    finally:
        _remove(beside)
    return folder


class _Held:
    """What the archive holds of one journal."""

    def __init__(self, client: Any, url: str, bucket: str, prefix: str) -> None:
        self._client, self._url, self._bucket, self._prefix = client, url, bucket, prefix

    def write(self, folder: Path) -> None:
        """All of it, each file as the last manifest has it; a file of which no copy is so, as it was kept first: the
        verification tells."""
        versions = self._versions()
        if folders.DRILL not in versions:
            raise NotArchived(self._url, "no journal is there", "name the folder that holds its drill.json")
        folder.mkdir(parents=True)
        last = self._last(versions.get(MANIFEST, {}))
        for name, keys in versions.items():
            wanted = last[1].files.get(name) if last else None
            path = folder.joinpath(*PurePosixPath(name).parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            chosen = (last[0], "") if last is not None and name == MANIFEST else None
            for key in [chosen[0]] if chosen else [*sorted(keys.values(), reverse=True), keys[min(keys)]]:
                if self._bring(key, path) == (wanted.sha256 if wanted else None) or chosen or not wanted:
                    break

    def _versions(self) -> Mapping[str, dict[str, str]]:
        """Keys by name and by the seal that they were kept with ("" for the first)."""
        found: dict[str, dict[str, str]] = {}
        for key in self._keys():
            name = key.removeprefix(self._prefix)
            first, _, rest = name.partition("/")
            seal, name = (first, rest) if first.startswith(archive.SEALED) and rest else ("", name)
            if not name or not all(map(_plain, name.split("/"))):
                raise NotArchived(self._url, f"the key {key!r} is not one of a journal's file")
            found.setdefault(name, {})[seal] = key
        return found

    def _keys(self) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        for page in pages:
            yield from (each["Key"] for each in page.get("Contents", ()))

    def _last(self, keys: Mapping[str, str]) -> tuple[str, Manifest] | None:
        """The manifest that replaces all others, and its key."""
        found = []
        for key in keys.values():
            try:
                told = manifest.parse(self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read())
            except ValueError:
                continue
            found.append((len(told.replaces), key, told))
        return max(found, key=lambda each: each[:2])[1:] if found else None

    def _bring(self, key: str, path: Path) -> str:
        """Write the object to ``path``; its SHA-256."""
        digest = hashlib.sha256()
        body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
        with path.open("wb") as file:
            while piece := body.read(_PIECE):
                digest.update(piece)
                file.write(piece)
        return digest.hexdigest()


def _plain(part: str) -> bool:
    return part not in ("", ".", "..") and not any(each in part for each in "/\\\0")


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)

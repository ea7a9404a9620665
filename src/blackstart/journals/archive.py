"""A copy of a journal in an S3 bucket, outside what drills break: under ``prefix/experiment/start/``.

Nothing there is ever overwritten: a file is put only where none is. One that has changed since (the journal was closed
anew by a later recovery) goes to ``sealed-<first of the manifest's digest>/`` beside it. Each object is sent with its
SHA-256, which S3 checks, and, if that is set, with an object lock. What came of it is in ``archive.json``.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from blackstart.access import Aws, Need, arn, within
from blackstart.changes.clients import Clients
from blackstart.clock import Clock, iso
from blackstart.errors import NotArchived
from blackstart.journal_settings import Archive
from blackstart.journals import digests
from blackstart.journals import folder as folders
from blackstart.journals.digests import MANIFEST

FILE, FORMAT = "archive.json", 1
SCHEME = "s3://"
ATTEMPTS, TIMEOUTS = 3, (3.0, 30.0)
LARGEST = 5 * 1024**3
TAKEN = ("PreconditionFailed", "ConditionalRequestConflict")
MISSING = ("404", "NoSuchKey", "NotFound")
SEALED = "sealed-"


@dataclass(frozen=True)
class Kept:
    """What became of a copy: names that were ``uploaded`` now, that were ``there`` already, and ``problems``."""

    url: str
    uploaded: tuple[str, ...]
    there: tuple[str, ...]
    problems: tuple[str, ...]


def place(url: str) -> tuple[str, str]:
    """Bucket and prefix ("" or ending in ``/``) of ``s3://bucket/prefix``; NotArchived for anything else."""
    bucket, _, prefix = url.removeprefix(SCHEME).partition("/")
    if not url.startswith(SCHEME) or not bucket:
        raise NotArchived(url, "not the URL of a place in S3", "write s3://bucket/prefix")
    return bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""


def keep(folder: Path, settings: Archive, clock: Clock, clients: Clients | None = None) -> Kept:
    """Copy what is in ``folder`` and not there yet, and write ``archive.json``; problems are told, never raised."""
    clients = clients or Clients(attempts=ATTEMPTS, timeouts=TIMEOUTS)
    kept = _Copy(folder, settings, clock, clients).all()
    told = {"format": FORMAT, "at": iso(clock.now()), **asdict(kept)}
    folders.write_json(folder / FILE, told)
    return kept


class _Copy:
    """One journal on its way."""

    def __init__(self, folder: Path, settings: Archive, clock: Clock, clients: Clients) -> None:
        self._folder, self._settings, self._clock = folder.absolute(), settings, clock
        self._bucket, prefix = place(settings.url)
        self._prefix = f"{prefix}{self._folder.parent.name}/{self._folder.name}/"
        self._client = clients.aws("s3", settings.region)

    def all(self) -> Kept:
        uploaded: list[str] = []
        there: list[str] = []
        problems: list[str] = []
        listing = digests.listing(self._folder)
        seals = (name for name in (digests.SIGNATURE, MANIFEST) if (self._folder / name).is_file())
        # The manifest comes last: where it is, all that it names is there.
        for name in (*(each for each in (*listing.files, *listing.derived) if each != FILE), *seals):
            try:
                (uploaded if self._one(name) else there).append(name)
            except NotArchived as error:
                problems.append(f"{name}: {error.problem}")
                if name not in listing.derived:
                    break  # or a manifest would be there without what it names
        url = f"{SCHEME}{self._bucket}/{self._prefix}"
        return Kept(url, tuple(uploaded), tuple(there), tuple(problems))

    def _one(self, name: str) -> bool:
        """Whether it had to be uploaded; NotArchived if that was not possible."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            digest = digests.digest(self._folder / name)
            if digest.size > LARGEST:
                raise NotArchived(self._settings.url, f"has {digest.size:,} bytes, and S3 takes 5 GiB at once")
            return any(self._put(key, name, digest) for key in self._keys(name, digest))
        except (BotoCoreError, ClientError, OSError) as error:
            raise NotArchived(self._settings.url, str(error)) from error

    def _keys(self, name: str, digest: digests.Digest) -> list[str]:
        """Where to put it: nowhere, if it is there; else where nothing is."""
        usual = self._prefix + name
        for key in (usual, f"{self._prefix}{SEALED}{self._seal()}/{name}"):
            held = self._held(key)
            if held == _base64(digest.sha256):
                return []
            if held is None:
                return [key]
        raise NotArchived(self._settings.url, "another file of this name is there, and nothing there is overwritten")

    def _seal(self) -> str:
        path = self._folder / MANIFEST
        return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() else "open"

    def _held(self, key: str) -> str | None:
        """The SHA-256 of the object at ``key``; "" if it has none, None if there is no object."""
        from botocore.exceptions import ClientError

        try:
            told = self._client.head_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                return None
            raise
        return str(told.get("ChecksumSHA256", "") or told.get("Metadata", {}).get("sha256", ""))

    def _put(self, key: str, name: str, digest: digests.Digest) -> bool:
        with (self._folder / name).open("rb") as body:
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=body,
                ContentLength=digest.size,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=_base64(digest.sha256),
                Metadata={"sha256": _base64(digest.sha256)},
                IfNoneMatch="*",
                **self._protection(),
            )
        return True

    def _protection(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self._settings.object_lock_days:
            found["ObjectLockMode"] = self._settings.mode.upper()
            found["ObjectLockRetainUntilDate"] = self._clock.now() + timedelta(days=self._settings.object_lock_days)
        if self._settings.kms_key:
            found |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._settings.kms_key}
        return found


def _base64(sha256: str) -> str:
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def needs(settings: Archive) -> tuple[Need, ...]:
    """The permissions that copying journals takes; none without an archive."""
    if not settings.url:
        return ()
    bucket, prefix = place(settings.url)
    objects = f"{arn('s3', '', '', bucket)}/{prefix}*"
    found: list[Need] = [Aws("s3:GetObject", (objects,)), Aws("s3:PutObject", (objects,))]
    # Without this one, S3 answers a question for an object that is not there with "forbidden".
    found.append(Aws("s3:ListBucket", (arn("s3", "", "", bucket),)))
    if settings.object_lock_days:
        found.append(Aws("s3:PutObjectRetention", (objects,), implied_by="s3:PutObject"))
    if settings.kms_key:
        key = (settings.kms_key,) if settings.kms_key.startswith("arn:") else ("*",)
        when = None if settings.kms_key.startswith("arn:") else within(settings.region)
        found.append(Aws("kms:GenerateDataKey", key, when, implied_by="s3:PutObject"))
        found.append(Aws("kms:Decrypt", key, when, implied_by="s3:GetObject"))
    return tuple(found)

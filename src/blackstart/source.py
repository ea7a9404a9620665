"""What a drill is made from, and its first line on disk."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from blackstart import experiment
from blackstart.clock import Clock
from blackstart.journals import folder
from blackstart.monitoring.web import redacted
from blackstart.scope import Scope
from blackstart.settings import Settings

PARTS = ("chaostoolkit-blackstart", "chaostoolkit", "chaostoolkit-lib", "boto3", "aiohttp")


@dataclass(frozen=True)
class Source:
    """The experiment: as the toolkit loaded it, and the file it came from ("" if that is not known)."""

    data: Mapping[str, Any]
    file: str

    @property
    def stem(self) -> str:
        """Names the journals' folder: the file's stem, else the title as a slug."""
        slug = re.sub(r"[^a-z0-9]+", "-", str(self.data.get("title", "")).lower()).strip("-")
        return Path(self.file).stem if self.file else slug[:60] or "experiment"

    @property
    def sha256(self) -> str:
        """Of the file's bytes; "" if there is no file."""
        return hashlib.sha256(Path(self.file).read_bytes()).hexdigest() if self.file else ""


def record_of(
    source: Source,
    extension: experiment.Extension,
    in_force: Settings,
    clock: Clock,
    *,
    fault: str,
    seed: int,
) -> folder.Drill:
    """The drill that begins now, as its journal will know it; ``extension`` is the experiment's own part for us."""
    started = clock.now()
    return folder.Drill(
        drill=f"{source.stem}-{started:%Y%m%dT%H%M%SZ}-{seed & 0xFFFF:04x}",
        experiment=source.stem,
        title=str(source.data["title"]),
        file=source.file,
        started=started,
        origin_monotonic=clock.monotonic(),
        environment=in_force.scope.environment,
        fault=fault,
        felt=extension.felt,
        service=in_force.service.model_dump(),
        observing=in_force.observer.model_dump(),
        objectives=experiment.effective(in_force.objectives, extension).model_dump(),
        scope=_told(in_force.scope),
        seed=seed,
        versions=_versions(),
        sha256=source.sha256,
        redact=in_force.redact.patterns,
        tags=tuple(map(str, source.data.get("tags", ()))),
    )


def _told(scope: Scope) -> dict[str, Any]:
    """``scope`` for a journal, which may be shown to anybody: without passwords."""
    told = scope.model_dump(mode="json")
    for query in told["stop"]["queries"]:
        query["url"] = redacted(query["url"])
    return told


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PARTS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found

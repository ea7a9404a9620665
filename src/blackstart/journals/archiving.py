"""`blackstart journal archive` and `fetch`, and the copy that is made when a drill is over."""

from __future__ import annotations

import logging
from pathlib import Path

import typer

from blackstart.clock import Clock, SystemClock
from blackstart.errors import BlackstartError, ConfigInvalid
from blackstart.journal_settings import Archive
from blackstart.journals import archive, checking, fetching, sealing, verification
from blackstart.journals.archive import Kept

logger = logging.getLogger("blackstart.journals.archiving")


def conclude(folder: Path, stage: str, by: str, clock: Clock, settings: Archive) -> None:
    """When a drill is over: close its journal as it is, and copy that, if a copy is wanted. Raises nothing: what fails
    is told, the journal says so when it is verified, and the copy can be made later."""
    sealing.seal(folder, stage, by, clock)
    if not settings.url:
        return
    try:
        kept = archive.keep(folder, settings, clock)
    except BlackstartError as error:
        logger.warning("%s", error)
        return
    if kept.problems:
        logger.warning("%s", _failed(folder, kept))


def run(folder: Path, settings: Archive, clock: Clock | None = None) -> int:
    """Copy the journal ``folder`` now; 0 if all of it is there, 1 if not."""
    if not settings.url:
        raise ConfigInvalid("blackstart.toml", "archive.url", "there is none, so nothing can be archived; write it")
    typer.echo(f"copying {folder} to {settings.url} …", err=True)
    kept = archive.keep(folder, settings, clock or SystemClock())
    if kept.problems:
        typer.echo(_failed(folder, kept), err=True)
        return 1
    typer.echo(f"{kept.url}: {len(kept.uploaded)} files were copied, {len(kept.there)} were there already")
    return 0


def _failed(folder: Path, kept: Kept) -> str:
    problems = "; ".join(kept.problems)
    return f"not all of {folder} is at {kept.url} ({problems}); `blackstart journal archive {folder}` tries again"


def bring(url: str, root: Path, region: str) -> int:
    """Fetch the journal at ``url``, and verify it: the exit code of that."""
    typer.echo(f"fetching {url} …", err=True)
    folder = fetching.fetch(url, root, region)
    checking.say(str(folder), verification.of(folder))
    return verification.of(folder).exit_code

"""The last that is done to a journal when its drill is over: a manifest closes it."""

from __future__ import annotations

import logging
from pathlib import Path

from blackstart.clock import Clock
from blackstart.errors import BlackstartError, JournalUnwritable
from blackstart.journals import manifest
from blackstart.observer.record import SAMPLES_FILE, read_header

STILL_SECONDS = 2.0
"""An observer that lives writes every 0.25 s; one that wrote nothing for so long is gone."""
LONGEST_WAIT_SECONDS = 30.0

logger = logging.getLogger("blackstart.journals.sealing")


def seal(folder: Path, stage: str, by: str, clock: Clock) -> None:
    """Close ``folder`` as it is; nothing is written to it after that. Whatever goes wrong, the drill is over anyway:
    then the journal stays open, and says so when it is verified."""
    try:
        manifest.write(folder, stage, by, clock.now())
    except JournalUnwritable as error:
        logger.warning("%s", error)


def wait_until_still(folder: Path, clock: Clock) -> None:
    """Return when no observer writes into ``folder`` any more: one goes on for a while after its drill was killed."""
    deadline = clock.monotonic() + LONGEST_WAIT_SECONDS
    while _watched(folder, clock) and clock.monotonic() < deadline:
        clock.sleep(STILL_SECONDS / 4)


def _watched(folder: Path, clock: Clock) -> bool:
    try:
        if read_header(folder).ended is not None:
            return False
        return clock.now().timestamp() - (folder / SAMPLES_FILE).stat().st_mtime < STILL_SECONDS
    except (BlackstartError, OSError):
        return False

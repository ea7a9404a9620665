"""``blackstart history``: reads the index, shows what it holds, and ends with whether something must be drilled."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from blackstart.clock import Clock, SystemClock
from blackstart.errors import ConfigInvalid, JournalUnwritable
from blackstart.journal_settings import Coverage
from blackstart.journals import coverage, index
from blackstart.journals.coverage import Catalogue
from blackstart.journals.folder import write_text
from blackstart.journals.index import Row
from blackstart.reports import history, history_json, history_terminal
from blackstart.reports.plain import speaks_unicode
from blackstart.settings import CONFIG_VARIABLE, find, invalid

MANY = 200
"""With more journals than this to read, how far it is is shown."""


@dataclass(frozen=True)
class Asked:
    """The command's arguments. ``page``: where the HTML goes; None: nowhere. ``experiment``: only this; "" for all."""

    root: Path
    page: Path | None = None
    as_json: bool = False
    experiment: str = ""
    check: bool = False
    catalogue: Path | None = None


def run(asked: Asked, clock: Clock | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """0; with ``check`` 1 if something that must be drilled is overdue, failing or was never drilled. ConfigInvalid
    if ``check`` asks and nothing says what must be drilled; JournalUnreadable if there is no such folder."""
    now = (clock or SystemClock()).now()
    wanted = _narrowed(configured(asked.catalogue, environ, Path.cwd()), asked.experiment)
    if asked.check and wanted is None:
        of = f" of {asked.experiment}" if asked.experiment else ""
        raise ConfigInvalid(
            "--check", "",
            f"nothing says what must be drilled{of}, so nobody can tell whether it was; name a catalogue with "
            "--catalogue, or in [coverage] of blackstart.toml (docs/history.md)",
        )  # fmt: skip
    rows = tuple(row for row in read(asked.root) if not asked.experiment or row.experiment == asked.experiment)
    if asked.page is not None:
        _write(asked.page, history.page(rows, wanted, now, history.beside(asked.root, asked.page.parent)))
    if asked.as_json:
        sys.stdout.write(json.dumps(history_json.told(rows, wanted, now), indent=2) + "\n")
    else:
        _show(asked, rows, wanted, now)
    late = wanted is not None and any(cell.alarming for cell in coverage.cells(wanted, rows, now))
    return 1 if asked.check and late else 0


def _show(asked: Asked, rows: Sequence[Row], wanted: Catalogue | None, now: datetime) -> None:
    console = Console(highlight=False)
    plain = not speaks_unicode(console)
    console.print(history_terminal.told(rows, wanted, now, asked.experiment, plain), soft_wrap=True)
    if asked.page is not None:
        console.print(f"\n  page  {asked.page}", soft_wrap=True, markup=False)


def _write(page: Path, text: str) -> None:
    try:
        write_text(page, text)
    except JournalUnwritable as error:
        raise ConfigInvalid(str(page), "", f"the page cannot be written ({error.problem})") from error


def read(root: Path) -> tuple[Row, ...]:
    """``index.read``, with a bar on standard error when there is much to read."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("reading journals"), BarColumn(), MofNCompleteColumn(), console=console, transient=True, disable=True
    ) as bar:
        task = bar.add_task("")

        def told(done: int, of: int) -> None:
            if of < MANY or not console.is_terminal or done % 50:
                return
            if bar.disable:
                bar.disable = False
                bar.start()
            bar.update(task, completed=done, total=of)

        return index.read(root, told)


def configured(named: Path | None, environ: Mapping[str, str], folder: Path) -> Catalogue | None:
    """The catalogue ``named``, else the one of the configuration in force; None if there is none.

    ConfigInvalid if it, or the configuration, cannot be read. History needs no scope, so only [coverage] is looked at.
    """
    if named is not None:
        return coverage.read(named)
    if not environ.get(CONFIG_VARIABLE) and not (folder / "blackstart.toml").is_file():
        return None
    path = find(environ, folder)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("coverage", {})
        found = Coverage.model_validate(table).catalogue
    except ValidationError as error:
        raise invalid(f"{path}: coverage", error) from error
    except (OSError, ValueError) as error:
        raise ConfigInvalid(str(path), "", str(error)) from error
    return coverage.read(path.parent / found) if found else None


def _narrowed(catalogue: Catalogue | None, experiment: str) -> Catalogue | None:
    """Only what ``experiment`` drills; None if that is nothing."""
    if catalogue is None or not experiment:
        return catalogue
    entries = tuple(entry for entry in catalogue.entries if experiment in entry.experiments)
    return catalogue.model_copy(update={"entries": entries}) if entries else None

"""What must be drilled, and what has been: a catalogue of systems and failures beside the rows of all journals.

A pair of system and failure is proven by the newest drill of its experiments that passed, for as long as its interval
lasts. A newer one that failed takes the proof away; one that is inconclusive does not, but gives none. A journal that
is damaged proves nothing, whatever it says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from blackstart.errors import ConfigInvalid
from blackstart.journals.index import Row
from blackstart.journals.index_rows import shown
from blackstart.settings import invalid

DAY = timedelta(days=1)
AHEAD = timedelta(hours=1)
"""A journal that is further in the future than clocks differ says nothing of today."""

Text = Annotated[str, Field(min_length=1, max_length=200)]
Days = Annotated[float, Field(gt=0, le=36_500)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Entry(_Part):
    """One failure of one system. ``experiments``: any of them drills it, by the stems of their files; none: there is
    no such experiment yet. ``every_days``, ``environments``: None for the catalogue's. ``required``: whether
    ``blackstart history --check`` asks for it."""

    system: Text
    failure: Text
    experiments: tuple[Text, ...] = ()
    service: str = Field(default="", description="only drills on this service; empty: on any")
    environments: tuple[Text, ...] | None = None
    every_days: Days | None = None
    required: bool = True
    note: str = Field(default="", max_length=500, description="shown where it was never drilled")

    @model_validator(mode="before")
    @classmethod
    def _one_experiment(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(given.get("experiment"), str) and "experiments" not in given:
            return {**{key: value for key, value in given.items() if key != "experiment"},
                    "experiments": (given["experiment"],)}  # fmt: skip
        return given


class Catalogue(_Part):
    """The whole file. ``every_days`` and ``environments`` (none: any) hold where an entry says nothing else."""

    entries: Annotated[tuple[Entry, ...], Field(min_length=1)]
    every_days: Days = 90
    environments: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _once(self) -> Catalogue:
        seen: set[tuple[str, str]] = set()
        for entry in self.entries:
            if (entry.system, entry.failure) in seen:
                raise ValueError(f"{entry.system} and {entry.failure} are there twice")
            seen.add((entry.system, entry.failure))
        return self

    def interval(self, entry: Entry) -> timedelta:
        return timedelta(days=self.every_days if entry.every_days is None else entry.every_days)


class State(StrEnum):
    """How a pair stands today."""

    FAILING = "failed"
    NEVER = "never drilled"
    STALE = "stale"
    INCONCLUSIVE = "inconclusive"
    PROVEN = "passed"


@dataclass(frozen=True)
class Cell:
    """A pair today. ``newest``: its newest drill, whatever came of it. ``decided``: the newest that passed or failed;
    ``proven``: the newest that passed. ``overdue``: nothing that passed is younger than the interval."""

    entry: Entry
    state: State
    interval: timedelta
    newest: Row | None = None
    decided: Row | None = None
    proven: Row | None = None
    due: datetime | None = None
    overdue: bool = True

    @property
    def alarming(self) -> bool:
        """Whether ``--check`` ends with 1 because of it."""
        return self.entry.required and (self.overdue or self.state is State.FAILING)


def read(path: Path) -> Catalogue:
    """The catalogue in a YAML file; ConfigInvalid if it cannot be used."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        problem = " ".join(str(error).split())
        raise ConfigInvalid(
            str(path), "", f"the catalogue of what must be drilled cannot be read ({problem})"
        ) from error
    if not isinstance(data, dict):
        raise ConfigInvalid(str(path), "", "not a catalogue of what must be drilled: it needs a list of entries")
    try:
        return Catalogue.model_validate(data)
    except ValidationError as error:
        raise invalid(str(path), error) from error


def cells(catalogue: Catalogue, rows: Sequence[Row], now: datetime) -> tuple[Cell, ...]:
    """One for each entry, in the order of the catalogue."""
    by_experiment: dict[str, list[Row]] = {}
    for row in rows:
        if row.started is not None and row.started <= now + AHEAD:
            by_experiment.setdefault(row.experiment, []).append(row)
    return tuple(_cell(catalogue, entry, by_experiment, now) for entry in catalogue.entries)


def _cell(catalogue: Catalogue, entry: Entry, rows: Mapping[str, Sequence[Row]], now: datetime) -> Cell:
    interval = catalogue.interval(entry)
    environments = catalogue.environments if entry.environments is None else entry.environments
    found = [
        row
        for experiment in dict.fromkeys(map(shown, entry.experiments))
        for row in rows.get(experiment, ())
        if (not entry.service or row.service == entry.service) and (not environments or row.environment in environments)
    ]
    if not found:
        return Cell(entry, State.NEVER, interval)
    newest = max(found, key=_start)
    decided = max((row for row in found if decides(row)), key=_start, default=None)
    proven = max((row for row in found if decides(row) and row.verdict == "passed"), key=_start, default=None)
    due = None if proven is None else _start(proven)[0] + interval
    overdue = due is None or due < now
    return Cell(entry, _state(newest, decided, overdue), interval, newest, decided, proven, due, overdue)


def decides(row: Row) -> bool:
    """Whether the drill passed or failed, and its journal can be read. What was cut off may have failed before."""
    return not row.problem and (row.verdict == "failed" or (row.verdict == "passed" and not row.cut_off))


def _state(newest: Row, decided: Row | None, overdue: bool) -> State:
    if decided is None:
        return State.INCONCLUSIVE
    if decided.verdict == "failed":
        return State.FAILING
    if overdue:
        return State.STALE
    return State.PROVEN if newest is decided else State.INCONCLUSIVE


def _start(row: Row) -> tuple[datetime, str]:
    if row.started is None:
        raise ValueError(f"{row.folder} has no start")
    return row.started, row.folder

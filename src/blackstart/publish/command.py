"""``blackstart publish``: tell of a drill by hand, again or for the first time; or print the dashboard."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import typer
from rich.console import Console

from blackstart import settings
from blackstart.clock import Clock, SystemClock
from blackstart.errors import ConfigInvalid
from blackstart.publish import tell
from blackstart.publish.parties import NAMES

UNUSABLE = 2


def dashboard() -> str:
    """The Grafana dashboard that shows the metrics: JSON to import."""
    return files("blackstart.publish").joinpath("dashboard.json").read_text(encoding="utf-8")


def run(folder: Path, to: str, as_json: bool, clock: Clock | None = None) -> int:
    """Tell the tables ``to`` (separated by commas; "": everybody) of the drill in ``folder``: 0 if all were told, else
    1. ConfigInvalid if there is nobody to tell, JournalUnreadable as measure."""
    publish = settings.current().publish
    named = _named(to)
    with Console(stderr=True).status("telling of the drill"):
        told = tell.ended(folder.absolute(), publish, clock or SystemClock(), only=named)
    missing = [name for name in named if name not in {each.to for each in told}]
    if missing or not told:
        where = f"publish.{missing[0]}" if missing else "publish"
        raise ConfigInvalid("blackstart.toml", where, "nobody is named there who is told how such a drill ended")
    _show(told, as_json)
    return int(any(each.problem for each in told))


def _named(to: str) -> list[str]:
    named = [name.strip() for name in to.split(",") if name.strip()]
    for name in named:
        if name not in NAMES:
            raise ConfigInvalid("--to", "", f"{name!r} is none of {', '.join(NAMES)}")
    return named


def _show(told: Sequence[tell.Told], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([each.to_json() for each in told], indent=2, ensure_ascii=False))
        return
    for each in told:
        typer.echo(each.problem or f"{each.who} was told ({each.seconds:.2f} s)")

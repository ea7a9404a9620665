"""`blackstart recover --force` and `--accept`: a conflict that people resolve, with what they are shown and asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import typer

from blackstart import recovery
from blackstart.changes.model import Change
from blackstart.errors import ConfigInvalid

Json = Any


def settle(drill: str, force: str, accept: str, *, yes: bool, as_json: bool) -> str:
    """Force or accept one change; what to print. Errors as ``recovery.settle``; ConfigInvalid for a strange wish."""
    if drill or (force and accept):
        raise ConfigInvalid("blackstart recover", "", "give one of DRILL, --force CHANGE and --accept CHANGE")

    def agreed(change: Change, seen: Mapping[str, Json]) -> bool:
        typer.echo(comparison(change, seen), err=True)
        return yes or typer.confirm(f"write that to {change.target}?", default=False, err=True)

    done = recovery.settle(force or accept, agreed if force else None)
    return json.dumps(asdict(done), indent=2) if as_json else f"{done.change}: {done.note}"


def comparison(change: Change, seen: Mapping[str, Json]) -> str:
    """What is there now beside what would be written, a line for each field that the change altered. Pure."""
    lines = [f"{change.target}: {change.summary}"]
    for field, after in change.after.items():
        before = change.before.get(field)
        if before != after:
            lines.append(f"  {field}: is {seen.get(field)!r}, the drill made {after!r}, before it was {before!r}")
    return "\n".join(lines)

"""The experiments that a draft can be made from, and whose tags say what a drill was about: the shipped ones and,
where they are named, your own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import blackstart
from blackstart import experiment
from blackstart.errors import ConfigInvalid
from blackstart.journals.folder import TOOLKIT
from blackstart.journals.index import Row

Json = Any
MOST_TRIED = 10
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # two dozen files; the one in Python takes half a second


@dataclass(frozen=True)
class Known:
    """One experiment file. ``name`` is its stem, as journals have it."""

    name: str
    path: Path
    data: Mapping[str, Json]
    tags: tuple[str, ...]
    shipped: bool = False


def shipped() -> tuple[Known, ...]:
    """Those that come with Blackstart, by name."""
    folder = Path(blackstart.__file__).parent / "experiments"
    return tuple(found for path in sorted(folder.glob("*.yaml")) if (found := _one(path, True)) is not None)


def in_folder(folder: Path) -> tuple[tuple[Known, ...], tuple[str, ...]]:
    """Those in ``folder`` that can be drilled, by name, and a sentence for each file that cannot be used.

    ConfigInvalid if there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigInvalid(str(folder), "", "no such folder, so there is no experiment to read; see --experiments")
    found, problems = [], []
    for path in sorted(each for each in folder.iterdir() if each.suffix in (".yaml", ".yml", ".json")):
        try:
            data = experiment.read(path)
            experiment.check(data, str(path))
            one = _one(path, False)
        except ConfigInvalid as error:
            problems.append(f"{error}, so the experiment was left out")
        else:
            found += [one] if one is not None else []
    return tuple(found), tuple(problems)


def told_by_journals(root: Path, rows: Sequence[Row], but: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Tags of the experiments in ``rows`` that neither their rows nor ``but`` tell, out of the toolkit's own journals.

    Those of the newest drill that has any; after a few without (they were killed, say) nothing is told.
    """
    found: dict[str, tuple[str, ...]] = {}
    tried: Counter[str] = Counter()
    for row in reversed(rows):
        name = row.experiment
        if row.tags or name in but or name in found or tried[name] == MOST_TRIED:
            continue
        tried[name] += 1
        if tags := _of_journal(root / row.folder / TOOLKIT):
            found[name] = tags
    return found


def _of_journal(path: Path) -> tuple[str, ...]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ()
    told = data.get("experiment") if isinstance(data, dict) else None
    tags = told.get("tags") if isinstance(told, dict) else None
    return tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()


def _one(path: Path, is_shipped: bool) -> Known | None:
    data = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    if not isinstance(data, dict):
        return None
    return Known(path.stem, path, data, tuple(str(tag) for tag in data.get("tags") or ()), is_shipped)

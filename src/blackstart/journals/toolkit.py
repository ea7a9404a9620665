"""What Chaos Toolkit's own journal says about a drill: what raised, what was refused, which hypothesis did not hold.

The toolkit's format is read as lib 1.44 and 1.45 write it; anything missing or of another type reads as absent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blackstart.journals.activities import Activity, mapping, ran, run_results

Json = Any

# The toolkit flattens exceptions to "package.module.Type: package.module.Type: sentence".
_TYPES = re.compile(r"^(?:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+:\s+)+")
_REFUSED = re.compile(r"\berrors\.Refused:")


@dataclass(frozen=True)
class Raised:
    """An activity that ended with an error. ``kind`` is "action" or "probe"; ``phase`` one of before, method, after,
    rollbacks; ``problem`` the error's own sentence; ``refused`` if a guard said no."""

    name: str
    kind: str
    phase: str
    problem: str
    refused: bool


@dataclass(frozen=True)
class Deviation:
    """A probe of the hypothesis that answered, but outside its tolerance. ``module`` is the probe's module."""

    name: str
    module: str
    phase: str
    output: Json


@dataclass(frozen=True)
class ToolkitRun:
    """``status`` is the toolkit's ("completed", "failed", "interrupted" …), "" if it wrote no journal.
    ``activities`` are all that were planned, with what became of each."""

    status: str = ""
    raised: tuple[Raised, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    activities: tuple[Activity, ...] = ()


def read(journal: Mapping[str, Json] | None) -> ToolkitRun:
    """Pure: the toolkit's journal (or None) → what matters for the verdict."""
    if journal is None:
        return ToolkitRun()
    raised: list[Raised] = []
    deviations: list[Deviation] = []
    for phase, result in run_results(journal):
        activity = mapping(result.get("activity"))
        name = str(activity.get("name", "unnamed activity"))
        if result.get("status") == "failed" or result.get("exception"):
            text = _last_line(result.get("exception") or result.get("output"))
            kind = str(activity.get("type", "probe"))
            raised.append(Raised(name, kind, phase, _TYPES.sub("", text), bool(_REFUSED.search(text))))
        elif result.get("tolerance_met") is False:
            module = str(mapping(activity.get("provider")).get("module", ""))
            deviations.append(Deviation(name, module, phase, result.get("output")))
    return ToolkitRun(str(journal.get("status", "")), tuple(raised), tuple(deviations), ran(journal))


def _last_line(value: Json) -> str:
    text = "".join(str(part) for part in value) if isinstance(value, list) else str(value or "no reason was given")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason was given"

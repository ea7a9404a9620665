"""What is told of a drill, the same to everybody. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from blackstart.journals import folder as folders
from blackstart.journals.close import to_json
from blackstart.journals.folder import Drill
from blackstart.journals.measure import Measured, measure
from blackstart.journals.verdict import Verdict, judge

STARTED = "started"
Json = Any


@dataclass(frozen=True)
class Facts:
    """``outcome`` is ``verdict.json``, empty while the drill runs; then ``measured`` is None. ``report``: where people
    open the report, "" if nobody said."""

    drill: Drill
    folder: Path
    report: str = ""
    measured: Measured | None = None
    outcome: Mapping[str, Json] = field(default_factory=dict)

    @property
    def moment(self) -> str:
        """``started``, or the verdict."""
        return str(self.outcome["verdict"]) if self.outcome else STARTED

    @property
    def service(self) -> str:
        return str(self.drill.service.get("name") or "")

    @property
    def sentence(self) -> str:
        """What happened, in one sentence."""
        return str(self.outcome["reason"]) if self.outcome else f"The drill has begun: {self.drill.fault}."

    @property
    def ended(self) -> datetime:
        """When it was last watched: the end, as far as the journal knows one."""
        if self.measured is None:
            return self.drill.started
        last = [event.at for event in self.measured.events[-1:]]
        return self.measured.wall(max([0.0, *last, self.measured.users.end if self.measured.users else 0.0]))

    def number(self, key: str) -> float | None:
        """A number of the outcome; None if it was not measured."""
        value = self.outcome.get(key)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def begun(folder: Path, report_url: str) -> Facts:
    """Of a drill that has begun. JournalUnreadable if its folder does not say what is run."""
    drill = folders.read_drill(folder)
    return Facts(drill, folder, _link(report_url, drill, folder))


def ended(folder: Path, report_url: str, judged: tuple[Measured, Verdict] | None = None) -> Facts:
    """Of a drill that is over, measured and judged from its folder unless that was done. Errors: measure's."""
    measured, verdict = judged or _judged(folder)
    link = _link(report_url, measured.drill, folder)
    return Facts(measured.drill, folder, link, measured, to_json(measured, verdict))


def _judged(folder: Path) -> tuple[Measured, Verdict]:
    measured = measure(folder)
    return measured, judge(measured)


def _link(template: str, drill: Drill, folder: Path) -> str:
    for name, text in (("experiment", drill.experiment), ("folder", folder.name), ("drill", drill.drill)):
        template = template.replace(f"{{{name}}}", quote(text, safe=""))
    return template

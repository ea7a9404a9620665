"""The first page of an archive, in HTML and in Markdown, and the same for machines."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from blackstart.clock import iso
from blackstart.journals import numbers
from blackstart.reports import html
from blackstart.reports.evidence import sign_offs
from blackstart.reports.evidence.frameworks import Framework
from blackstart.reports.evidence.gather import Gathered
from blackstart.reports.evidence.mapping import Drilled, Finding, State, newest_first
from blackstart.reports.evidence.period import Period
from blackstart.reports.evidence.shown import Shown
from blackstart.reports.evidence.sign_offs import Signed

Json = Any
GLYPHS = {State.SUPPORTED: "✓", State.PART: "?", State.NOT_SUPPORTED: "✕", State.NO_DRILL: "–"}
VERDICTS = {"passed": "✓", "failed": "✕", "inconclusive": "?"}
_CLASSES = {State.SUPPORTED: "met", State.PART: "inconclusive", State.NOT_SUPPORTED: "missed", State.NO_DRILL: "gap"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~-])")


@dataclass(frozen=True)
class Content:
    """All that the pages say. ``until``: when this was made, if the period was not over by then."""

    framework: Framework
    period: Period
    findings: tuple[Finding, ...]
    gathered: tuple[Gathered, ...]
    signed: tuple[Signed, ...]
    with_samples: bool
    until: datetime | None = None

    @property
    def drills(self) -> tuple[Drilled, ...]:
        return newest_first([each.drilled for each in self.gathered])

    @property
    def sentence(self) -> str:
        """How the controls stand: "5 of 7 controls are supported by drills of this period, 1 in part, 1 …"."""
        count = {state: sum(each.state is state for each in self.findings) for state in State}
        head = f"{count[State.SUPPORTED]} of {numbers.plural(len(self.findings), 'control')}"
        words = f"{head} {'is' if count[State.SUPPORTED] == 1 else 'are'} supported by drills of this period"
        rest = (
            (count[State.PART], "in part"), (count[State.NOT_SUPPORTED], "by none of those that were tried"),
            (count[State.NO_DRILL], "without a drill that tries what they need"),
        )  # fmt: skip
        return "; ".join((words, *(f"{number} {what}" for number, what in rest if number))) + "."

    @property
    def verdicts(self) -> str:
        """``12 drills: 9 passed, 2 failed, 1 inconclusive``."""
        words = [f"{sum(each.verdict == word for each in self.drills)} {word}" for word in VERDICTS]
        unread = sum(each.verdict not in VERDICTS for each in self.drills)
        more = [f"{unread} without a verdict that can be read"] if unread else []
        return f"{numbers.plural(len(self.drills), 'drill')}: {', '.join((*words, *more))}"


def as_html(content: Content) -> str:
    """``index.html``: one file, no network, no script."""
    style = _resource("report.css", "blackstart.reports") + _resource("evidence.css")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["unbroken"] = html.unbroken
    environment.filters["link"] = quote
    template = environment.from_string(_resource("index.html.j2"))
    return template.render(**_rows(content), style=Markup(style), style_hash=_source_hash(style))


def as_markdown(content: Content) -> str:
    """``index.md``: the same, for those who read it in a repository or a ticket."""
    environment = Environment(autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["text"] = plain
    environment.filters["link"] = quote
    return environment.from_string(_resource("index.md.j2")).render(**_rows(content))


def plain(text: str) -> str:
    """``text`` for Markdown, in one line, with nothing in it that Markdown or HTML would act on."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split())).replace("&", "&amp;")


def _rows(content: Content) -> dict[str, Json]:
    undone = {each.drilled.folder: each.undone for each in content.gathered}
    return {
        "content": content,
        "framework": content.framework,
        "controls": [_control(each) for each in content.findings],
        "gaps": [each for each in content.findings if each.state is State.NO_DRILL],
        "drills": [_drill(each, undone[each.folder], content.signed) for each in content.drills],
        "sign_offs": [signed for file in content.signed for signed in file.sign_offs],
        "too_early": list(sign_offs.too_early(content.signed, content.drills)),
        "iso": lambda moment: iso(moment)[:16].replace("T", " ") + "Z" if moment else "not known",
        "until": content.until and iso(content.until),
    }


def _control(finding: Finding) -> Mapping[str, Json]:
    return {
        "finding": finding,
        "control": finding.control,
        "glyph": GLYPHS[finding.state],
        "state": str(finding.state),
        "css": _CLASSES[finding.state],
        "drills": [(*_outcome(drill), drill) for drill in finding.drills],
        "speaking": _counted(finding.drills),
    }


def _counted(drills: Sequence[Drilled]) -> str:
    """``6 drills speak to it: 3 passed, 2 failed, 1 cannot be verified``."""
    outcomes = Counter(_outcome(drill)[1] for drill in drills)
    each = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
    return f"{numbers.plural(len(drills), 'drill')} {'speaks' if len(drills) == 1 else 'speak'} to it: {each}"


def _outcome(drill: Drilled) -> tuple[str, str]:
    """Glyph and word. What a journal says that cannot be verified is nobody’s word."""
    if drill.problems:
        return "!", "cannot be verified"
    return VERDICTS.get(drill.verdict, "?"), drill.verdict or "no verdict"


def _says(drill: Drilled, each: Shown) -> str:
    words = "; ".join(word for word in each.words if word)
    held = {True: "shown", False: "not held", None: "not proven"}[each.held]
    if not each.held and drill.verdict != "passed":
        held = "does not count, as the drill did not pass"
    if drill.problems:
        held = "does not count, as the journal cannot be verified"
    return f"{each.kind.label}: {held}" + (f" ({words})" if words else "")


def _drill(drill: Drilled, undone: str, signed: Sequence[Signed]) -> Mapping[str, Json]:
    glyph, outcome = _outcome(drill)
    css = "missed" if drill.problems else {"passed": "met", "failed": "missed"}.get(drill.verdict, "inconclusive")
    return {
        "drill": drill,
        "glyph": glyph,
        "verdict": outcome,
        "said": f"says: {drill.verdict or 'nothing'}" if drill.problems else "",
        "css": css,
        "shown": [_says(drill, each) for each in drill.shown],
        "undone": undone,
        "signed": ", ".join(dict.fromkeys(each.role for each in sign_offs.of(drill, signed))) or "nobody",
    }


def as_json(content: Content) -> dict[str, Json]:
    """``index.json``, and what ``--json`` prints."""
    return {
        "format": 1,
        "framework": content.framework.key,
        "edition": content.framework.edition,
        "from": iso(content.period.start),
        "to": iso(content.period.end),
        "made_before_its_end": content.until and iso(content.until),
        "sentence": content.sentence,
        "controls": [
            {
                "id": each.control.id,
                "state": each.state,
                "because": list(each.because),
                "does_not_show": each.control.but,
                "drills": [drill.folder for drill in each.drills],
            }
            for each in content.findings
        ],
        "outside": {each.id: each.why for each in content.framework.outside},
        "drills": [_drill_json(each, content.signed) for each in content.drills],
        "sign_offs": [each.model_dump(mode="json") for file in content.signed for each in file.sign_offs],
    }


def _drill_json(drill: Drilled, signed: Sequence[Signed]) -> dict[str, Json]:
    return {
        "folder": drill.folder,
        "drill": drill.drill,
        "experiment": drill.experiment,
        "environment": drill.environment,
        "started": iso(drill.started.astimezone(UTC)) if drill.started else None,
        "verdict": drill.verdict or None,
        "reason": drill.reason,
        "shown": [{"kind": each.kind, "held": each.held, "words": list(each.words)} for each in drill.shown],
        "problems": list(drill.problems),
        "signed_off_by": [each.role for each in sign_offs.of(drill, signed)],
        "report": drill.report,
    }


def _resource(name: str, package: str = "blackstart.reports.evidence") -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")


def _source_hash(text: str) -> str:
    """For the page's own Content-Security-Policy: nothing else may style it, whatever a journal holds."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

"""Writes the report of one drill: one HTML file without any other, readable without a network and without script."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from blackstart.journals import earlier
from blackstart.journals import folder as folders
from blackstart.journals.folder import write_text
from blackstart.journals.measure import Measured, measure
from blackstart.journals.verdict import Verdict, judge
from blackstart.reports.view import Beside, View, view

HASHED = (
    folders.DRILL, "observer.json", "samples.bin", "ledger.jsonl", "found.jsonl", folders.CHANGES, folders.EVENTS,
    folders.CALLS,    folders.MONITORING, folders.RESTORATION, folders.TOOLKIT,
    "load.jsonl", "load.json",
)  # fmt: skip
_HYPHENATED = re.compile(r"\b([\w.]{1,20}(?:-[\w.]{1,20}){1,3})\b")


def render(folder: Path, measured: Measured | None = None) -> Path:
    """Write ``report.html`` into the journal ``folder`` and return its path.

    Measures and judges what is there (``measured`` saves doing it twice); JournalUnreadable only when drill.json is.
    """
    known = measure(folder) if measured is None else measured
    path = folder / folders.REPORT
    write_text(path, page(known, judge(known), hashes(folder)))
    return path


def page(measured: Measured, verdict: Verdict, digests: Mapping[str, str]) -> str:
    """The page that ``render`` writes, as text."""
    return filled(seen(measured, verdict, digests))


def seen(measured: Measured, verdict: Verdict, digests: Mapping[str, str]) -> View:
    """All that any form of the report says; with what lies beside the journal: earlier drills, the experiment file."""
    planned = () if measured.toolkit.activities else earlier.intended(measured.drill)
    return view(measured, verdict, Beside(digests, earlier.read(measured.folder), planned))


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 in hex of each file of the journal that is there, by name."""
    found: dict[str, str] = {}
    for name in HASHED:
        path = folder / name
        if path.is_file():
            with path.open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def filled(content: View) -> str:
    """The page of ``content``. Pure, but for the templates that come with this package.

    Half a character, which JSON can hold and no file can, becomes a question mark.
    """
    script, style = _resource("report.js") + _resource("zoom.js"), _resource("report.css")
    environment = Environment(
        loader=FunctionLoader(_resource),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["unbroken"] = unbroken
    text = environment.get_template("report.html.j2").render(
        view=content,
        svg=Markup,  # pictures are made by this package, which escapes what comes from outside
        style=Markup(style),
        script=Markup(script),
        script_hash=_source_hash(script),
        style_hash=_source_hash(style),
    )
    return text.encode("utf-8", "replace").decode("utf-8")


def unbroken(text: str) -> Markup:
    """``text`` escaped, with short names like us-east-1 kept on one line."""
    parts = _HYPHENATED.split(text)
    kept = (
        Markup('<span class="name">{}</span>').format(part) if i % 2 else escape(part) for i, part in enumerate(parts)
    )
    return Markup("").join(kept)


def _resource(name: str) -> str:
    return files("blackstart.reports").joinpath(name).read_text(encoding="utf-8")


def _source_hash(text: str) -> str:
    """For the page's own Content-Security-Policy: nothing else may run or style, whatever a journal holds."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

"""``blackstart report``: the report of a journal in every form that was asked for."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from blackstart.errors import NotPrinted, UnknownFormat
from blackstart.journals.folder import write_text
from blackstart.journals.measure import Measured, measure
from blackstart.journals.verdict import Verdict, judge
from blackstart.reports import document, html, junit, markdown, pdf
from blackstart.reports.view import View

STDOUT = "-"
FILES = {
    "html": "report.html",
    "md": "report.md",
    "pdf": "report.pdf",
    "junit": "report.junit.xml",
    "json": "report.json",
}


@dataclass(frozen=True)
class Told:
    """One drill, ready to be written in any form."""

    measured: Measured
    verdict: Verdict
    hashes: dict[str, str]
    view: View


TEXTS: dict[str, Callable[[Told], str]] = {
    "html": lambda told: html.filled(told.view),
    "md": lambda told: markdown.document(told.view),
    "junit": lambda told: junit.document(told.measured, told.verdict),
    "json": lambda told: document.text(told.measured, told.verdict, told.view, told.hashes),
}


def run(folder: Path, formats: str, output: str) -> list[Path]:
    """Write the report of the journal ``folder``; returns the files. ``formats``: names of ``FILES`` with commas
    between. ``output``: a folder, or a file's name where one format is asked for; "-" for standard output; "" for the
    journal itself.

    UnknownFormat, JournalUnreadable, NotPrinted (after all other forms are written), JournalUnwritable.
    """
    wanted = chosen(formats, output)
    told = tell(folder)
    if output == STDOUT:
        sys.stdout.write(_clean(TEXTS[wanted[0]](told)))
        return []
    places = {name: _place(folder, name, output, alone=len(wanted) == 1) for name in wanted}
    for name in wanted:
        if name in TEXTS:
            write_text(places[name], _clean(TEXTS[name](told)))
    if "pdf" in wanted:
        _print(told, places["pdf"])
    return list(places.values())


def tell(folder: Path) -> Told:
    """Measure and judge ``folder``, and everything that a report says of it."""
    measured = measure(folder)
    verdict, hashes = judge(measured), html.hashes(folder)
    return Told(measured, verdict, hashes, html.seen(measured, verdict, hashes))


def chosen(formats: str, output: str = "") -> list[str]:
    """The formats, each once, in their own order."""
    named = [name.strip().lower() for name in formats.split(",") if name.strip()]
    unknown = [name for name in named if name not in FILES]
    if unknown or not named:
        raise UnknownFormat(unknown[0] if unknown else formats, tuple(FILES), "")
    wanted = [name for name in FILES if name in named]
    if output == STDOUT and (len(wanted) > 1 or wanted == ["pdf"]):
        raise UnknownFormat(formats, tuple(TEXTS), "standard output takes one form that is text")
    return wanted


def _place(folder: Path, name: str, output: str, *, alone: bool) -> Path:
    if not output:
        return folder / FILES[name]
    place = Path(output)
    if alone and not place.is_dir() and place.suffix:
        _make(place.parent)
        return place
    _make(place)
    return place / FILES[name]


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotPrinted(str(folder), str(error), "name another place with --output") from error


def _print(told: Told, place: Path) -> None:
    """The browser prints a page of its own, so that a report that is there already stays as it is."""
    with tempfile.TemporaryDirectory(prefix="blackstart-page-") as made:
        page = Path(made) / "report.html"
        page.write_text(html.filled(told.view), encoding="utf-8")
        pdf.write(page, place)


def _clean(text: str) -> str:
    """Half a character, which JSON can hold and no file can, becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")

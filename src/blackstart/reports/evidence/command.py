"""``blackstart evidence``: journals of a period and sign-offs in, one archive out."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import Progress

import blackstart
from blackstart.clock import Clock, SystemClock, iso
from blackstart.errors import ConfigInvalid
from blackstart.journals import folder as folders
from blackstart.journals import index
from blackstart.journals.index import Row
from blackstart.journals.manifest import canonical
from blackstart.reports.evidence import archive, frameworks, mapping, pages, period, sign_offs
from blackstart.reports.evidence.gather import Gathered, altered, chosen, gather
from blackstart.reports.evidence.mapping import State
from blackstart.reports.evidence.pages import Content
from blackstart.reports.evidence.period import Period
from blackstart.reports.evidence.verify import JOURNALS

Json = Any
REPORTS = "reports"
WIDTH = 100


@dataclass(frozen=True)
class Wanted:
    """What was asked for. ``output`` None: a name made of framework and period, in the working folder."""

    start: str
    end: str
    framework: str
    journals: Path
    output: Path | None = None
    sign_offs: Sequence[Path] = ()
    with_samples: bool = False
    check: bool = False
    as_json: bool = False


def run(wanted: Wanted, clock: Clock | None = None) -> int:
    """Write the archive and say what is in it. 1 if a journal in it is not as it was sealed, and with ``check``
    also if a control is not supported; 0 otherwise. ConfigInvalid, and nothing written, where there is no drill."""
    asked = period.parse(wanted.start, wanted.end)
    framework = frameworks.load(wanted.framework)
    signed = tuple(sign_offs.read(path) for path in wanted.sign_offs)
    rows = _rows(wanted.journals, asked)
    gathered = tuple(_placed(each) for each in _gathered(wanted, rows))
    drills = tuple(each.drilled for each in gathered)
    sign_offs.refuse_unknown(signed, drills)
    now = (clock or SystemClock()).now()
    content = Content(
        framework, asked, mapping.findings(framework, drills, asked.end), gathered, signed, wanted.with_samples,
        until=now if now < asked.end else None,
    )  # fmt: skip
    path = wanted.output or Path(f"evidence-{wanted.framework}-{asked.file_words}.zip")
    digest = archive.write(path, dict(_sources(content)), _about(content))
    typer.echo(json.dumps(_told(content, path, digest), indent=2) if wanted.as_json else _said(content, path, digest))
    short = wanted.check and any(each.state is not State.SUPPORTED for each in content.findings)
    return 1 if short or any(altered(drill) for drill in drills) else 0


def _rows(root: Path, asked: Period) -> tuple[Row, ...]:
    if not root.is_dir():
        raise ConfigInvalid(str(root), "", "no such folder; name that of your journals with --journals")
    rows = chosen(index.read(root), asked)
    if not any(row.started for row in rows):
        raise ConfigInvalid(str(root), "", f"no drill began in {asked.words}, so there is nothing to hand over")
    return rows


def _gathered(wanted: Wanted, rows: Collection[Row]) -> Iterator[Gathered]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        for row in progress.track(rows, description="Verifying journals"):
            yield gather(wanted.journals, row, wanted.with_samples)


def _placed(each: Gathered) -> Gathered:
    """With the place of its report in the archive."""
    place = ""
    if folders.REPORT in each.files:
        place = f"{JOURNALS}/{each.drilled.folder}/{folders.REPORT}"
    elif each.rendered:
        place = f"{REPORTS}/{each.drilled.folder}.html"
    return replace(each, drilled=replace(each.drilled, report=place))


def _sources(content: Content) -> Iterator[tuple[str, Path | bytes]]:
    """Everything that goes into the archive, by its name there."""
    for each in content.gathered:
        for file in each.files:
            yield f"{JOURNALS}/{each.drilled.folder}/{file}", each.path / file
        if each.rendered and each.drilled.report.startswith(f"{REPORTS}/"):
            yield each.drilled.report, each.rendered.encode("utf-8", "replace")
    for number, signed in enumerate(content.signed, 1):
        yield f"sign-offs/{number}-{signed.path.name}", signed.data
    yield "index.html", pages.as_html(content).encode("utf-8", "replace")
    yield "index.md", pages.as_markdown(content).encode("utf-8", "replace")
    yield "index.json", canonical(pages.as_json(content))


def _about(content: Content) -> Mapping[str, Json]:
    """What the manifest says beside the files."""
    return {
        "framework": content.framework.key,
        "from": iso(content.period.start),
        "to": iso(content.period.end),
        "version": blackstart.__version__,
        "samples": content.with_samples,
        "journals": [
            {
                "folder": each.drilled.folder,
                "drill": each.drilled.drill,
                "verdict": each.drilled.verdict or None,
                "closed": each.closed,
                "problems": altered(each.drilled),
                "left_out": {file: _left_out(each.path / file) for file in each.left_out},
            }
            for each in content.gathered
        ],
    }


def _left_out(path: Path) -> Mapping[str, Json]:
    return {"size": path.stat().st_size, "sha256": archive.digest_of(path)}


def _told(content: Content, path: Path, digest: str) -> Mapping[str, Json]:
    return {"archive": str(path), "manifest_sha256": digest, **pages.as_json(content)}


def _wrapped(words: str, indent: int) -> list[str]:
    hanging = " " * indent
    return textwrap.wrap(words, WIDTH, initial_indent=f"{hanging}- ", subsequent_indent=f"{hanging}  ")


def _said(content: Content, path: Path, digest: str) -> str:
    width = max(len(each.control.id) for each in content.findings)
    lines = [content.sentence, f"{content.verdicts}.", ""]
    for each in content.findings:
        lines.append(f"  {pages.GLYPHS[each.state]} {each.control.id:<{width}}  {each.state}: {each.control.title}")
        lines.extend(line for words in each.because for line in _wrapped(words, width + 6))
    lines += ["", f"  {path}", f"  manifest  sha256:{digest}", f"  verify    blackstart journal verify {path}"]
    damaged = sum(bool(each.drilled.problems) for each in content.gathered)
    if damaged:
        lines.insert(2, f"{damaged} of {len(content.gathered)} journals cannot be verified and support nothing.")
    return "\n".join(lines)

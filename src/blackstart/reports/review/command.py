"""``blackstart review``: reads the incident and the journals, writes the review and the draft."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from blackstart import experiment, settings
from blackstart.clock import Clock, SystemClock, iso
from blackstart.errors import ConfigInvalid
from blackstart.journals import index, numbers
from blackstart.journals.coverage import Catalogue
from blackstart.journals.index import Row
from blackstart.reports import history_run
from blackstart.reports.review import known as experiments
from blackstart.reports.review import markdown
from blackstart.reports.review.compare import Line, compare
from blackstart.reports.review.cover import Drill, cover, every_days
from blackstart.reports.review.draft import Draft, draft
from blackstart.reports.review.gap import catching, findings
from blackstart.reports.review.incident import Incident, load, schema
from blackstart.reports.review.known import Known
from blackstart.reports.review.markdown import Review
from blackstart.settings import Objectives, Settings

Json = Any
STALE_DAYS = 90.0
FORMAT = 1
GAP = 1


@dataclass(frozen=True)
class Options:
    """``journals`` None: the folder in force. ``output`` None: beside the incident, in a folder named after it.
    ``experiments``: a folder with your own, beside the shipped ones. ``stale_days`` None: as the catalogue of what must
    be drilled has it, else `STALE_DAYS`."""

    journals: Path | None = None
    output: Path | None = None
    experiments: Path | None = None
    stale_days: float | None = None
    force: bool = False
    as_json: bool = False


def run(file: Path | None, options: Options, clock: Clock | None = None) -> int:
    """Review the incident in ``file``; 0 if there was no gap, 1 if there was one.

    ConfigInvalid if something cannot be used, or would be overwritten without ``force``; JournalUnreadable if the
    folder of journals cannot be read.
    """
    if file is None:
        raise ConfigInvalid("blackstart review", "", "needs the file of an incident; --schema prints what goes into it")
    incident = load(file, (clock or SystemClock()).now())
    in_force = _settings()
    root = options.journals or Path(in_force.journals if in_force else "journals")
    objectives = in_force.objectives if in_force else Objectives()
    mine, notes = experiments.in_folder(options.experiments) if options.experiments else ((), ())
    candidates = (*mine, *experiments.shipped())
    catalogue = history_run.configured(None, os.environ, Path.cwd()) if in_force else None
    rows = _read(root)
    tags = {each.name: each.tags for each in candidates}
    tags |= experiments.told_by_journals(root, rows, tags)
    review = examine(
        incident, rows, objectives, candidates,
        tags=tags, stale_days=options.stale_days, catalogue=catalogue, notes=notes,
    )  # fmt: skip
    folder = options.output or file.parent / incident.id
    texts = {"review.md": markdown.page(review), f"{review.draft.name}.yaml": review.draft.text}
    if options.as_json:
        texts["review.json"] = json.dumps(to_json(review), indent=2, ensure_ascii=False) + "\n"
    _write(folder, texts, options.force)
    typer.echo(texts["review.json"].rstrip() if options.as_json else _told(review, folder))
    return GAP if review.gap else 0


def examine(
    incident: Incident,
    rows: tuple[Row, ...],
    objectives: Objectives,
    candidates: tuple[Known, ...],
    *,
    tags: Mapping[str, tuple[str, ...]] | None = None,
    stale_days: float | None = None,
    catalogue: Catalogue | None = None,
    notes: tuple[str, ...] = (),
) -> Review:
    """All that a review says. ``candidates``: the experiments that there are, the shipped ones among them; ``tags``: of
    experiments by name, without them the candidates'. Pure."""
    covered = cover(incident, rows, tags or {each.name: each.tags for each in candidates})
    lines = compare(incident, covered)
    made = draft(incident, candidates, objectives, covered.newest.row.experiment if covered.newest else "")
    extension = experiment.check(made.source.data, str(made.source.path))
    effective = experiment.effective(objectives, extension).model_dump()
    days = stale_days if stale_days is not None else every_days(catalogue, covered.newest) or STALE_DAYS
    found = findings(incident, covered, lines, days)
    return Review(incident, covered, lines, found, catching(lines, covered, incident, made, effective), made, notes)


def print_schema() -> int:
    """The JSON Schema of an incident, on standard output."""
    typer.echo(json.dumps(schema(), indent=2))
    return 0


def to_json(review: Review) -> dict[str, Json]:
    """What ``--json`` prints; docs/review.md explains it."""
    return {
        "format": FORMAT,
        "incident": review.incident.model_dump(mode="json", exclude_unset=True),
        "gap": review.gap,
        "findings": [{"cause": each.cause, "seen": each.seen, "advice": each.advice} for each in review.findings],
        "hypotheses": [
            {"objective": each.metric.key, "target": each.target, "happened": each.happened, "of": each.of,
             "drilled": each.drilled, "met": each.met}
            for each in review.catching
        ],
        "compared": {line.metric.key: _compared(line) for line in review.lines},
        "drills": [_drill(each) for each in (*review.covered.before, *review.covered.since)],
        "not_counted": {
            "other_services": [_drill(each) for each in review.covered.elsewhere],
            "damaged": [{"journal": row.folder, "problem": row.problem} for row in review.covered.damaged],
            "notes": list(review.notes),
        },
        "regression": _regression(review.draft),
    }  # fmt: skip


def _compared(line: Line) -> dict[str, Json]:
    lasting = line.worst == float("inf")
    newest = None if line.newest == float("inf") else line.newest
    return {
        "objective": line.promised,
        "newest": newest,
        "newest_met": line.newest_met,
        "worst": None if lasting else line.worst,
        "worst_drill": line.worst_of.name if line.worst_of else None,
        "never_recovered": lasting,
        "incident": line.happened,
        "reading": line.reading,
    }


def _drill(drill: Drill) -> dict[str, Json]:
    row = drill.row
    return {
        "drill": row.drill,
        "journal": row.folder,
        "experiment": row.experiment,
        "service": row.service,
        "started": iso(row.started) if row.started else None,
        "days_before": round(drill.days, 3),
        "covers": drill.level,
        "verdict": drill.verdict,
        "reason": row.reason,
    }


def _regression(made: Draft) -> dict[str, Json]:
    held = [{"objective": h.key, "target": h.target, "why": h.why, "guessed": h.guessed} for h in made.held]
    file = f"{made.name}.yaml"
    return {"file": file, "source": made.source.name, "covers": made.level, "stands_in": made.instead, "held": held}


def _settings() -> Settings | None:
    """Those in force, if there are any: a review can be written where nothing may be touched."""
    if not os.environ.get(settings.CONFIG_VARIABLE) and not Path("blackstart.toml").is_file():
        return None
    return settings.current()


def _read(root: Path) -> tuple[Row, ...]:
    """All journals; where that takes a while, it says how far it is."""
    if not root.is_dir():
        raise ConfigInvalid(
            str(root), "", "no such folder of journals, so nobody can say what was drilled; name it with --journals"
        )
    with _progress() as told:
        return index.read(root, told)


@contextmanager
def _progress() -> Iterator[index.Told]:
    console = Console(stderr=True)
    with console.status("reading journals") as status:

        def told(done: int, of: int) -> None:
            if done % 50 == 0:
                status.update(f"reading journals: {done:,} of {of:,}")

        yield told


def _write(folder: Path, texts: dict[str, str], force: bool) -> None:
    """All or nothing, as far as what stands there is concerned: people will have edited it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in texts.items():
            path = folder / name
            if not force and path.exists() and path.read_bytes() != content.encode():
                raise ConfigInvalid(
                    str(path), "", "is there already and says something else, so nothing was written; "
                    "move it, write elsewhere with --output, or overwrite it with --force",
                )  # fmt: skip
        for name, content in texts.items():
            (folder / name).write_text(content, encoding="utf-8")
    except OSError as error:
        problem = f"the review could not be written ({error.strerror or error}); name a folder with --output"
        raise ConfigInvalid(str(folder), "", problem) from error


def _told(review: Review, folder: Path) -> str:
    covered = review.covered
    lines = [
        textwrap.fill(f"{review.incident.id}  {markdown.main_sentence(review)}", 80, subsequent_indent="  "),
        "",
        f"  drills      {len(covered.same)} of this failure, {len(covered.before) - len(covered.same)} near it, "
        f"of {numbers.plural(covered.looked_at, 'journal')}",
        *(f"  gap         {each.cause.value}" for each in review.findings),
        *(f"  would catch {each.metric.title} {each.metric.goal(each.target)} ({each.of})" for each in review.catching),
        "",
        f"  review      {folder / 'review.md'}",
        f"  regression  {folder / review.draft.name}.yaml",
    ]
    return "\n".join(lines)

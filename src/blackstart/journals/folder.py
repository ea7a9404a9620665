"""The folder that one drill leaves on disk: made at its start, appended to while it runs, readable at every moment.

``<root>/<experiment>/<UTC start>/``; journals/README.md describes every file in it. JSON files are replaced whole
(written beside, flushed to disk, renamed); JSON-lines files only grow, so the worst that a killed writer leaves is
one cut-off last line, which readers skip and count.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from blackstart import redaction
from blackstart.clock import iso
from blackstart.errors import JournalUnreadable, JournalUnwritable
from blackstart.observer.record import is_number

FORMAT = 1
DRILL = "drill.json"
OBSERVER = "observer.json"
CHANGES = "changes.jsonl"
EVENTS = "events.jsonl"
CALLS = "calls.jsonl"
MONITORING = "monitoring.json"
TOOLKIT = "journal.json"
RESTORATION = "restoration.json"
VERDICT = "verdict.json"
REPORT = "report.html"

Json = Any
YEARS = range(1970, 9000)
"""In which a drill can have begun, so that no moment of it is out of what a calendar knows."""


@dataclass(frozen=True)
class Drill:
    """``drill.json``: what was known at the start.

    ``experiment`` is the file's stem, ``file`` its path as given, ``sha256`` of its bytes. ``origin_monotonic`` is
    the zero of all times "since origin". ``fault`` says in a few words what is lost: "loss of region us-east-1";
    ``felt`` whether somebody has to feel it, or it would prove nothing. ``service``, ``observing``, ``objectives`` and
    ``scope`` are the effective settings, as JSON. ``redact``: the user's own patterns of what no journal may hold;
    ``tags``: the experiment's.
    """

    drill: str
    experiment: str
    title: str
    file: str
    started: datetime
    origin_monotonic: float
    environment: str
    fault: str
    service: Mapping[str, Json] = field(default_factory=dict)
    observing: Mapping[str, Json] = field(default_factory=dict)
    objectives: Mapping[str, Json] = field(default_factory=dict)
    scope: Mapping[str, Json] = field(default_factory=dict)
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    sha256: str = ""
    felt: bool = True
    redact: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """Redacted, but for the patterns that say what is."""
        told = redaction.with_patterns(self.redact).value(asdict(self))
        return {"format": FORMAT, **told, "started": iso(self.started), "redact": list(self.redact)}

    def at(self, seconds: float) -> datetime:
        """The wall time of ``seconds`` since the origin."""
        return self.started + timedelta(seconds=seconds)


@dataclass(frozen=True)
class Journal:
    """What a folder holds, parsed but not interpreted. Samples and ledger are read by the observer's own readers.

    ``toolkit`` is Chaos Toolkit's journal, ``restoration`` and ``verdict`` the last ones written; None where the file
    is missing or cut off. ``damaged`` names files that hold lines or text that could not be read.
    """

    folder: Path
    drill: Drill
    observer: Mapping[str, Json] | None
    changes: tuple[Mapping[str, Json], ...]
    events: tuple[Mapping[str, Json], ...]
    calls: tuple[Mapping[str, Json], ...]
    toolkit: Mapping[str, Json] | None
    restoration: Mapping[str, Json] | None
    monitoring: Mapping[str, Json] | None
    verdict: Mapping[str, Json] | None
    damaged: tuple[str, ...] = ()


def create(root: Path, drill: Drill) -> Path:
    """Make the folder of a new drill under ``root`` and write ``drill.json``; returns the folder. JournalUnwritable,
    from all that writes here, if that cannot be done.

    Two drills of one experiment that start in the same second get different folders (``…Z-2``).
    """
    parent = root / drill.experiment
    with _writing(root, drill.experiment):
        parent.mkdir(parents=True, exist_ok=True)
    stamp = drill.started.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    attempt = 1
    while True:
        folder = parent / (stamp if attempt == 1 else f"{stamp}-{attempt}")
        with _writing(parent, folder.name):
            try:
                folder.mkdir()
                break
            except FileExistsError:
                attempt += 1
    write_text(folder / DRILL, _text(drill.to_json()))
    return folder


def append(folder: Path, name: str, record: Mapping[str, Json]) -> None:
    """Add one line to the JSON-lines file ``name``, redacted, after closing a line that a killed writer left open."""
    append_all(folder, name, [record])


def append_all(folder: Path, name: str, records: Iterable[Mapping[str, Json]]) -> None:
    """Like append, for many lines at once."""
    told = redaction.of(folder).value
    line = "".join(json.dumps(told(each), ensure_ascii=False, separators=(",", ":")) + "\n" for each in records)
    with _writing(folder, name):
        handle = os.open(folder / name, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                line = "\n" + line
            os.write(handle, line.encode("utf-8"))
        finally:
            os.close(handle)


def write_json(path: Path, data: Mapping[str, Json]) -> None:
    """Replace ``path`` as a whole, redacted: a reader sees the old text or the new one, never half of it."""
    write_text(path, _text(redaction.of(path.parent).value(data)))


def _text(data: Mapping[str, Json]) -> str:
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def write_text(path: Path, text: str) -> None:
    """Like write_json, for text that holds nothing to redact."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with _writing(path.parent, path.name):
        # What is no text, as half of a surrogate pair in a message from elsewhere, is escaped as JSON does it.
        with beside.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)


@contextmanager
def _writing(folder: Path, name: str) -> Iterator[None]:
    """A disk that is full, gone or read-only, as JournalUnwritable."""
    try:
        yield
    except OSError as error:
        raise JournalUnwritable(str(folder), name, str(error)) from error


def read(folder: Path) -> Journal:
    """Read everything but samples and ledger. JournalUnreadable only if drill.json does not say what was run."""
    damaged: list[str] = []
    return Journal(
        folder=folder,
        drill=read_drill(folder),
        observer=_read_json(folder / OBSERVER, damaged),
        changes=_read_lines(folder / CHANGES, damaged),
        events=_read_lines(folder / EVENTS, damaged),
        calls=_read_lines(folder / CALLS, damaged),
        toolkit=_read_json(folder / TOOLKIT, damaged),
        restoration=_read_json(folder / RESTORATION, damaged),
        monitoring=_read_json(folder / MONITORING, damaged),
        verdict=_read_json(folder / VERDICT, damaged),
        damaged=tuple(damaged),
    )


def read_drill(folder: Path) -> Drill:
    """``drill.json`` alone; JournalUnreadable if it is missing, not JSON, or lacks what every drill has."""
    try:
        data = json.loads((folder / DRILL).read_text(encoding="utf-8"))
        if data.get("format") != FORMAT:
            raise JournalUnreadable(str(folder), DRILL, f"format {data.get('format')!r}, this version reads {FORMAT}")
        known = {name: data[name] for name in Drill.__dataclass_fields__ if name in data}
        known["started"] = datetime.fromisoformat(known["started"])
        known |= {name: tuple(map(str, known.get(name, ()))) for name in ("redact", "tags")}
        return _checked(Drill(**known))
    except FileNotFoundError as error:
        raise JournalUnreadable(str(folder), DRILL, "no such file, so this is not the journal of a drill") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise JournalUnreadable(str(folder), DRILL, f"cannot be read ({error})") from error


def _checked(drill: Drill) -> Drill:
    """ValueError unless what everybody reckons with, or shows, is of its kind."""
    texts = ("drill", "experiment", "title", "file", "environment", "fault", "sha256")
    tables = ("service", "observing", "objectives", "scope", "versions")
    wrong = [name for name in texts if not isinstance(getattr(drill, name), str)]
    wrong += [name for name in tables if not isinstance(getattr(drill, name), Mapping)]
    if not is_number(drill.origin_monotonic):
        wrong.append("origin_monotonic")
    if drill.started.tzinfo is None or drill.started.year not in YEARS:
        wrong.append("started")
    if wrong:
        raise ValueError(f"{wrong[0]} is {repr(getattr(drill, wrong[0]))[:60]}")
    return drill


def _read_json(path: Path, damaged: list[str]) -> Mapping[str, Json] | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        damaged.append(f"{path.name}: {error}")
        return None
    if not isinstance(data, dict):
        damaged.append(f"{path.name}: not an object")
        return None
    return data


def _read_lines(path: Path, damaged: list[str]) -> tuple[Mapping[str, Json], ...]:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        damaged.append(f"{path.name}: {error}")
        return ()
    records: list[Mapping[str, Json]] = []
    bad = 0
    for line in text.split(b"\n"):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            bad += 1
            continue
        if isinstance(record, dict):
            records.append(record)
        else:
            bad += 1
    if bad:
        damaged.append(f"{path.name}: {bad} unreadable line{'s' if bad > 1 else ''}")
    return tuple(records)

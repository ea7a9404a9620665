"""From the files of one journal to its row, whatever they hold: what cannot be read is told, never guessed.

Text is made fit to be shown anywhere: a journal may hold what others wrote, and nothing of it may steer a terminal.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from blackstart.journals.folder import DRILL, FORMAT, VERDICT
from blackstart.journals.index import Row
from blackstart.journals.numbers import plural

Json = Any
WORDS = ("passed", "failed", "inconclusive")
LONGEST_FILE = 64 * 2**20
LONGEST_TEXT = 2000
MOST_PROBLEMS = 3
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]+")
_NUMBERS = (
    "rto_seconds", "rto_error_seconds", "rpo_seconds", "rpo_error_seconds", "availability", "longest_outage_seconds",
    "p95_seconds", "p99_seconds",
)  # fmt: skip
_COUNTS = ("lost_writes", "acknowledged_writes", "requests", "failed_requests", "changes", "exit_code")


class _Reader:
    """One file's object, whose values are taken by type; what is of another type is a problem and is left out."""

    def __init__(self, path: Path, name: str, problems: list[str]) -> None:
        self._name, self._problems = name, problems
        self.data: Mapping[str, Json] = {}
        try:
            with (path / name).open("rb") as file:
                content = file.read(LONGEST_FILE + 1)
            if len(content) > LONGEST_FILE:
                raise ValueError("longer than 64 MiB")
            data = json.loads(content)
            if not isinstance(data, dict):
                raise ValueError("not an object")
            self.data = data
        except FileNotFoundError:
            self.wrong("no such file")
        except (OSError, ValueError, RecursionError) as error:
            self.wrong(f"cannot be read ({shown(str(error) or 'nested too deep')[:200]})")
        else:
            if data.get("format") != FORMAT:
                self.wrong(f"format {shown(repr(data.get('format')))[:40]}, this version reads {FORMAT}")

    def wrong(self, problem: str) -> None:
        self._problems.append(f"{self._name}: {problem}")

    def take(self, key: str, kind: type | tuple[type, ...], words: str, empty: Json) -> Json:
        value = self.data.get(key)
        if value is None:
            return empty
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return value
        self.wrong(f"“{key}” is not {words}")
        return empty

    def words(self, key: str) -> str:
        return shown(self.take(key, str, "text", ""))

    def number(self, key: str) -> float | None:
        value = self.take(key, (int, float), "a number", None)
        return None if value is None else self._finite(key, value)

    def _finite(self, key: str, value: float) -> float | None:
        known = finite(value)
        if known is None:
            self.wrong(f"“{key}” is no finite number")
        return known

    def count(self, key: str) -> int | None:
        value = self.take(key, int, "a whole number", None)
        if value is not None and not -(2**53) <= value <= 2**53:
            self.wrong(f"“{key}” is no finite number")
            return None
        return value if value is None else int(value)

    def moment(self, key: str) -> datetime | None:
        text = self.take(key, str, "a time", "")
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            self.wrong(f"“{key}” is not a time")
            return None

    def object(self, key: str) -> Mapping[str, Json]:
        found: Mapping[str, Json] = self.take(key, dict, "an object", {})
        return found

    def list(self, key: str) -> list[Json]:
        found: list[Json] = self.take(key, list, "a list", [])
        return found


def row(path: Path, name: str) -> Row:
    """The row of the journal in ``path``, which is called ``name`` from the root."""
    problems: list[str] = []
    drill, verdict = _Reader(path, DRILL, problems), _Reader(path, VERDICT, problems)
    word = verdict.words("verdict")
    if verdict.data and word not in WORDS:
        verdict.wrong(f"“verdict” is “{word[:40]}”, none of {', '.join(WORDS)}")
    service = drill.object("service").get("name")
    started = drill.moment("started") or verdict.moment("started")
    if started is None and drill.data and not problems:
        drill.wrong("does not tell when it started")
    found: dict[str, Json] = dict(
        folder=name,
        **{key: drill.words(key) or verdict.words(key) for key in ("drill", "experiment", "title", "fault")},
        environment=drill.words("environment") or verdict.words("environment"),
        service=shown(service) if isinstance(service, str) else verdict.words("service"),
        sha256=drill.words("sha256"),
        started=started,
        ended=verdict.moment("ended"),
        verdict=word if word in WORDS else "",
        reason=verdict.words("reason"),
        cut_off=bool(verdict.take("cut_off", bool, "true or false", False)),
        **{key: verdict.number(key) for key in _NUMBERS},
        **{key: verdict.count(key) for key in _COUNTS},
        objectives=_objectives(verdict),
        steps=tuple(_plain(step) for step in verdict.list("rto_steps") if isinstance(step, dict)),
        leftovers=_leftovers(verdict),
        versions={shown(key): shown(value) for key, value in drill.object("versions").items() if _is_text(value)},
        tags=tuple(shown(tag) for tag in drill.list("tags") if _is_text(tag)),
    )
    if drill.data and not found["experiment"]:
        drill.wrong("does not tell which experiment it was")
    return Row(**found, problem=_told(problems))


def _objectives(verdict: _Reader) -> dict[str, dict[str, Json]]:
    found = verdict.object("objectives")
    odd = [key for key, value in found.items() if not isinstance(value, dict)]
    if odd:
        verdict.wrong(f"objective “{shown(odd[0])[:40]}” is not an object")
    kept = {shown(key): _plain(value) for key, value in found.items() if isinstance(value, dict)}
    for key, value in kept.items():
        for part in ("target", "measured", "low", "high"):
            if value.get(part) is not None and finite(value[part]) is None:
                verdict.wrong(f"“{part}” of objective “{key[:40]}” is not a number")
                value[part] = None
        if value.get("met") not in (True, False, None):
            verdict.wrong(f"“met” of objective “{key[:40]}” is not true, false or null")
            value["met"] = None
    return kept


def _plain(value: Mapping[str, Json]) -> dict[str, Json]:
    """Texts, numbers and truth values of an object; what is deeper is not asked for."""
    plain = {shown(key): shown(each) if _is_text(each) else each for key, each in value.items()}
    return {key: each for key, each in plain.items() if each is None or isinstance(each, (str, int, float, bool))}


def _leftovers(verdict: _Reader) -> int | None:
    """Changes not proven undone, and what was found of the others; None where nobody wrote it."""
    if not verdict.data:
        return None
    return len(verdict.list("leftovers")) + len(verdict.list("residue"))


def _told(problems: list[str]) -> str:
    more = len(problems) - MOST_PROBLEMS
    told = "; ".join(problems[:MOST_PROBLEMS])
    return f"{told}; and {plural(more, 'more problem')}" if more > 0 else told


def _is_text(value: Json) -> bool:
    return isinstance(value, str)


def finite(value: Json) -> float | None:
    """``value`` as a number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        known = float(value)
    except OverflowError:
        return None
    return known if math.isfinite(known) else None


def shown(text: str) -> str:
    """``text`` without what could steer a terminal or turn the direction of writing, and not without end."""
    clean = _STEERING.sub(" ", text) if _STEERING.search(text) else text
    return clean if len(clean) <= LONGEST_TEXT else clean[: LONGEST_TEXT - 1] + "…"


def text(found: Row) -> str:
    """For the index."""
    known = {key: value for key, value in vars(found).items() if value is not None and value != ""}
    return json.dumps(known, default=_moment, separators=(",", ":"))


def _moment(value: Json) -> str:
    return str(value.isoformat())


def parse(kept: str) -> Row | None:
    """What ``text`` gave; None if it is not that."""
    try:
        data = from_json(kept)  # twice as fast as json, which is most of the time that ten thousand take
        for key in ("started", "ended"):
            if key in data:
                data[key] = datetime.fromisoformat(data[key])
        data["steps"], data["tags"] = tuple(data["steps"]), tuple(data["tags"])
        return Row(**data)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None

"""Sign-offs: what people in charge said of drills. They write them; nothing here invents or completes one.

A file is YAML: a list ``sign-offs``, each with ``role``, ``at`` (ISO 8601 with its zone), ``statement``, and if wanted
``by`` (a name) and ``drills`` (ids, or folders of their journals; none: all of the period).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from blackstart.errors import ConfigInvalid
from blackstart.reports.evidence.mapping import Drilled
from blackstart.settings import invalid

MOST_BYTES = 1_000_000


class SignOff(BaseModel):
    """One person’s word, in the person’s words."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    role: str = Field(min_length=1)
    at: AwareDatetime
    statement: str = Field(min_length=1)
    by: str = ""
    drills: tuple[str, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    sign_offs: tuple[SignOff, ...] = Field(alias="sign-offs", min_length=1)


@dataclass(frozen=True)
class Signed:
    """A file of sign-offs as it was handed in: ``data`` are its bytes, unaltered."""

    path: Path
    data: bytes
    sign_offs: tuple[SignOff, ...]


def read(path: Path) -> Signed:
    """ConfigInvalid names the file, and the line or the key in it, that cannot be used."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ConfigInvalid(str(path), "", f"longer than {MOST_BYTES:,} bytes, so this is no file of sign-offs")
        content = yaml.safe_load(data.decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigInvalid(str(path), "", f"cannot be read ({error})") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigInvalid(str(path), _place(error), f"is not YAML ({_first_line(error)})") from error
    return Signed(path, data, _checked(content, path))


def _checked(content: Any, path: Path) -> tuple[SignOff, ...]:
    try:
        return _File.model_validate(content).sign_offs
    except ValidationError as error:
        raise invalid(str(path), error) from error


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _first_line(error: Exception) -> str:
    return str(getattr(error, "problem", None) or error).splitlines()[0]


def refuse_unknown(files: Sequence[Signed], drills: Sequence[Drilled]) -> None:
    """ConfigInvalid for a sign-off of a drill that is not in the period: it would seem to be covered."""
    known = {name for drill in drills for name in (drill.drill, drill.folder) if name}
    for file in files:
        for number, signed in enumerate(file.sign_offs):
            unknown = sorted(set(signed.drills) - known)
            if unknown:
                where = f"sign-offs.{number}.drills"
                raise ConfigInvalid(str(file.path), where, f"no drill of the period is {unknown[0]!r}")


def of(drill: Drilled, files: Sequence[Signed]) -> Iterator[SignOff]:
    """The sign-offs of ``drill``. One made before the drill ended is none of it."""
    over = drill.ended or drill.started
    for file in files:
        for signed in file.sign_offs:
            named = not signed.drills or {drill.drill, drill.folder} & set(signed.drills)
            if named and over is not None and signed.at >= over:
                yield signed


def too_early(files: Sequence[Signed], drills: Sequence[Drilled]) -> Iterator[tuple[SignOff, Drilled]]:
    """Sign-offs by name of a drill that had not ended yet."""
    for file in files:
        for signed in file.sign_offs:
            for drill in drills:
                over = drill.ended or drill.started
                named = {drill.drill, drill.folder} & set(signed.drills)
                if named and (over is None or signed.at < over):
                    yield signed, drill

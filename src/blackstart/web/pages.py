"""The pages that are made here, as text: one journal, a running drill, and messages. Pure, but for the templates."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from blackstart.errors import BlackstartError, JournalUnreadable
from blackstart.journals import numbers
from blackstart.journals.folder import REPORT, Drill
from blackstart.journals.verdict import Word
from blackstart.reports.html import unbroken
from blackstart.web import strips
from blackstart.web.places import File, is_text
from blackstart.web.scene import Scene
from blackstart.web.standing import Standing

DAMAGE = (
    BlackstartError, OSError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError
)  # fmt: skip
"""What reading a journal can raise that somebody has damaged: one of thousands must not take the others with it."""
STEPS = ("B", "kB", "MB", "GB")


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("blackstart.web", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["unbroken"] = unbroken
    made.globals.update(strip=strips, svg=Markup)  # pictures are numbers and classes of this package
    return made


def message(word: str, sentence: str, rest: str = "") -> str:
    """A page that says one thing."""
    title = f"{word}: {sentence}"
    return _templates().get_template("message.html.j2").render(title=title, word=word, sentence=sentence, rest=rest)


def over(drill: Drill | BlackstartError, now: Standing, files: Sequence[File]) -> str:
    """The page of a journal whose drill is over; where drill.json cannot be read, the page says why."""
    told = now.verdict
    if isinstance(drill, BlackstartError):
        return damaged(drill, files)
    word = told.get("verdict")
    word = str(word) if word in list(Word) else str(Word.INCONCLUSIVE)
    rest = "The drill was cut off, and somebody else closed its journal." if told.get("cut_off") is True else ""
    return _drill(
        f"{word}: {drill.fault} · drill {drill.drill}",
        files,
        meta=_meta(drill),
        word=word,
        reason=str(told.get("reason") or "The journal gives no reason."),
        rest=rest,
        report=True,
    )


def damaged(problem: Exception, files: Sequence[File]) -> str:
    """The page of a journal that cannot be read."""
    return _drill(
        "damaged journal",
        files,
        meta=["damaged journal"],
        word="damaged",
        reason="This journal cannot be read as a whole, so it proves nothing.",
        rest=cause(problem),
        report=False,
    )


def cause(error: Exception) -> str:
    """What is wrong with a journal; where it lies on this machine is not for everybody who can see the page."""
    if isinstance(error, JournalUnreadable):
        return f"{error.file}: {error.problem}" if error.file else error.problem
    if isinstance(error, BlackstartError):
        return str(error)
    return f"it cannot be read ({error.strerror if isinstance(error, OSError) else error})"


def live(drill: Drill, seen: Scene, files: Sequence[File], path: str) -> str:
    """The page of a drill that is not over, as it stands now. ``path`` is its address."""
    return _drill(live_title(seen), files, meta=_meta(drill), path=path, **_parts(drill, seen))


def part(drill: Drill, seen: Scene) -> str:
    """What of that page changes."""
    return _templates().get_template("scene.html.j2").render(**_parts(drill, seen))


def live_title(seen: Scene) -> str:
    """The title of the page of a drill that is not over."""
    return f"{seen.word}: {seen.headline}"


def _parts(drill: Drill, seen: Scene) -> dict[str, Any]:
    drawn = seen.strips
    ends = [numbers.clock_time(drill.at(at)) for at in (drawn.start, drawn.end)] if drawn else ["", ""]
    return {"scene": seen, "from": ends[0], "until": ends[1]}


def _drill(title: str, files: Sequence[File], **told: Any) -> str:
    shown = {"title": title, "files": [_row(file) for file in files], "scene": None, **told}
    return _templates().get_template("drill.html.j2").render(shown)


def _meta(drill: Drill) -> list[str]:
    named = [str(drill.service.get("name") or ""), drill.fault, drill.environment]
    return [part for part in map(str, named) if part] + [numbers.day(drill.started), f"drill {drill.drill}"]


def _row(file: File) -> dict[str, str | bool]:
    changed = f"{numbers.day(file.changed)} {numbers.clock_time(file.changed)}"
    shown = is_text(file.name) or file.name == REPORT
    name = file.name.encode("utf-8", "replace").decode()
    size = _size(file.size)
    return {"name": name, "url": quote(name), "what": file.what, "size": size, "changed": changed, "shown": shown}


def _size(size: int) -> str:
    """``81 kB``; a thousand bytes are one."""
    value, place = float(size), 0
    while value >= 999.5 and place < len(STEPS) - 1:
        value, place = value / 1000, place + 1
    shown = f"{value:.0f}" if place == 0 or value >= 10 else f"{value:.1f}"
    return f"{shown}{numbers.NBSP}{STEPS[place]}"

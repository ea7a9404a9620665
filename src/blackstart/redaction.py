"""Keeps secrets and personal data out of journals: everything that is text goes through a `Redactor` as it is written.

What is found is replaced by what it was: ``[redacted: aws key]``. Ids, ARNs, hashes and the drill's own ids stay. Only
the journal is redacted: the undo log needs the truth to put things back. One pass per rule, each linear in the text.
"""

from __future__ import annotations

import atexit
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from blackstart import redaction_rules as rules
from blackstart.redaction_rules import marked

Json = Any
HOLD_LINES = 200
"""A private key in a log is held back until its end, or until so many lines have come."""


@dataclass(frozen=True)
class Redactor:
    """``own``: patterns of the user's, beside the built-in ones; none is looked for in keys, or in numbers."""

    own: tuple[re.Pattern[str], ...] = ()

    def text(self, text: str) -> str:
        """``text`` without secrets; the same again for what was redacted before."""
        if rules.HINT.search(text):
            for rule in rules.RULES:
                text = rule(text)
        for pattern in self.own:
            text = pattern.sub(lambda _: marked("own pattern"), text)
        return text

    def value(self, value: Json) -> Json:
        """A JSON value with every text in it redacted; what stands under a key such as ``password`` as a whole."""
        return _walk(value, self.text)


def _walk(value: Json, text: Callable[[str], str]) -> Json:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        return _walk_fields(value, text)
    if isinstance(value, list | tuple):
        near = _holds_key_id(value)
        return [marked("aws key") if near and _is_secret_key(each) else _walk(each, text) for each in value]
    return value


def _walk_fields(fields: Mapping[str, Json], text: Callable[[str], str]) -> dict[str, Json]:
    near = _holds_key_id(fields.values())
    hidden = fields.get("kind") == "Secret"
    named = str(fields.get("name", fields.get("Name", "")))  # of an environment variable, say, whose value is beside it
    found: dict[str, Json] = {}
    for key, value in fields.items():
        kept = text(key) if isinstance(key, str) else key
        if near and _is_secret_key(value):
            found[kept] = marked("aws key")
        elif hidden and key in ("data", "stringData"):
            found[kept] = _hide(value, "secret")
        elif what := rules.secret_name(named if key in ("value", "Value") and named else str(key)):
            found[kept] = _hide(value, what)
        else:
            found[kept] = _walk(value, text)
    return found


def _hide(value: Json, what: str) -> Json:
    """``value`` without any text or number that stands below it, but for what is plainly none."""
    if isinstance(value, str):
        return value if not value or rules.PLAIN.fullmatch(value) else marked(what)
    if isinstance(value, Mapping):
        return {key: each if rules.TELLS.fullmatch(str(key)) else _hide(each, what) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_hide(each, what) for each in value]
    # A number under such a name is a password only if the name says no more than that; else it is a count or a limit.
    return marked(what) if type(value) is int and what in rules.NUMBERS else value


def _holds_key_id(values: Iterable[Json]) -> bool:
    return any(isinstance(each, str) and rules.AWS_ID.search(each) for each in values)


def _is_secret_key(value: Json) -> bool:
    return isinstance(value, str) and rules.AWS_SECRET.fullmatch(value) is not None


def of(folder: Path) -> Redactor:
    """The redactor of the journal ``folder``: with the patterns that its ``drill.json`` names, if it names any."""
    try:
        drill = json.loads((folder / "drill.json").read_text(encoding="utf-8"))
        return with_patterns(drill.get("redact", ()))
    except (OSError, ValueError, AttributeError, TypeError, RecursionError, re.error):
        return Redactor()


def with_patterns(patterns: Iterable[str]) -> Redactor:
    """``re.error`` or TypeError for one that is no regular expression."""
    return Redactor(tuple(re.compile(pattern) for pattern in patterns))


def guard_stderr(folder: Path) -> None:
    """From now on, what this process says on its standard error, which is a log in ``folder``, is redacted."""
    stream = RedactedStream(sys.stderr, of(folder))
    atexit.register(stream.finish)
    sys.stderr = stream


class RedactedStream:
    """A text stream whose whole lines are redacted before they reach ``stream``; for a process's ``sys.stderr``."""

    def __init__(self, stream: TextIO, redactor: Redactor) -> None:
        self._stream, self._redactor = stream, redactor
        self._held: list[str] = []
        self.encoding, self.errors = stream.encoding, stream.errors

    def write(self, text: str) -> int:
        """Everything up to the last newline is passed on; a private key only when it is over."""
        self._held.append(text)
        if "\n" in text:
            whole, newline, rest = "".join(self._held).rpartition("\n")
            if rules.KEY_OPEN.search(whole) and whole.count("\n") < HOLD_LINES:
                return len(text)
            self._held = [rest] if rest else []
            self._stream.write(self._redactor.text(whole) + newline)
            self._stream.flush()
        return len(text)

    def flush(self) -> None:
        """What is no whole line yet stays: a secret may be half of it."""
        self._stream.flush()

    def finish(self) -> None:
        """Pass on what is held; nothing comes any more."""
        rest, self._held = "".join(self._held), []
        self._stream.write(self._redactor.text(rest))
        self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return False

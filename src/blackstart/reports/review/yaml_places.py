"""YAML that people write, with the line and column of everything in it.

Only plain data is taken: no anchors, no tags, no key twice. Scalars stay text (a date is checked later, by who knows
what it is for), but for nulls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from blackstart.errors import ConfigInvalid

Loc = tuple[str | int, ...]
Json = Any

LARGEST = 256 * 1024  # bytes; an incident is a page or two
DEEPEST = 16
_PLAIN = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "timestamp", "merge", "value")}
_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True)
class Document:
    """``data`` of text, None, lists and mappings. ``keys`` and ``values``: place in it → line and column, from 1."""

    path: str
    data: Json
    keys: Mapping[Loc, tuple[int, int]] = field(default_factory=dict)
    values: Mapping[Loc, tuple[int, int]] = field(default_factory=dict)

    def place(self, loc: Loc, of_key: bool = False) -> tuple[int, int]:
        """Where ``loc`` stands, or what would hold it."""
        for end in range(len(loc), -1, -1):
            table = self.keys if of_key and end == len(loc) else self.values
            if loc[:end] in table:
                return table[loc[:end]]
        return (1, 1)


def read(path: Path) -> Document:
    """ConfigInvalid, with line and column, if ``path`` cannot be read or holds more than plain data."""
    return parse(_text(path), str(path))


def parse(text: str, path: str) -> Document:
    """See `read`."""
    try:
        _refuse_what_is_not_plain(text, path)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigInvalid(path, _where(error, text), f"not YAML: {_problem(error)}") from error
    if node is None:
        raise ConfigInvalid(path, "", "the file is empty")
    built = _Built(path)
    return Document(path, built.value(node, ()), built.keys, built.values)


def at(place: tuple[int, int]) -> str:
    return f"line {place[0]}, column {place[1]}"


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            found = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigInvalid(str(path), "", f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a path with a null byte
        raise ConfigInvalid(str(path), "", f"cannot be read: {error}") from error
    if len(found) > LARGEST:
        raise ConfigInvalid(str(path), "", f"larger than {LARGEST // 1024} KiB; an incident is a page or two")
    try:
        return found.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = found[: error.start]
        line, column = before.count(b"\n") + 1, len(before) - (before.rfind(b"\n") + 1) + 1
        raise ConfigInvalid(str(path), at((line, column)), "not UTF-8 text") from error


def _refuse_what_is_not_plain(text: str, path: str) -> None:
    """Before anything recursive walks over it: an alias may hold itself, and nesting may be deeper than the stack."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ConfigInvalid(path, _mark(event.start_mark), "anchors and aliases are not taken; write it out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ConfigInvalid(path, _mark(event.start_mark), f"nested more than {DEEPEST} deep")


def _mark(mark: Any) -> str:
    return at((mark.line + 1, mark.column + 1))


def _where(error: yaml.YAMLError, text: str) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return _mark(mark)
    position = getattr(error, "position", None)
    if position is None:
        return ""
    before = text[:position]
    return at((before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1))


def _problem(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        return f"the character U+{int(error.character):04X} is not allowed"
    return str(getattr(error, "problem", "") or error)


class _Built:
    """Data from nodes, with the places that were met on the way."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.keys: dict[Loc, tuple[int, int]] = {}
        self.values: dict[Loc, tuple[int, int]] = {}

    def value(self, node: yaml.Node, loc: Loc) -> Json:
        self.values[loc] = (node.start_mark.line + 1, node.start_mark.column + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, loc)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(each, (*loc, number)) for number, each in enumerate(node.value)]
        if node.tag != _NULL and node.tag not in _PLAIN:
            raise ConfigInvalid(self.path, _mark(node.start_mark), f"the tag {node.tag} is not taken, only plain data")
        return None if node.tag == _NULL else str(node.value)

    def _mapping(self, node: yaml.MappingNode, loc: Loc) -> Json:
        found: dict[str, Json] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigInvalid(self.path, _mark(key_node.start_mark), "a key has to be plain text")
            key = str(key_node.value)
            if key in found:
                raise ConfigInvalid(self.path, _mark(key_node.start_mark), f"the key “{key}” stands here a second time")
            self.keys[*loc, key] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            found[key] = self.value(value_node, (*loc, key))
        return found

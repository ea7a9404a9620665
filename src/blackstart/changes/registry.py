"""The change kinds that are installed, by name: entry points of the group ``blackstart.change_kinds``.

Each entry point is named as its kind and names a class that is called without arguments.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from importlib.metadata import entry_points

from blackstart.changes.kind import Kind
from blackstart.errors import ConfigInvalid

GROUP = "blackstart.change_kinds"


class Kinds:
    """Looks kinds up, and keeps those that it has loaded. ``given`` stand in for what is installed."""

    def __init__(self, given: Iterable[Kind] = ()) -> None:
        self._lock = threading.Lock()
        self._kinds = {kind.name: kind for kind in given}

    def lookup(self, name: str) -> Kind:
        """The kind called ``name``; ConfigInvalid if nothing that is installed brings it."""
        with self._lock:
            if name not in self._kinds:
                self._kinds[name] = _load(name)
            return self._kinds[name]


def lookup(name: str) -> Kind:
    """The installed kind called ``name``."""
    return _load(name)


def names() -> tuple[str, ...]:
    """Every installed kind, sorted."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def _load(name: str) -> Kind:
    for point in entry_points(group=GROUP, name=name):
        try:
            kind: Kind = point.load()()
        except (ImportError, AttributeError) as error:
            raise ConfigInvalid(f"entry point {GROUP}", name, f"cannot be loaded: {error}") from error
        if kind.name != name:
            raise ConfigInvalid(f"entry point {GROUP}", name, f"names {point.value}, whose name is {kind.name}")
        return kind
    have = ", ".join(names()) or "none"
    raise ConfigInvalid(
        f"entry point {GROUP}", name, f"no installed package brings this change kind (there are: {have})"
    )
